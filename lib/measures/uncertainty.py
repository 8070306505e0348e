"""How sure a network's figures are: intervals over actors, paired tests, calibration, accuracy by group.

All read tables of predictions as notebook 04 writes them: a row a sequence with ``sequence, clip, window, actor,
sex, level, emotion, predicted`` and the probabilities ``p_angry`` to ``p_sad``. Callers choose the part.

A table may hold the predictions of several seeds, one below the other, told apart by a column ``seed``. Every seed
then weighs the same, so that an accuracy is the mean over the seeds; its interval is over actors all the same, and
says nothing of what further seeds would give.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.stats import DegenerateDataWarning, binned_statistic, bootstrap
from statsmodels.stats.contingency_tables import mcnemar

from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.measures.evaluation import wilson

#: Bins of the confidence, of equal width, as in Guo et al. 2017.
BINS = 15

#: Figures that `interval` knows.
MEASURES = ("accuracy", "uar")


def over_actors(
    sums: pd.DataFrame, statistic: Callable[..., np.ndarray], resamples: int = 2000, seed: int = 2021
) -> tuple[float, float]:
    """95 % interval of a figure when actors are drawn anew, with replacement (percentile bootstrap, by scipy).

    Clips of one actor resemble each other, so actors and not clips are the independent draws.

    Parameters
    ----------
    sums
        A row an actor, numbers that add up over actors.
    statistic
        The figure from the columns' totals, which it gets as one argument a column, in their order, each a
        float array of shape (resamples,).

    Returns
    -------
    (low, high)
        Draws that leave the figure undefined do not count; NaN where they are more than one in twenty, or there
        are fewer than two actors.
    """
    if len(sums) < 2:
        return np.nan, np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # what is undefined is looked at below
        result = bootstrap(
            tuple(sums[column].to_numpy() for column in sums),
            lambda *columns, axis=-1: statistic(*(column.sum(axis=axis) for column in columns)),
            paired=True,
            vectorized=True,
            n_resamples=resamples,
            method="percentile",
            rng=np.random.default_rng([seed]),
        )
    drawn = result.bootstrap_distribution
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < 0.95 * len(drawn):
        return np.nan, np.nan
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """`part` of `whole`: the accuracy, as a statistic of `over_actors`."""
    return part / whole


def _mean_recall(*columns: np.ndarray) -> np.ndarray:
    """UAR from six columns of right and six of all sequences; an emotion that was not drawn does not count."""
    right, whole = np.split(np.stack(columns), 2)
    with np.errstate(invalid="ignore"):
        return np.nanmean(right / whole, axis=0)


def _sums(predictions: pd.DataFrame, columns: dict[str, pd.Series]) -> pd.DataFrame:
    """Sums of `columns` by actor, each seed weighing the same where there are several."""
    table = pd.DataFrame(columns).astype(float)
    if "seed" in predictions:
        seed = predictions["seed"]
        table = table.div(seed.map(seed.value_counts()), axis=0)
    return table.groupby(predictions["actor"]).sum()


def _accuracy_sums(predictions: pd.DataFrame) -> pd.DataFrame:
    right = predictions["predicted"] == predictions["emotion"]
    return _sums(predictions, {"right": right, "all": right | True})


def interval(
    predictions: pd.DataFrame, measure: str = "accuracy", resamples: int = 2000, seed: int = 2021
) -> tuple[float, float]:
    """95 % interval of the accuracy or the UAR (see `evaluation`) when actors are drawn anew, see `over_actors`."""
    if measure not in MEASURES:
        raise ValueError(f"unknown measure {measure!r}; known are {', '.join(MEASURES)}")
    if measure == "accuracy":
        return over_actors(_accuracy_sums(predictions), ratio, resamples, seed)
    shown = {emotion: predictions["emotion"] == emotion for emotion in EMOTIONS}
    right = {f"right_{emotion}": rows & (predictions["predicted"] == emotion) for emotion, rows in shown.items()}
    return over_actors(_sums(predictions, right | shown), _mean_recall, resamples, seed)


def difference(first: pd.DataFrame, second: pd.DataFrame, resamples: int = 2000, seed: int = 2021) -> dict[str, float]:
    """Accuracy on one set of sequences less that on another, e.g. under two split protocols.

    The sequences need not be the same (for those that are, `compare` is sharper), but the actors are drawn once for
    both sets.

    Returns
    -------
    dict
        ``points`` (percentage points) with its 95 % interval ``low, high`` (`over_actors`; a draw may leave a set
        empty).
    """
    sums = pd.concat([_accuracy_sums(first), _accuracy_sums(second)], axis=1, keys=["first", "second"]).fillna(0)

    def points(right: np.ndarray, all_: np.ndarray, other_right: np.ndarray, other_all: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return 100 * (right / all_ - other_right / other_all)

    low, high = over_actors(sums, points, resamples, seed)
    return {"points": float(points(*sums.sum())), "low": low, "high": high}


def exact_mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p of the exact McNemar test, by statsmodels, from the sequences that one network alone gets right."""
    return float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue)


def compare(first: pd.DataFrame, second: pd.DataFrame, resamples: int = 2000, seed: int = 2021) -> dict[str, float]:
    """Two networks' predictions of the same sequences.

    Returns
    -------
    dict
        ``points`` (accuracy of the first less that of the second, in percentage points) with its 95 % interval
        ``low, high`` over actors (`over_actors`); ``only_first, only_second`` (sequences that one alone gets
        right); ``p`` of the exact McNemar test, which takes sequences as independent, so it is on the bold side,
        the more so with several seeds, where a sequence counts once for each that tests it.

    Raises
    ------
    ValueError
        If the sequences or what they show are not the same.
    """
    keys = ["sequence", "clip", "window", "actor", "emotion", *(["seed"] if "seed" in first else [])]
    both = first[[*keys, "predicted"]].merge(second[[*keys, "predicted"]], on=keys, validate="one_to_one")
    if not len(first) == len(second) == len(both):
        raise ValueError(f"the predictions share {len(both)} sequences of {len(first)} and {len(second)}")
    right, other = (both[column] == both["emotion"] for column in ("predicted_x", "predicted_y"))
    sums = _sums(both, {"gain": 100 * (right.astype(float) - other.astype(float)), "all": right | True})
    low, high = over_actors(sums, ratio, resamples, seed)
    only = int((right & ~other).sum()), int((other & ~right).sum())
    return {
        "points": float(ratio(*sums.sum())),
        "low": low,
        "high": high,
        "only_first": only[0],
        "only_second": only[1],
        "p": exact_mcnemar(*only),
    }


def reliability(predictions: pd.DataFrame, bins: int = BINS) -> pd.DataFrame:
    """Confidence, the highest of the six probabilities, beside the accuracy, by bins of equal width.

    Returns
    -------
    pandas.DataFrame
        A row a bin: ``low, high, sequences, confidence, accuracy``, the last two its means and NaN where the bin
        is empty. A confidence on an edge belongs to the bin above, 1 to the last.

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
    """Expected calibration error, a fraction: the mean over sequences of their bin's gap (Guo et al. 2017, Eq. 3)."""
    table = reliability(predictions, bins)
    gaps = (table["accuracy"] - table["confidence"]).abs()
    return float((gaps * table["sequences"]).sum() / table["sequences"].sum())


def by_group(predictions: pd.DataFrame, column: str) -> pd.DataFrame:
    """Accuracy for each value of `column` (``actor``, ``level``, ``sex``), in its order; NaN is a group of its own.

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
