"""Uncertainty of a network's results: intervals over actors and seeds, paired tests, calibration, accuracy by group.

The functions read tables of predictions as notebook 04 writes them: one row per sequence with ``sequence, clip, window,
actor, sex, level, emotion, predicted`` and the probabilities ``p_angry`` to ``p_sad``, of one part.

A table may have the predictions of several seeds, one after another, with a column ``seed``. Then a figure is the mean
over the seeds, and its interval is over actors and seeds (`lib.measures.intervals`). The interval of a single seed is
over actors only: it does not include the variation between seeds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binned_statistic
from statsmodels.stats.contingency_tables import mcnemar

from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.measures.evaluation import wilson
from lib.measures.intervals import Estimate, count, estimate, gap, share

#: Bins of the confidence, of equal width, as in Guo et al. 2017.
BINS = 15

#: Measures that `interval` can compute.
MEASURES = ("accuracy", "uar")


def over_actors(columns: pd.DataFrame | np.ndarray, actors: pd.Series | np.ndarray) -> tuple[float, float]:
    """95 % interval over actors (`lib.measures.intervals.estimate`) of the first column's total by the second's.

    Parameters
    ----------
    columns
        Two columns of numbers that add up, e.g. right answers and all answers of a clip.
    actors
        The actor of each row.

    Returns
    -------
    (low, high)
        NaN if there are fewer than two actors, or if the ratio is undefined without one of them.
    """
    return _limits(estimate(count([np.asarray(actors)], [np.asarray(columns, float)]), share))


def mean_interval(values: np.ndarray, units: np.ndarray | None = None) -> tuple[float, float, float]:
    """Mean of `values` and its 95 % interval over `units`; NaN without an interval.

    Parameters
    ----------
    values
        Float (n,).
    units
        The independent unit of each value: of a sequence its actor, since sequences of one actor are alike. By default
        each value is a unit, e.g. one per network.
    """
    values = np.asarray(values, float)
    columns = np.column_stack([values, np.ones(len(values))])
    return float(values.mean()), *over_actors(columns, np.arange(len(values)) if units is None else units)


def accuracy_interval(predictions: pd.DataFrame, truth: str = "emotion") -> tuple[float, float, float]:
    """Share of predictions that equal the column `truth`, and its 95 % interval over actors."""
    right = predictions["predicted"] == predictions[truth]
    return float(right.mean()), *interval(predictions.assign(emotion=predictions[truth]))


def gain(first: pd.DataFrame, second: pd.DataFrame, truth: str = "emotion") -> tuple[float, float, float]:
    """Accuracy of `second` minus that of `first` on the same clips, in points, and its 95 % interval over actors.

    Raises
    ------
    ValueError
        If the clips are not the same.
    """
    if not first["clip"].equals(second["clip"]):
        raise ValueError("the two predictions are of other clips")
    right, before = ((table["predicted"] == table[truth]).astype(float) for table in (second, first))
    return mean_interval(100 * (right - before), first["actor"])


def _limits(estimated: Estimate, most: float = np.inf) -> tuple[float, float]:
    """The interval of the only figure; with `most` 1 (a share) it is cut at 0 and 1."""
    low, high = float(estimated.low[0]), float(estimated.high[0])
    return (low, high) if np.isinf(most) else (max(low, 0.0), min(high, most))


def _by_seed(predictions: pd.DataFrame, columns: dict[str, pd.Series]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Actors and `columns` of the sequences, an array each per seed, as `count` takes them."""
    table = pd.DataFrame(columns).astype(float).to_numpy()
    actors = predictions["actor"].to_numpy()
    seed = predictions["seed"].to_numpy() if "seed" in predictions else np.zeros(len(predictions))
    of_seed = [seed == value for value in np.unique(seed)]
    return [actors[rows] for rows in of_seed], [table[rows] for rows in of_seed]


def _counted(predictions: pd.DataFrame, columns: dict[str, pd.Series]) -> np.ndarray:
    """Sums of `columns` by seed and actor, float64 (seeds, actors, columns)."""
    return count(*_by_seed(predictions, columns))


def _mean_recall(totals: np.ndarray) -> np.ndarray:
    """UAR from six columns of right and six of all sequences; emotions without a sequence are left out."""
    right, whole = np.split(totals, 2, axis=-1)
    seen = whole > 0
    return (np.divide(right, whole, where=seen, out=np.zeros_like(right)).sum(-1) / seen.sum(-1))[..., None]


def interval(predictions: pd.DataFrame, measure: str = "accuracy") -> tuple[float, float]:
    """95 % interval of the accuracy or the UAR (`lib.measures.evaluation`), over actors and, if several, seeds."""
    if measure not in MEASURES:
        raise ValueError(f"unknown measure {measure!r}; known are {', '.join(MEASURES)}")
    if measure == "accuracy":
        right = predictions["predicted"] == predictions["emotion"]
        return _limits(estimate(_counted(predictions, {"right": right, "all": right | True}), share), 1)
    shown = {emotion: predictions["emotion"] == emotion for emotion in EMOTIONS}
    right = {f"right_{emotion}": rows & (predictions["predicted"] == emotion) for emotion, rows in shown.items()}
    return _limits(estimate(_counted(predictions, right | shown), _mean_recall), 1)


