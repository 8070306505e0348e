"""The steps of a study in the order of the workflow, each given by the file that marks it as done."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lib.base.checksums import refuse_damaged, seal_of
from lib.base.paths import NOTEBOOKS, in_workspace
from lib.study.choices import OF_PAPER
from lib.study.study import TRAINING, Study


def stages(study: Study) -> list[list[Path]]:
    """The mark of every step of `study`, by stage. A step depends on earlier stages, or on the training it continues.

    The stages: clips, masked faces, sequences, trainings, predictions of other windows, notebooks that read, cards.
    """
    variants, others = study.variants, study.other_transfer_rules
    names = [path.stem for path in sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) if path.stem != TRAINING]
    # a notebook that was only opened leaves files as well: one of the paper in the study's folder is no step
    folders = [in_workspace(f"papermill_runs/paper/{n}") if n in OF_PAPER else study.runs(n) for n in names]
    return [
        [study.data(corpus) / "clips.csv" for corpus in study.corpora],
        _unique(variant.faces(corpus) / "faces.csv" for variant in variants for corpus in study.corpora),
        _unique(variant.sequences(corpus) / "sequences.csv" for variant in variants for corpus in study.corpora),
        [study.training(cell) / "metrics.json" for cell in study.trainings],
        [study.training(study.sensitivity.cell) / f"transfer_predictions_{rule}.csv" for rule in others]
        if study.sensitivity
        else [],
        [
            mark
            for folder in folders
            if (mark := folder / "default" / "metrics.json").exists() or seal_of(mark).exists()
        ],
        [in_workspace(f"cards/{study.name}/model_card.md")],
    ]


def finished(study: Study) -> bool:
    """Whether the study was run to its end once, so that all its steps were done."""
    return (study.runs("12_verdicts") / "default" / "metrics.json").exists()


def verify_results(study: Study) -> None:
    """Raise InputProblem if a file of the runs, notebooks or cards of `study` has changed since it was written."""
    for marks in stages(study)[3:]:
        for mark in marks:
            refuse_damaged(seal_of(mark))


def _unique(paths: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))
