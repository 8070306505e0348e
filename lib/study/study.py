"""A study is one file in ``config/``: which corpora, which assumptions, which cells of the grid."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lib.base.paths import in_workspace
from lib.base.problems import InputProblem
from lib.corpora.corpus import ROLES
from lib.corpora.registry import CORPORA
from lib.study import plans
from lib.study.cells import Cell, Sensitivity, Uncertainty, slug
from lib.study.paper import assumptions
from lib.study.reading import checked_settings, config_file, content_of

TRAINING = "04_training_run"


#: Assumptions that decide the masked faces.
FACES = ("face_backend", "face_interpolation")

#: What a study that extends another has from it.
SHARED = ("title", "corpora", "render", "openface_folder", "assumptions", "numerics")

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
        ``{"cremad": {"name": ..., "folder": ...}, "ravdess": ...}``, the one for training first; folders are absolute,
        ``actors`` limits them to the first so many.
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
    numerics
        ``portable`` (the same bytes on every x86-64 processor with AVX2) or ``native``, of the trainings.
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
    numerics: str = "portable"
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
        settings = self.settings | checked_settings(self.config, dict(changes), self.settings)
        names = tuple(sorted({*self.changes, *(n for n in changes if settings[n] != self.settings[n])}))
        return replace(self, settings=settings, changes=names)

    def trained(self, cell: Cell, changes: Mapping[str, Any]) -> Cell:
        """`cell` with `changes` beside its own, less those that the study has anyway: equal trainings are equal."""
        changed = self.changed({**cell.changed, **changes})
        return replace(cell, changes=tuple((name, changed.settings[name]) for name in changed.changes))

    def repeats(self, protocol: str) -> tuple[Cell, ...]:
        """The networks of notebook 10 under every seed of `protocol`; none if the study has no such runs."""
        if self.uncertainty is None:
            return ()
        seeds = self.uncertainty.seeds[: self.uncertainty.protocols.get(protocol, 0)]
        change = [{"split_protocol": protocol, "seed": seed} for seed in seeds]
        return tuple(self.trained(cell, c) for c in change for cell in self.uncertainty.networks(protocol))

    @property
    def grid_repeats(self) -> tuple[Cell, ...]:
        """Every row of the grid under the first seeds, protocol ``paper``: only so can the order of rows be judged."""
        plan = self.uncertainty
        if plan is None:
            return ()
        change = [{"split_protocol": "paper", "seed": seed} for seed in plan.seeds[: plan.grid]]
        return tuple(self.trained(cell, c) for c in change for cell in self.grid)

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
        return tuple(dict.fromkeys([*self.grid, *repeats, *self.grid_repeats, *self.controls, *reference, *others]))

    def training(self, cell: Cell) -> Path:
        """Folder of the run of `cell`."""
        return self.runs(TRAINING) / cell.run

    def _changed(self, *names: str) -> str:
        """Folder's name for the changes among `names`; empty for none."""
        return slug({name: self.settings[name] for name in self.changes if name in names})

    @property
    def training_corpus(self) -> str:
        """The corpus that networks are trained on."""
        return next(iter(self.corpora))

    @property
    def transfer_corpus(self) -> str:
        """The corpus that they are only tested on."""
        return list(self.corpora)[-1]

    def rendering(self, corpus: str) -> dict[str, Any] | None:
        """``actors``, ``clips`` and ``seed`` of the synthetic `corpus`, or None where it is real."""
        return None if self.render is None else {**self.render[corpus], "seed": self.render["seed"]}

    def data(self, corpus: str) -> Path:
        """Folder of what is made of `corpus`, with clips.csv."""
        return in_workspace(Path("data") / self.base / corpus)

    def faces(self, corpus: str) -> Path:
        """Folder of the masked faces, with faces.csv."""
        return self.data(corpus) / self._changed(*FACES)

    def sequences(self, corpus: str) -> Path:
        """Folder of sequences.npy and sequences.csv."""
        return self.data(corpus) / self._changed(*FACES, *CORPORA[corpus].cuts)

    def runs(self, notebook: str) -> Path:
        """Folder of the runs of `notebook`, e.g. ``05_training_grid``; trainings lie in the base study's."""
        owner = self.base if notebook == TRAINING else self.name
        return in_workspace(Path("papermill_runs") / owner / notebook)

    def name_of(self, corpus: str) -> str:
        """`corpus` as figures and tables call it, e.g. ``synthetic CREMA-D``."""
        return self.corpora[corpus]["name"]


def load(study: str | os.PathLike, folders: Mapping[str, str | os.PathLike | None] | None = None) -> Study:
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
    content = content_of(path)
    base = content["study"]
    if "extends" in content:
        shared = content_of(config_file(content["extends"]))
        if "extends" in shared:
            raise InputProblem(path, f"extends {content['extends']}, which extends another", "extend that one")
        twice = sorted(set(content) & set(SHARED))
        if twice:
            raise InputProblem(path, f"{twice[0]} is that of the study which it extends", "delete it, or extend none")
        base = shared["study"]
        content = {**shared, **content}
    own = content.get("assumptions") or {}
    settings = checked_settings(path, own, {name: assumption.value for name, assumption in assumptions().items()})
    grid = plans.cells(path, content["grid"], "the grid")
    corpora = {
        corpus: {**entry, "folder": in_workspace((folders or {}).get(corpus) or entry["folder"])}
        for corpus, entry in _by_role(path, content).items()
    }
    openface = content.get("openface_folder")
    if settings["face_backend"] == "openface" and not openface:
        raise InputProblem(path, "face_backend is openface without openface_folder", "add openface_folder")
    numerics = content.get("numerics", "portable")
    if settings["precision"] != "float32" and numerics == "portable":
        problem = f"has the precision {settings['precision']}, for which there are no portable kernels"
        raise InputProblem(path, problem, "add numerics: native, or take float32")
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
        numerics=numerics,
        uncertainty=plans.uncertainty(path, content.get("uncertainty")),
        sensitivity=plans.sensitivity(path, content.get("sensitivity")),
    )
    _ = loaded.trainings  # which checks every change
    return loaded


def _by_role(path: Path, content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The study's corpora, the one for training first; InputProblem unless it has one for each role."""
    corpora, rendered = content["corpora"], set(content.get("render") or content["corpora"]) - {"seed"}
    unknown = sorted((set(corpora) | rendered) - set(CORPORA))
    if unknown:
        raise InputProblem(path, f"names the corpus {unknown[0]}, which is unknown", f"name {' and '.join(CORPORA)}")
    by_role = {role: [corpus for corpus in corpora if CORPORA[corpus].role == role] for role in ROLES}
    for role, named in by_role.items():
        if len(named) != 1:
            problem = f"must name one corpus for {role}, and names {' and '.join(named) or 'none'}"
            known = [name for name, corpus in CORPORA.items() if corpus.role == role]
            raise InputProblem(path, problem, f"name one of {', '.join(known)}")
    if rendered != set(corpora):
        raise InputProblem(path, "renders other corpora than it names", "correct corpora or render")
    return {named: corpora[named] for (named,) in by_role.values()}
