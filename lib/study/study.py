"""A study is one file in ``config/``: its corpora, its assumptions, its trainings."""

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
from lib.study.choices import REHEARSAL
from lib.study.publication import assumptions
from lib.study.reading import checked_settings, config_file, content_of

TRAINING = "04_training_run"


#: Assumptions that decide the masked faces.
FACES = ("face_backend", "face_interpolation")

#: Entries that a study takes from the study that it extends.
SHARED = ("title", "corpora", "render", "openface_folder", "assumptions", "numerics")

#: Assumptions that are the same for all trainings of a study.
WHOLE = ("emotion_order", "window_frames", "transfer_modality", "leave_out", "selection")


@dataclass(frozen=True)
class Study:
    """A study as its file states it, checked.

    Attributes
    ----------
    name, title
        The study's name (also that of its folders), and a note that all its titles carry.
    config
        The file.
    corpora
        ``{"cremad": {"name": ..., "folder": ...}, "ravdess": ...}``, the one for training first; folders are absolute;
        ``actors``, if given, is the number of actors used, from the first.
    render
        What to render, or None if the corpora are real.
    openface_folder
        Folder of OpenFace's output, or None.
    settings
        The value of every assumption: from the study's file, else from ``paper/assumptions.yaml``.
    own_settings
        Names of the assumptions that the study's file sets.
    grid
        The cells, in the order of Table 1.
    numerics
        Of the trainings: ``portable`` (the same bytes on every x86-64 processor with AVX2) or ``native``.
    base
        Name of the study whose data and trainings it uses; its own name unless its file ``extends`` another.
    uncertainty, sensitivity
        The trainings of notebooks 10 and 11, or None.
    changes
        Names of the assumptions that `changed` has changed.
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
        """Return the study with other assumptions.

        Raises
        ------
        lib.base.problems.InputProblem
            If an assumption is unknown, of a wrong type, or one of `WHOLE`.
        """
        whole = [name for name in changes if name in WHOLE]
        if whole:
            problem = f"{whole[0]} cannot be changed for a single training"
            raise InputProblem(self.config, problem, "make a study of its own")
        settings = self.settings | checked_settings(self.config, dict(changes), self.settings)
        names = tuple(sorted({*self.changes, *(n for n in changes if settings[n] != self.settings[n])}))
        return replace(self, settings=settings, changes=names)

    def trained(self, cell: Cell, changes: Mapping[str, Any]) -> Cell:
        """`cell` with `changes` added, without those that equal the study's settings: so equal trainings are equal."""
        changed = self.changed({**cell.changed, **changes})
        return replace(cell, changes=tuple((name, changed.settings[name]) for name in changed.changes))

    def repeats(self, protocol: str) -> tuple[Cell, ...]:
        """The networks of notebook 10 under every seed of `protocol`; empty if the study has none."""
        if self.uncertainty is None:
            return ()
        seeds = self.uncertainty.seeds[: self.uncertainty.protocols.get(protocol, 0)]
        change = [{"split_protocol": protocol, "seed": seed} for seed in seeds]
        return tuple(self.trained(cell, c) for c in change for cell in self.uncertainty.networks(protocol))

    @property
    def grid_repeats(self) -> tuple[Cell, ...]:
        """Every row of the grid under the first seeds, protocol ``random``; needed to judge the order of the rows."""
        if (repeats := self.uncertainty) is None:
            return ()
        change = [{"split_protocol": "random", "seed": seed} for seed in repeats.seeds[: repeats.grid]]
        return tuple(self.trained(cell, c) for c in change for cell in self.grid)

    @property
    def controls(self) -> tuple[Cell, ...]:
        """Trainings on reordered frames, under the protocol ``random``."""
        if (repeats := self.uncertainty) is None:
            return ()
        cells = [cell for cell in repeats.cells if cell.layers == repeats.control_layers]
        return tuple(
            self.trained(cell, {"split_protocol": "random", "frame_order": order, "seed": seed})
            for order, number in repeats.controls.items()
            for seed in repeats.seeds[:number]
            for cell in cells
        )

    @property
    def sensitivity_cells(self) -> tuple[tuple[dict[str, Any], Cell], ...]:
        """Each change of notebook 11, with its training."""
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

    @property
    def other_transfer_rules(self) -> tuple[str, ...]:
        """Window rules of notebook 11 for the second corpus, without the study's own."""
        rules = self.sensitivity.transfer_rules if self.sensitivity else ()
        return tuple(rule for rule in rules if rule != self.settings["transfer_window_rule"])

    @property
    def not_asked(self) -> tuple[str, ...]:
        """Notebooks that say nothing about this study."""
        both_splits = self.repeats("random") and self.repeats("actor")
        twin = self.render and self.render[self.training_corpus]["clips"] == "recorded"
        rates = {cell.learning_rate for cell in self.grid}
        asked = {
            "10_uncertainty": self.uncertainty,
            "11_sensitivity": self.sensitivity,
            REHEARSAL: twin and self.uncertainty and len(rates) > 1,
            "14_own_video": self.settings["frame_order"] == "filmed",  # no video has its frames in another order
            "15_where_it_looks": self.render and both_splits,  # of a filmed face nobody knows the muscles
        }
        return tuple(notebook for notebook, wanted in asked.items() if not wanted)

    @property
    def variants(self) -> tuple[Study, ...]:
        """The study, and it with what each training and each other window rule changes: all its faces and sequences."""
        changes = [cell.changed for cell in self.trainings]
        changes += [{"transfer_window_rule": rule} for rule in self.other_transfer_rules]
        return (self, *map(self.changed, changes))

    def training(self, cell: Cell) -> Path:
        """Folder of the run of `cell`."""
        return self.runs(TRAINING) / cell.run

    def _changed(self, *names: str) -> str:
        """Name of the folder for the changes among `names`; empty for none."""
        return slug({name: self.settings[name] for name in self.changes if name in names})

    @property
    def training_corpus(self) -> str:
        """The corpus that networks are trained on."""
        return next(iter(self.corpora))

    @property
    def transfer_corpus(self) -> str:
        """The corpus that networks are only tested on."""
        return list(self.corpora)[-1]

    def rendering(self, corpus: str) -> dict[str, Any] | None:
        """``actors``, ``clips`` and ``seed`` of the rendered `corpus`, or None if it is real."""
        return None if self.render is None else {**self.render[corpus], "seed": self.render["seed"]}

    def data(self, corpus: str) -> Path:
        """Folder of the files made from `corpus`, with clips.csv."""
        return in_workspace(Path("data") / self.base / corpus)

    def faces(self, corpus: str) -> Path:
        """Folder of the masked faces, with faces.csv."""
        return self.data(corpus) / self._changed(*FACES)

    def sequences(self, corpus: str) -> Path:
        """Folder of sequences.npy and sequences.csv."""
        return self.data(corpus) / self._changed(*FACES, *CORPORA[corpus].cuts)

    def runs(self, notebook: str) -> Path:
        """Folder of the runs of `notebook`, e.g. ``05_training_grid``; trainings are in the base study's folder."""
        owner = self.base if notebook == TRAINING else self.name
        return in_workspace(Path("papermill_runs") / owner / notebook)

    def name_of(self, corpus: str) -> str:
        """Name of `corpus` in figures and tables, e.g. ``synthetic CREMA-D``."""
        return self.corpora[corpus]["name"]


def load(study: str | os.PathLike, folders: Mapping[str, str | os.PathLike | None] | None = None) -> Study:
    """Read and check a study.

    Parameters
    ----------
    study
        Name of a file in ``config/`` without suffix, or the path of a ``.yaml`` file.
    folders
        Folders of the corpora, by corpus, in place of those in the file.

    Raises
    ------
    lib.base.problems.InputProblem
        If the file is missing or not YAML, or has an unknown key, a wrong type or the same cell twice.
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
    """The study's corpora, the one for training first; InputProblem unless there is one for each role."""
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
