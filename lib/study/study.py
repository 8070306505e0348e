"""A study is one file in ``config/``: which corpora, which assumptions, which cells of the grid."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from lib.base.paths import CONFIG, in_workspace
from lib.base.problems import InputProblem
from lib.study.cells import FRAME_ORDERS, Cell, Sensitivity, Uncertainty, slug
from lib.study.paper import assumptions

CORPORA = ("cremad", "ravdess")
TRAINING = "04_training_run"
_LARGEST = 100_000  # characters of a study's file that are read
NUMBERS = "numbers are written 0.0001, since YAML reads 1e-4 as text"


#: Assumptions that decide the masked faces, and those that decide a corpus' sequences beside them.
FACES = ("face_backend", "face_interpolation")
CUTS = {
    "cremad": ("window_rule", "window_minimum_frames"),
    "ravdess": ("transfer_window_rule", "window_minimum_frames"),
}

#: What a study that extends another has from it.
SHARED = ("title", "corpora", "render", "openface_folder", "assumptions", "grid")

#: Assumptions that belong to a study as a whole: no single training can change them.
WHOLE = ("emotion_order", "window_frames", "transfer_modality", "leave_out", "selection")


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
    base
        Name of the study whose data and trainings it shares; its own name unless its file ``extends`` another.
    uncertainty, sensitivity
        What notebooks 10 and 11 train, or None.
    changes
        What `changed` has changed.
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
    base: str
    uncertainty: Uncertainty | None = None
    sensitivity: Sensitivity | None = None
    changes: tuple[str, ...] = ()

    def changed(self, changes: Mapping[str, Any]) -> Study:
        """Give the study with other assumptions.

        Raises
        ------
        lib.base.problems.InputProblem
            For one that is unknown, of another type, or the whole study's (`WHOLE`).
        """
        whole = [name for name in changes if name in WHOLE]
        if whole:
            problem = f"{whole[0]} cannot be changed for a single training"
            raise InputProblem(self.config, problem, "make a study of its own")
        settings = self.settings | _check_settings(self.config, dict(changes), self.settings)
        names = tuple(sorted({*self.changes, *(n for n in changes if settings[n] != self.settings[n])}))
        return replace(self, settings=settings, changes=names)

    def trained(self, cell: Cell, changes: Mapping[str, Any]) -> Cell:
        """`cell` with `changes` beside its own, less those that the study has anyway: equal trainings are equal."""
        changed = self.changed({**cell.changed, **changes})
        return replace(cell, changes={name: changed.settings[name] for name in changed.changes})

    def repeats(self, protocol: str) -> tuple[Cell, ...]:
        """The networks of notebook 10 under every seed of `protocol`; none if the study has no such runs."""
        if self.uncertainty is None:
            return ()
        seeds = self.uncertainty.seeds[: self.uncertainty.protocols.get(protocol, 0)]
        change = [{"split_protocol": protocol, "seed": seed} for seed in seeds]
        return tuple(self.trained(cell, c) for c in change for cell in self.uncertainty.cells)

    @property
    def controls(self) -> tuple[Cell, ...]:
        """Trainings on frames in another order, under the protocol ``paper``."""
        plan = self.uncertainty
        if plan is None:
            return ()
        cells = [cell for cell in plan.cells if cell.layers == plan.control_layers]
        return tuple(
            self.trained(cell, {"split_protocol": "paper", "frame_order": order, "seed": seed})
            for order, number in plan.controls.items()
            for seed in plan.seeds[:number]
            for cell in cells
        )

    @property
    def sensitivity_cells(self) -> tuple[tuple[dict[str, Any], Cell], ...]:
        """Each change of notebook 11 and its training."""
        if self.sensitivity is None:
            return ()
        return tuple((change, self.trained(self.sensitivity.cell, change)) for change in self.sensitivity.changes)

    @property
    def trainings(self) -> tuple[Cell, ...]:
        """All trainings of the study, each once."""
        protocols = self.uncertainty.protocols if self.uncertainty else {}
        repeats = [cell for protocol in protocols for cell in self.repeats(protocol)]
        reference = [self.sensitivity.cell] if self.sensitivity else []
        others = [cell for _, cell in self.sensitivity_cells]
        return tuple(dict.fromkeys([*self.grid, *repeats, *self.controls, *reference, *others]))

    def training(self, cell: Cell) -> Path:
        """Folder of the run of `cell`."""
        return self.runs(TRAINING) / cell.run

    def _changed(self, *names: str) -> str:
        """Folder's name for the changes among `names`; empty for none."""
        return slug({name: self.settings[name] for name in self.changes if name in names})

    def data(self, corpus: str) -> Path:
        """Folder of what is made of `corpus`, with clips.csv."""
        return in_workspace(Path("data") / self.base / corpus)

    def faces(self, corpus: str) -> Path:
        """Folder of the masked faces, with faces.csv."""
        return self.data(corpus) / self._changed(*FACES)

    def sequences(self, corpus: str) -> Path:
        """Folder of sequences.npy and sequences.csv."""
        return self.data(corpus) / self._changed(*FACES, *CUTS[corpus])

    def runs(self, notebook: str) -> Path:
        """Folder of the runs of `notebook`, e.g. ``05_training_grid``; trainings lie in the base study's."""
        owner = self.base if notebook == TRAINING else self.name
        return in_workspace(Path("papermill_runs") / owner / notebook)

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