def difference(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float]:
    """Accuracy on one set of sequences minus that on another, e.g. under two split protocols.

    For two networks on the same sequences, use `compare`, whose interval is narrower.

    Returns
    -------
    dict
        ``points`` (percentage points) with its 95 % interval ``low, high``: over the actors of both sets, and over
        seeds if both sets have several; the seeds of the two sets are taken as independent.
    """
    sides = []
    for table in (first, second):
        right = table["predicted"] == table["emotion"]
        sides.append(_by_seed(table, {"right": right, "all": right | True}))
    (actors, columns), (others, other_columns) = sides
    counts = count(actors + others, columns + other_columns)
    estimated = gap(counts[: len(actors)], counts[len(actors) :], lambda totals: 100 * share(totals))
    low, high = _limits(estimated)
    return {"points": float(estimated.value[0]), "low": low, "high": high}


def exact_mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p of the exact McNemar test (statsmodels), from the numbers that only one network gets right."""
    return float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue)


def compare(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float]:
    """Compare two networks' predictions of the same sequences.

    Returns
    -------
    dict
        ``points`` (accuracy of the first minus that of the second, in percentage points) with its 95 % interval
        ``low, high`` over actors and, if several, seeds; ``p`` of the t test that belongs to the interval;
        ``only_first``, ``only_second`` (numbers of sequences that only one of them gets right); ``mcnemar``, p of the
        exact McNemar test. That test takes sequences as independent, so it finds differences too easily. It is NaN for
        several seeds, where a sequence would count once for each seed that tests it.

    Raises
    ------
    ValueError
        If the sequences, or their actors or emotions, are not the same.
    """
    keys = ["sequence", "clip", "window", "actor", "emotion", *(["seed"] if "seed" in first else [])]
    both = first[[*keys, "predicted"]].merge(second[[*keys, "predicted"]], on=keys, validate="one_to_one")
    if not len(first) == len(second) == len(both):
        raise ValueError(f"the predictions share {len(both)} sequences of {len(first)} and {len(second)}")
    right, other = (both[column] == both["emotion"] for column in ("predicted_x", "predicted_y"))
    counts = _counted(both, {"gain": 100 * (right.astype(float) - other.astype(float)), "all": right | True})
    estimated = estimate(counts, share)
    low, high = _limits(estimated)
    only_first, only_second = int((right & ~other).sum()), int((other & ~right).sum())
    return {
        "points": float(estimated.value[0]),
        "low": low,
        "high": high,
        "p": float(estimated.p[0]),
        "only_first": only_first,
        "only_second": only_second,
        "mcnemar": exact_mcnemar(only_first, only_second) if len(counts) == 1 else np.nan,
    }


def reliability(predictions: pd.DataFrame, bins: int = BINS) -> pd.DataFrame:
    """Confidence, the highest of the six probabilities, next to the accuracy, by bins of equal width.

    Returns
    -------
    pandas.DataFrame
        One row per bin: ``low, high, sequences``, and the means ``confidence, accuracy``, NaN for an empty bin. A
        confidence on an edge belongs to the bin above, 1 to the last bin.

    Notes
    -----
    Guo et al. 2017, On calibration of modern neural networks, ICML, arXiv:1706.04599, section 2 (there an edge
    belongs to the bin below).
    """
    confidence = predictions[PROBABILITIES].max(axis=1).to_numpy()
    right = (predictions["predicted"] == predictions["emotion"]).to_numpy(float)
    means, edges, bin_of = binned_statistic(confidence, [confidence, right], "mean", bins, range=(0, 1))
    counts = np.bincount(bin_of, minlength=bins + 2)[1:-1]
    columns = {"low": edges[:-1], "high": edges[1:], "sequences": counts}
    return pd.DataFrame({**columns, "confidence": means[0], "accuracy": means[1]})


def calibration_error(predictions: pd.DataFrame, bins: int = BINS) -> float:
    """Expected calibration error, a fraction: the mean gap of the bins, weighted by sequences (Guo et al. 2017, Eq. 3).

    With several seeds it is the mean of the seeds' errors: in pooled bins, errors of different networks would cancel.
    """
    if "seed" in predictions:
        seeds = predictions.drop(columns="seed").groupby(predictions["seed"])
        return float(np.mean([calibration_error(table, bins) for _, table in seeds]))
    table = reliability(predictions, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((gaps * table["sequences"]).sum() / table["sequences"].sum())


def by_group(predictions: pd.DataFrame, column: str) -> pd.DataFrame:
    """Accuracy for each value of `column` (``actor``, ``level``, ``sex``), in sorted order; NaN is a separate group.

    Returns
    -------
    pandas.DataFrame
        `column`, ``sequences, correct, accuracy`` and Wilson's 95 % interval ``low, high`` (fractions).
    """
    right = predictions["predicted"] == predictions["emotion"]
    table = right.groupby(predictions[column], dropna=False).agg(sequences="size", correct="sum").reset_index()
    table["accuracy"] = table["correct"] / table["sequences"]
    limits = [wilson(*pair) for pair in zip(table["correct"], table["sequences"], strict=True)]
    return table.assign(low=[low for low, _ in limits], high=[high for _, high in limits])
