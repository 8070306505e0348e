"""The paper's claims against trainings, by the rules and margins of ``paper/verdicts.yaml``, decided before any number.

A claim is *reproduced*, *not reproduced* or *cannot be tested*. A percentage is judged by its distance from the
paper's; that one thing exceeds others, by its lead over the next of them, whose 95 % interval must lie above 0.

A percentage is the mean over the seeds of a protocol, or that of one training; `lib.claims.shares` says what its
interval is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd

from lib.base.emotions import EMOTIONS
from lib.base.problems import InputProblem
from lib.claims.rulebook import Entry, Rulebook, read
from lib.claims.shares import Found, accuracies, confusions, find, lead, recalls, smallest_step
from lib.study import Study, paper, results
from lib.study.cells import Cell, spelled

VERDICTS = ("reproduced", "not reproduced", "cannot be tested")
COLUMNS = ["id", "claims", "rule", "statement", "paper", "ours", "low", "high", "difference", "margin"]
COLUMNS += ["verdict", "close", "reason"]


class Lacking(Exception):
    """What a study would need for a claim to be tested."""


class Runs:
    """A study's trainings and what they predicted, each read once."""

    def __init__(self, study: Study):
        self.study = study
        self.repeats = cache(study.repeats)
        self.predictions = cache(self._predictions)

    def _predictions(self, cell: Cell, part: str) -> pd.DataFrame:
        return results.predictions(self.study, cell, part).sort_values("sequence", ignore_index=True)

    def done(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """`cells`, whose trainings are done."""
        missing = [cell.run for cell in cells if not (self.study.training(cell) / "metrics.json").exists()]
        if missing:
            raise Lacking(f"not done: {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""))
        return cells


@dataclass(frozen=True)
class Judged:
    """What becomes of a claim; `off` is the distance that counts against a margin, NaN for a lead."""

    found: Found
    reproduced: bool
    reason: str
    off: float = np.nan


# Which trainings


def _in_grid(runs: Runs, layers: int, learning_rate: float, epochs: int) -> Cell:
    """The cell of the grid in the place of that row of Table 1: the sample's 20 and 30 epochs for 50 and 75."""
    rows = paper.table("table1").query("layers == @layers and learning_rate == @learning_rate")
    alike = [cell for cell in runs.study.grid if (cell.layers, cell.learning_rate) == (layers, learning_rate)]
    if len(alike) != len(rows):
        stated = f"{len(rows)} trainings of {layers} layers at {spelled(learning_rate)}"
        raise Lacking(f"Table 1 has {stated}, the study's grid {len(alike)}")
    return sorted(alike, key=lambda cell: cell.epochs)[sorted(rows["epochs"]).index(epochs)]


def _repeats(runs: Runs, layers: int, entry: Entry) -> Sequence[Cell]:
    """The network's training under every seed of the entry's protocol."""
    planned = runs.study.uncertainty.cells if runs.study.uncertainty else ()
    plan = next((cell for cell in planned if cell.layers == layers), None)
    if plan is None:
        raise Lacking(f"the study repeats no training of {layers} layers with other seeds")
    same = (plan.layers, plan.learning_rate, plan.epochs)
    cells = [c for c in runs.repeats(entry.protocol) if (c.layers, c.learning_rate, c.epochs) == same]
    if len(cells) < entry.seeds:
        raise Lacking(f"it takes {entry.seeds} seeds under protocol {entry.protocol}, the study has {len(cells)}")
    return runs.done(cells)


def _trainings(runs: Runs, entry: Entry) -> list[tuple[Cell, ...]]:
    """For each seed the trainings of the entry's networks, in their order."""
    if entry.row is not None:
        if runs.study.settings["split_protocol"] != entry.protocol:
            raise Lacking(f"the study's grid is not under protocol {entry.protocol}")
        return [tuple(runs.done([_in_grid(runs, layers, **entry.row) for layers in entry.networks]))]
    networks = entry.networks
    if networks == ["best"]:
        networks = [max((5, 6, 7), key=lambda layers: _tested(runs, _repeats(runs, layers, entry)))]
    return list(zip(*(_repeats(runs, layers, entry) for layers in networks), strict=True))


def _tested(runs: Runs, cells: Sequence[Cell]) -> float:
    return results.measures(runs.study, cells)["test_accuracy"].mean()


def _compared(runs: Runs, cells: Sequence[Cell], part: str) -> list[pd.DataFrame]:
    """Predictions of several trainings on the same sequences."""
    tables = [runs.predictions(cell, part) for cell in cells]
    keys = ["sequence", "actor", "emotion"]
    for cell, table in zip(cells, tables, strict=True):
        if not table[keys].equals(tables[0][keys]):
            problem = f"was not tested on the sequences of {cells[0].run}"
            raise InputProblem(runs.study.training(cell), problem, "delete both runs and run the study again")
    return tables


# Verdicts


def _by_margin(entry: Entry, found: Found, cell: Cell, off: float, side: str) -> Judged:
    within = off <= entry.margin
    network = replace(cell, changes=()).label
    distance = f"{abs(_points(entry, found)):.2f} points {'below' if found.ours < entry.paper else 'above'}"
    said = f"{'at most' if within else 'more than'} {entry.margin:g} {side}"
    words = f"{network}: {found.words('%', entry.protocol)}, {distance} the paper's {entry.paper:g} %: {said}"
    return Judged(found, within, words, off)


def _by_lead(entry: Entry, found: Found, words: str) -> Judged:
    if np.isnan(found.low):
        raise Lacking("there are too few actors for the interval of a lead")
    place = "lies above 0" if found.low > 0 else "lies below 0" if found.high < 0 else "holds 0"
    return Judged(found, found.low > 0, f"{words}; lead {found.words('points', entry.protocol)}: its interval {place}")


def _points(entry: Entry, found: Found) -> float:
    """Ours less the paper's, without the noise of binary fractions."""
    return round(found.ours - entry.paper, 9)


def _figure(runs: Runs, entry: Entry) -> tuple[Found, Cell]:
    """The entry's accuracy or recall, and the network."""
    cells = [cell for (cell,) in _trainings(runs, entry)]
    tables = [runs.predictions(cell, entry.part) for cell in cells]
    counts = [recalls(t, entry.emotions) if entry.measure == "recall" else accuracies([t]) for t in tables]
    found = find(counts, lambda shares: shares[0])
    if np.isnan(found.ours):
        raise Lacking("no sequence shows the emotion")
    return found, cells[0]


def value(runs: Runs, entry: Entry) -> Judged:
    """Ours is at most the margin from the paper's."""
    found, cell = _figure(runs, entry)
    return _by_margin(entry, found, cell, abs(_points(entry, found)), "away")


def below(runs: Runs, entry: Entry) -> Judged:
    """Ours is at most the margin below the paper's: the accuracy holds."""
    found, cell = _figure(runs, entry)
    return _by_margin(entry, found, cell, max(0.0, -_points(entry, found)), "below")


def order(runs: Runs, entry: Entry) -> Judged:
    """Each network is better than the next on the same sequences; the smallest lead counts."""
    seeds = [accuracies(_compared(runs, cells, entry.part)) for cells in _trainings(runs, entry)]
    found = find(seeds, smallest_step)
    named = zip(entry.networks, found.shares, strict=True)
    words = ", ".join(f"{layers}-layer {share:.2f} %" for layers, share in named)
    return _by_lead(entry, found, words)


def _by_recall(runs: Runs, entry: Entry, sign: int) -> Judged:
    tables = [runs.predictions(cell, entry.part) for (cell,) in _trainings(runs, entry)]
    named = [EMOTIONS.index(emotion) for emotion in entry.emotions]
    found = find([recalls(table, EMOTIONS) for table in tables], lead(named, sign))
    ordered = found.shares.sort_values(ascending=sign < 0)
    words = "recalls " + ", ".join(f"{emotion} {share:.1f}" for emotion, share in ordered.items())
    return _by_lead(entry, found, words)


def hardest(runs: Runs, entry: Entry) -> Judged:
    """The recalls of the entry's emotions are the lowest."""
    return _by_recall(runs, entry, -1)


def easiest(runs: Runs, entry: Entry) -> Judged:
    """The recalls of the entry's emotions are the highest."""
    return _by_recall(runs, entry, 1)


def confusion(runs: Runs, entry: Entry) -> Judged:
    """The entry's [true, taken for] is the most frequent confusion, of all or of the true emotion."""
    true = EMOTIONS if entry.among == "all" else entry.emotions[:1]
    tables = [runs.predictions(cell, entry.part) for (cell,) in _trainings(runs, entry)]
    counts = [confusions(table, true) for table in tables]
    named = " for ".join(entry.emotions)
    found = find(counts, lead([list(counts[0][0]).index(named)]))
    first = found.shares.idxmax()
    words = f"most often {first}, {found.shares[first]:.2f} %"
    words += f", {named} {found.shares[named]:.2f} %" if first != named else ""
    return _by_lead(entry, found, words)


def best_cell(runs: Runs, entry: Entry) -> Judged:
    """The entry's row is the best of all rows of Table 1, on the same sequences."""
    ((cell,),) = _trainings(runs, entry)
    rows = paper.table("table1")[["layers", "learning_rate", "epochs"]].itertuples(index=False)
    cells = [cell, *(other for other in (_in_grid(runs, *row) for row in rows) if other != cell)]
    found = find([accuracies(_compared(runs, runs.done(cells), entry.part))], lead([0]))
    best = found.shares.idxmax()
    words = f"the best is {cells[best].label} with {found.shares[best]:.2f} %"
    words += f", {cell.label} has {found.shares[0]:.2f} %" if best else ""
    return _by_lead(entry, found, words)


def untestable(runs: Runs, entry: Entry) -> Judged:
    """No training can settle it."""
    raise Lacking(entry.why)


RULES = {rule.__name__: rule for rule in (value, below, order, hardest, easiest, confusion, best_cell, untestable)}


def judge(study: Study, rulebook: Rulebook | None = None) -> pd.DataFrame:
    """Judge every claim of ``paper/verdicts.yaml`` by the study's trainings.

    Parameters
    ----------
    rulebook
        Another one than that of `read`.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, a row a claim in the order of the file. ``paper, ours, low, high`` are percent, or the lead in
        points; ``difference`` (ours less the paper's) and ``margin`` are points; ``verdict`` is one of `VERDICTS`;
        ``close`` says that it is reproduced within the smaller margin; a number that there is not is NaN.

    Raises
    ------
    lib.base.problems.InputProblem
        If a finished training is damaged. One that is not done only leaves its claims untested.
    """
    rulebook, runs = rulebook or read(), Runs(study)
    rows = []
    for entry in rulebook.entries:
        row = {"id": entry.id, "claims": ", ".join(entry.claims), "rule": entry.rule, "statement": entry.statement}
        row |= {"paper": entry.paper, "margin": entry.margin, "verdict": "cannot be tested", "close": False}
        try:
            judged = RULES[entry.rule](runs, entry)
        except Lacking as lacking:
            row["reason"] = str(lacking)
        else:
            found = judged.found
            row |= {"ours": found.ours, "low": found.low, "high": found.high, "difference": _points(entry, found)}
            row |= {"verdict": VERDICTS[0 if judged.reproduced else 1], "reason": judged.reason}
            row["close"] = judged.reproduced and judged.off <= rulebook.close
        rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)