def _check_settings(path: Path, own: dict[str, Any], others: dict[str, Any] | None = None) -> dict[str, Any]:
    """All settings, `own` before `others` or the stated ones, if `own` are known and of the assumption's kind."""
    stated = assumptions()
    settings = others or {name: assumption.value for name, assumption in stated.items()}
    settings = dict(settings)
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
        # a change is part of a folder's name
        if not all(re.fullmatch(r"[\w.-]*", v) for v in (value if kind is list else [value]) if isinstance(v, str)):
            problem = f"assumptions.{name} is {value!r}"
            raise InputProblem(path, problem, "use letters, digits, underscores, dots and hyphens")
        settings[name] = value
    if settings["frame_order"] not in FRAME_ORDERS:
        problem = f"assumptions.frame_order is {settings['frame_order']!r}"
        raise InputProblem(path, problem, f"take one of {', '.join(FRAME_ORDERS)}")
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
    lib.base.problems.InputProblem
        If the file is missing or not YAML, or holds an unknown key, a wrong type or a doubled cell.
    """
    path = config_file(study)
    content = _content(path)
    base = content["study"]
    if "extends" in content:
        shared = _content(config_file(content["extends"]))
        if "extends" in shared:
            raise InputProblem(path, f"extends {content['extends']}, which extends another", "extend that one")
        twice = sorted(set(content) & set(SHARED))
        if twice:
            raise InputProblem(path, f"{twice[0]} is that of the study which it extends", "delete it, or extend none")
        base = shared["study"]
        content = {**shared, **content}
    own = content.get("assumptions") or {}
    settings = _check_settings(path, own)
    grid = _cells(path, content["grid"], "the grid")
    corpora = {
        corpus: {**entry, "folder": in_workspace((folders or {}).get(corpus) or entry["folder"])}
        for corpus, entry in content["corpora"].items()
    }
    openface = content.get("openface_folder")
    if settings["face_backend"] == "openface" and not openface:
        raise InputProblem(path, "face_backend is openface without openface_folder", "add openface_folder")
    loaded = Study(
        name=content["study"],
        title=content["title"],
        config=path,
        corpora=corpora,
        render=content.get("render"),
        openface_folder=in_workspace(openface) if openface else None,
        settings=settings,
        own_settings=tuple(own),
        grid=grid,
        base=base,
        uncertainty=_uncertainty(path, content.get("uncertainty")),
        sensitivity=_sensitivity(path, content.get("sensitivity")),
    )
    _ = loaded.trainings  # which checks every change
    return loaded


def _content(path: Path) -> dict[str, Any]:
    """What the file `path` holds, checked against the schema."""
    content = _read(path)
    errors = sorted(jsonschema.Draft202012Validator(_read(CONFIG / "schema.yaml")).iter_errors(content), key=_where)
    if errors:
        problem = f"at {_where(errors[0])}: {errors[0].message}"
        raise InputProblem(path, problem, f"correct it by config/schema.yaml ({NUMBERS})")
    return content


def _cells(path: Path, entries: list[dict[str, Any]], where: str) -> tuple[Cell, ...]:
    cells = tuple(Cell(**entry) for entry in entries)
    if not all(math.isfinite(cell.learning_rate) for cell in cells):
        raise InputProblem(path, f"a learning rate of {where} is not a finite number", f"correct it ({NUMBERS})")
    runs = [cell.run for cell in cells]
    doubled = sorted({run for run in runs if runs.count(run) > 1})
    if doubled:
        raise InputProblem(path, f"{where} holds {', '.join(doubled)} twice", "delete one of them")
    return cells


def _uncertainty(path: Path, content: dict[str, Any] | None) -> Uncertainty | None:
    if content is None:
        return None
    cells = _cells(path, content["cells"], "uncertainty.cells")
    controls = dict(content.get("controls") or {})
    layers = controls.pop("layers", cells[0].layers)
    if layers not in [cell.layers for cell in cells]:
        raise InputProblem(path, f"uncertainty.controls names {layers} layers", "take those of a cell above it")
    most = max([*content["protocols"].values(), *controls.values()])
    if most > len(content["seeds"]):
        problem = f"uncertainty wants {most} seeds and names {len(content['seeds'])}"
        raise InputProblem(path, problem, "add seeds, or lower the number")
    return Uncertainty(cells, tuple(content["seeds"]), dict(content["protocols"]), controls, layers)


def _sensitivity(path: Path, content: dict[str, Any] | None) -> Sensitivity | None:
    if content is None:
        return None
    (cell,) = _cells(path, [content["cell"]], "sensitivity.cell")
    return Sensitivity(cell, tuple(content["changes"]), tuple(content["transfer_rules"]))
