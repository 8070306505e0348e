"""Percentages of predictions, their mean over seeds, and the lead of one over others, with intervals over actors.

The interval is a bootstrap over actors (`lib.measures.uncertainty.over_actors`) of the sequences of all seeds together,
each seed weighing the same: it tells how sure a figure is for other actors, not what further seeds would give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.base.emotions import EMOTIONS
from lib.measures.uncertainty import over_actors

#: For one seed ``part`` and ``whole``: a row a sequence, indexed by actor, a column a percentage.
Counts = tuple[pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True)
class Found:
    """A figure (percent, or a lead in points) with its 95 % interval over actors.

    Attributes
    ----------
    low, high
        NaN where there are too few actors.
    by_seed
        The figure of each seed alone.
    sequences
        Sequences that each seed's figure counts.
    shares
        The percentages of which it was made, mean over seeds, by the columns of the counts.
    """

    ours: float
    low: float
    high: float
    by_seed: pd.Series
    sequences: tuple[int, ...]
    shares: pd.Series

    def words(self, unit: str, protocol: str) -> str:
        """The figure and what it stands on."""
        interval = "no interval" if np.isnan(self.low) else f"95 % interval {self.low:.2f} to {self.high:.2f}"
        few, many = min(self.sequences), max(self.sequences)
        count = f"{few:,}" if few == many else f"{few:,} to {many:,}"
        basis = f"n = {count}, one training"
        if len(self.by_seed) > 1:
            seeds = f"{len(self.by_seed)} seeds from {self.by_seed.min():.2f} to {self.by_seed.max():.2f}"
            basis = f"n = {count} a seed, {seeds}"
        return f"{self.ours:.2f} {unit} ({interval}, {basis}, protocol {protocol})"


def _counts(part: dict, whole: dict, actors: pd.Series) -> Counts:
    return tuple(pd.DataFrame(columns).astype(float).set_axis(actors) for columns in (part, whole))


def accuracies(tables: list[pd.DataFrame]) -> Counts:
    """A column a table of predictions: the right ones among all sequences, which are the same in all tables."""
    right = {i: table["predicted"] == table["emotion"] for i, table in enumerate(tables)}
    return _counts(right, {i: right[0] | True for i in right}, tables[0]["actor"])


def recalls(table: pd.DataFrame, emotions: Sequence[str]) -> Counts:
    """A column an emotion: the right ones among its sequences."""
    whole = {emotion: table["emotion"] == emotion for emotion in emotions}
    return _counts({e: whole[e] & (table["predicted"] == e) for e in emotions}, whole, table["actor"])


def confusions(table: pd.DataFrame, true: Sequence[str]) -> Counts:
    """A column a confusion, ``sad for fear``: so many among the sequences of the emotions `true`."""
    table = table[table["emotion"].isin(true)]
    said = table["emotion"] + " for " + table["predicted"]
    part = {f"{a} for {b}": said == f"{a} for {b}" for a in true for b in EMOTIONS if a != b}
    return _counts(part, {name: said != "" for name in part}, table["actor"])


def find(seeds: list[Counts], figure: Callable[[np.ndarray], np.ndarray]) -> Found:
    """A figure of percentages, mean over the seeds, with its interval.

    Parameters
    ----------
    seeds
        The counts of each seed, all with the same columns.
    figure
        Turns percentages, an array of shape (columns, ...), into one of shape (...).
    """
    alone = [100 * part.sum() / whole.sum() for part, whole in seeds]
    # a sequence weighs so that each seed counts the same: the ratio of all sums is the mean over the seeds
    weighed = [pd.concat([a / whole.sum(), whole / whole.sum()], axis=1, ignore_index=True) for a, whole in seeds]

    def statistic(*totals: np.ndarray) -> np.ndarray:
        part, whole = np.split(np.stack(totals), 2)
        with np.errstate(invalid="ignore"):
            return figure(100 * part / whole)

    limits = over_actors(pd.concat(weighed).groupby(level="actor").sum(), statistic)
    shares = pd.concat(alone, axis=1).mean(axis=1)
    # without the noise of binary fractions, by which a lead of nothing would lie above 0
    ours, low, high = (round(float(number), 9) for number in (figure(shares.to_numpy()), *limits))
    by_seed = pd.Series([float(figure(share.to_numpy())) for share in alone])
    return Found(ours, low, high, by_seed, tuple(int(whole.any(axis=1).sum()) for _, whole in seeds), shares)


def lead(named: list[int], sign: int = 1) -> Callable[[np.ndarray], np.ndarray]:
    """By how much the `named` columns exceed all others (`sign` 1), or fall below them (-1): a figure for `find`.

    A column without a sequence (an emotion that was not drawn) does not count.
    """

    def figure(shares: np.ndarray) -> np.ndarray:
        others = np.delete(sign * shares, named, axis=0)
        return np.fmin.reduce(sign * shares[named], axis=0) - np.fmax.reduce(others, axis=0)

    return figure


def smallest_step(shares: np.ndarray) -> np.ndarray:
    """By how much each column exceeds the next, at the least: a figure for `find`."""
    return (shares[:-1] - shares[1:]).min(axis=0)
