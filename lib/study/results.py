"""Read the results and predictions of a study's trainings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lib.base.checksums import verified
from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.base.paths import workspace
from lib.base.problems import InputProblem
from lib.base.tables import pd
from lib.study import Study
from lib.study.cells import Cell
from lib.study.metrics import read_metrics
from lib.study.reading import config_file

#: Columns of a table of predictions that describe the sequence.
SEQUENCE = ["sequence", "clip", "window", "actor", "sex", "level", "emotion"]

#: Columns that every table of predictions must have.
PREDICTED = ("emotion", "predicted", *PROBABILITIES)


def _folder(study: Study, run: Cell | Path) -> Path:
    return study.training(run) if isinstance(run, Cell) else run


def run_metrics(study: Study, run: Cell | Path) -> dict[str, Any]:
    """The metrics.json of `run`, a cell of `study` or a folder.

    Raises
    ------
    lib.base.problems.InputProblem
        If the run is not done or damaged, or has other numerics than the study: they are not mixed.
    """
    folder = _folder(study, run)
    metrics = read_metrics(folder)
    if (numerics := metrics.get("numerics", study.numerics)) != study.numerics:
        problem = f"was trained with numerics: {numerics}, but the study has numerics: {study.numerics}"
        raise InputProblem(folder / "metrics.json", problem, "run the study again")
    return metrics


def measures(study: Study, cells: Iterable[Cell]) -> pd.DataFrame:
    """Table of the results of `cells`, one row per cell in their order.

    Returns
    -------
    pandas.DataFrame
        ``run, layers, learning_rate, epochs, protocol, seed, frame_order``, then every number of the run's
        metrics.json, accuracies as fractions.
    """
    rows = []
    for cell in cells:
        settings = study.settings | cell.changed
        row = {"run": cell.run, "layers": cell.layers, "learning_rate": cell.learning_rate, "epochs": cell.epochs}
        row |= {"protocol": settings["split_protocol"], "seed": settings["seed"]}
        row |= {"frame_order": settings["frame_order"]}
        metrics = run_metrics(study, cell)
        rows.append(row | {name: value for name, value in metrics.items() if isinstance(value, int | float)})
    return pd.DataFrame(rows)


def _read(study: Study, run: Cell | Path, name: str, *columns: str) -> pd.DataFrame:
    """The table `name` of a run; InputProblem if it is missing or damaged, or lacks one of `columns`."""
    path = _folder(study, run) / name
    if (path.parent / "metrics.json").exists():
        run_metrics(study, run)
    try:
        table = pd.read_csv(verified(path), dtype={"clip": str, "level": str})
    except FileNotFoundError:
        raise InputProblem(path, "is not there: the run is not done", remedy(study)) from None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputProblem(path, f"cannot be read ({reason})", "delete the run and train again") from None
    if missing := [column for column in columns if column not in table]:
        raise InputProblem(path, f"has no column {missing[0]}", "delete the run and train again")
    return table


def tabulated(sequences: pd.DataFrame, probabilities: np.ndarray, by: np.ndarray | None = None) -> pd.DataFrame:
    """Table of predictions as `predictions` reads it.

    Parameters
    ----------
    sequences
        Rows of the table of sequences.csv.
    probabilities
        Their probabilities in the order of ``EMOTIONS``, float (n, 6); the table has six decimals.
    by
        The emotion with the highest value of `by` is predicted; by default the one with the highest probability.
    """
    table = sequences[SEQUENCE].reset_index(drop=True)
    table["predicted"] = np.array(EMOTIONS)[(probabilities if by is None else by).argmax(axis=1)]
    return table.join(pd.DataFrame(probabilities, columns=PROBABILITIES).round(6))


def predictions(study: Study, run: Cell | Path, part: str = "test") -> pd.DataFrame:
    """Predictions of `run` on the ``validation`` or ``test`` part, or on the second corpus (``transfer``).

    Returns
    -------
    pandas.DataFrame
        One row per sequence: ``sequence, clip, window, actor, sex, level, emotion, predicted`` and the
        probabilities ``p_angry`` to ``p_sad``.
    """
    if part == "transfer":
        return _read(study, run, "transfer_predictions.csv", *PREDICTED)
    table = _read(study, run, "predictions.csv", "part", *PREDICTED)
    return table[table["part"] == part].drop(columns="part").reset_index(drop=True)


def history(study: Study, run: Cell | Path) -> pd.DataFrame:
    """Table of the epochs of `run`, see `lib.training.loop.train`."""
    return _read(study, run, "history.csv")


def transfer_predictions(study: Study, cell: Cell, rule: str) -> pd.DataFrame:
    """Predictions of `cell` on the second corpus' windows by `rule`; with ``windows`` several rows per clip."""
    if rule == study.settings["transfer_window_rule"]:
        return predictions(study, cell, "transfer")
    return _read(study, cell, f"transfer_predictions_{rule}.csv")


def saved_table(study: Study, name: str, of: str = "", below: Path | None = None) -> pd.DataFrame:
    """The table ``tables/<study>/<name>.csv`` that a notebook saved, or that of the study `of`.

    It is read from the workspace, or from the folder `below` (the checkout, for what is committed there).

    Raises
    ------
    lib.base.problems.InputProblem
        If it is not there.
    """
    path = (below or workspace()) / f"tables/{of or study.name}/{name}.csv"
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise InputProblem(path, "is not there", remedy(study)) from None


def remedy(study: Study) -> str:
    """What to do about a missing file: the command that runs the study."""
    if study.config != config_file(study.name):  # a file of the user's
        return f"run `make reproduce STUDY={study.config}` first"
    if study.name in ("paper", "paper-full", "paper-try", "twin", "twin-pilot", "twin-try"):
        return f"run `make {study.name}` first"
    return f"run `make reproduce STUDY={study.name}` first"


def averaged(predictions: pd.DataFrame) -> pd.DataFrame:
    """One row per clip, in the order of the clips: mean probabilities over its windows, and the emotion they give."""
    means = predictions.groupby("clip", sort=False)[PROBABILITIES].mean().round(6).reset_index()
    table = predictions.drop_duplicates("clip").drop(columns=PROBABILITIES).merge(means, on="clip", validate="1:1")
    table["predicted"] = np.array(EMOTIONS)[table[PROBABILITIES].to_numpy().argmax(axis=1)]
    return table.reset_index(drop=True)
