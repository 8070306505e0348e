"""A study is one file in ``config/``: which corpora, which assumptions, which cells of the grid."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from lib.paper import assumptions
from lib.paths import CONFIG, in_workspace
from lib.problems import InputProblem

CORPORA = ("cremad", "ravdess")
_LARGEST = 100_000  # characters of a study's file that are read
NUMBERS = "numbers are written 0.0001, since YAML reads 1e-4 as text"


@dataclass(frozen=True)
class Cell:
    """One training of the grid: a row of the paper's Table 1."""

    layers: int
    learning_rate: float
    epochs: int

    @property
    def run(self) -> str:
        """Name of the run's folder, e.g. ``6-layer_lr-0.0001_epochs-50``."""
        return f"{self.layers}-layer_lr-{self.learning_rate:.10f}".rstrip("0") + f"_epochs-{self.epochs}"

    @property
    def label(self) -> str:
        """The cell as a reader sees it, e.g. ``6-layer, 0.0001, 50 epochs``."""
        rate = f"{self.learning_rate:.10f}".rstrip("0")
        return f"{self.layers}-layer, {rate}, {self.epochs} epochs"

    def continued(self, grid: tuple[Cell, ...]) -> Cell | None:
        """The longest cell of `grid` that equals this one but for fewer epochs: its training is our start."""
        alike = [c for c in grid if (c.layers, c.learning_rate) == (self.layers, self.learning_rate)]
        shorter = [cell for cell in alike if cell.epochs < self.epochs]
        return max(shorter, key=lambda cell: cell.epochs, default=None)


@dataclass(frozen=True)
class Study:
    """A study as its file states it, checked.

    Attributes
    ----------
    name, title
        The study's name (and its folders'), and what every title of it says.
    config
        The file.
    corpora
        ``{"cremad": {"name": ..., "folder": ...}, "ravdess": ...}``; folders are absolute.
    render
        What to render, or None where the corpora are real.
    openface_folder
        OpenFace's output, or None.
    settings
        The value of every assumption: the study's own, or that of ``paper/assumptions.yaml``.
    own_settings
        Names of the assumptions in which the study differs from ``paper/assumptions.yaml``.
    grid
        The cells, in the order of Table 1.
    """

    name: str
    title: str
    config: Path
    corpora: dict[str, dict[str, Any]]
    render: dict[str, Any] | None
    openface_folder: Path | None
    settings: dict[str, Any]
    own_settings: tuple[str, ...]
    grid: tuple[Cell, ...]

    def data(self, corpus: str) -> Path:
        """Folder of what is made of `corpus`: clips.csv, faces, sequences."""
        return in_workspace(Path("data") / self.name / corpus)

    def runs(self, notebook: str) -> Path:
        """Folder of the runs of `notebook`, e.g. ``04_training_run``."""
        return in_workspace(Path("papermill_runs") / self.name / notebook)

    def name_of(self, corpus: str) -> str:
        """`corpus` as figures and tables call it, e.g. ``synthetic CREMA-D``."""
        return self.corpora[corpus]["name"]


def config_file(study: str | os.PathLike) -> Path:
    """The file of `study`: a path that ends in ``.yaml``, or a name in ``config/``."""
    study = Path(study)
    return study if study.suffix == ".yaml" else CONFIG / f"{study}.yaml"


class _Loader(yaml.SafeLoader):
    """Plain YAML without aliases, of which a few nested ones make gigabytes, and without endless numbers."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"it holds an alias,{self.peek_event().start_mark}")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node):
        if len(node.value) > 20:
            raise yaml.YAMLError(f"it holds a number of {len(node.value)} digits")
        return super().construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def _read(path: Path) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise ValueError(f"it is longer than {_LARGEST:,} characters")
        return yaml.load(text, _Loader)
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in CONFIG.glob("*.yaml") if p.stem != "schema"))
        raise InputProblem(path, "there is no such study", f"name one of {known}, or a .yaml file") from None
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputProblem(path, f"cannot be read as YAML ({reason})", "correct the file") from None


def _where(error: jsonschema.ValidationError) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "the top level"


def _check_settings(path: Path, own: dict[str, Any]) -> dict[str, Any]:
    """All settings, after checking that `own` ones are known and of the kind that the assumption has."""
    stated = assumptions()
    settings = {name: assumption.value for name, assumption in stated.items()}
    for name, value in own.items():
        if name not in stated:
            raise InputProblem(path, f"assumptions.{name} is unknown", "use the names of paper/assumptions.yaml")
        kind = type(stated[name].value)
        kinds = (int, float) if kind in (int, float) else kind
        if not isinstance(value, kinds) or isinstance(value, bool) != (kind is bool):
            raise InputProblem(
                path,
                f"assumptions.{name} is {value!r}, but must be of the type of {stated[name].value!r}",
                f"correct the value ({NUMBERS})",
            )
        if isinstance(value, int | float) and (value < 0 or (value == 0 and isinstance(stated[name].value, int))):
            raise InputProblem(path, f"assumptions.{name} is {value!r}", "give a number above zero")
        settings[name] = value
    return settings


def load(study: str | os.PathLike, folders: dict[str, str | os.PathLike] | None = None) -> Study:
    """Read and check a study.

    Parameters
    ----------
    study
        Name of a file in ``config/`` without its suffix, or the path of a ``.yaml`` file.
    folders
        Folders of the corpora that replace those of the file, by corpus.

    Raises
    ------
    lib.problems.InputProblem
        If the file is missing or not YAML, or holds an unknown key, a wrong type or a doubled cell.
    """
    path = config_file(study)
    content = _read(path)
    schema = _read(CONFIG / "schema.yaml")
    errors = sorted(jsonschema.Draft202012Validator(schema).iter_errors(content), key=_where)
    if errors:
        problem = f"at {_where(errors[0])}: {errors[0].message}"
        raise InputProblem(path, problem, f"correct it by config/schema.yaml ({NUMBERS})")
    own = content.get("assumptions") or {}
    settings = _check_settings(path, own)
    grid = tuple(Cell(**cell) for cell in content["grid"])
    if not all(math.isfinite(cell.learning_rate) for cell in grid):
        raise InputProblem(path, "a learning rate of the grid is not a finite number", f"correct it ({NUMBERS})")
    runs = [cell.run for cell in grid]
    doubled = sorted({run for run in runs if runs.count(run) > 1})
    if doubled:
        raise InputProblem(path, f"the grid holds {', '.join(doubled)} twice", "delete one of them")
    corpora = {
        corpus: {**entry, "folder": in_workspace((folders or {}).get(corpus) or entry["folder"])}
        for corpus, entry in content["corpora"].items()
    }
    openface = content.get("openface_folder")
    if settings["face_backend"] == "openface" and not openface:
        raise InputProblem(path, "face_backend is openface without openface_folder", "add openface_folder")
    return Study(
        name=content["study"],
        title=content["title"],
        config=path,
        corpora=corpora,
        render=content.get("render"),
        openface_folder=in_workspace(openface) if openface else None,
        settings=settings,
        own_settings=tuple(own),
        grid=grid,
    )
