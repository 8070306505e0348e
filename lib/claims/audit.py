"""Check published numbers against each other: possible counts of a percentage, tests of differences."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
from scipy.stats import chi2, chisquare, hypergeom
from statsmodels.stats.contingency_tables import SquareTable
from statsmodels.stats.proportion import proportions_ztest

from lib.base.emotions import EMOTIONS
from lib.base.paths import PAPER
from lib.corpora.records import committed
from lib.measures.evaluation import newcombe
from lib.measures.uncertainty import exact_mcnemar
from lib.study.publication import table


def printed(name: str) -> pd.DataFrame:
    """Read ``paper/<name>.csv`` as it is printed: every cell text, with its decimals."""
    return pd.read_csv(committed(f"{name}.csv", PAPER), dtype=str, keep_default_na=False)


def fits(text: str, total: int, scale: int = 100) -> str:
    """Result of `grim` as text: ``"669/1056 rounded or cut off"``, ``"1236 to 1260/1704"``, ``"no k/1704"``."""
    counts = grim(text, total, scale)
    if not counts:
        return f"no k/{total}"
    if len(counts) > 3:
        return f"{min(counts)} to {max(counts)}/{total}"
    return ", ".join(f"{k}/{total} {how}" for k, how in counts.items())


def grim(text: str, total: int, scale: int = 100) -> dict[int, str]:
    """Counts k for which ``scale * k / total`` prints as `text` (GRIM test, Brown & Heathers 2017).

    Parameters
    ----------
    text
        The number as printed; its decimals matter.
    total
        Number of clips.
    scale
        100 for a percentage, 1 for a fraction.

    Returns
    -------
    dict
        Count -> ``"rounded"``, ``"cut off"`` or ``"rounded or cut off"``; empty if no count fits.
    """
    value = Decimal(text)
    step = Decimal(1).scaleb(int(value.as_tuple().exponent))
    low = max(0, math.floor((value - step) * total / scale))
    high = min(total, math.ceil((value + step) * total / scale))
    fits = {}
    for k in range(low, high + 1):
        exact = Decimal(scale) * k / total
        ways = {"rounded": ROUND_HALF_UP, "cut off": ROUND_DOWN}
        how = [name for name, way in ways.items() if exact.quantize(step, rounding=way) == value]
        if how:
            fits[k] = " or ".join(how)
    return fits


def attainable(total: int, decimals: int = 2) -> float:
    """Share of all percentages with `decimals` decimals that a count of `total` clips can round to."""
    counts = np.arange(total + 1)
    return len(np.unique(np.floor(counts * 100 * 10**decimals / total + 0.5))) / (100 * 10**decimals + 1)


def totals_that_fit(texts: list[str], totals: Iterable[int], way: str = "") -> list[int]:
    """Keep the `totals` for which every percentage in `texts` is attainable, by `way` (e.g. ``rounded``)."""
    return [n for n in totals if all(any(way in how for how in grim(text, n).values()) for text in texts)]


def class_totals(accuracy: str, misclassified: int, most: int = 2000) -> list[int]:
    """Class sizes n for which `misclassified` errors leave an accuracy that prints as `accuracy` percent."""
    return [n for n in range(misclassified + 1, most + 1) if n - misclassified in grim(accuracy, n)]


def difference(first: int, second: int, total: int) -> dict[str, float]:
    """Compare two networks as if each was tested on an independent sample of `total` clips.

    Returns
    -------
    dict
        ``points``, ``low``, ``high`` (difference in percentage points with Newcombe's 95 % interval) and ``p``
        (two-sided z test), all by statsmodels.
    """
    counts, totals = [first, second], [total, total]
    low, high = newcombe(first, total, second, total)
    p = proportions_ztest(counts, totals)[1]
    return {"points": 100 * (first - second) / total, "low": 100 * low, "high": 100 * high, "p": float(p)}


def mcnemar_by_discordance(first: int, second: int, total: int) -> pd.DataFrame:
    """Exact McNemar test of two networks on the same clips, for possible numbers of discordant clips.

    Returns
    -------
    pandas.DataFrame
        Rows ``fewest`` (only the better network is right where the other is wrong), ``independent`` (unrelated
        errors) and ``most`` (the largest possible number); columns ``case, discordant, p``.
    """
    gap = abs(first - second)
    better = max(first, second)
    most = gap + 2 * min(total - better, min(first, second))
    shares = first / total, second / total
    unrelated = total * (shares[0] * (1 - shares[1]) + shares[1] * (1 - shares[0]))
    unrelated = gap + 2 * round((unrelated - gap) / 2)  # the gap and the discordant clips are both odd or both even
    rows = []
    for case, discordant in (("fewest", gap), ("independent", unrelated), ("most", most)):
        by_one = (discordant + gap) // 2, (discordant - gap) // 2
        rows.append((case, discordant, exact_mcnemar(*by_one)))
    return pd.DataFrame(rows, columns=["case", "discordant", "p"])


def leaks(sizes: dict[str, int], clips: int, actors: int) -> dict[str, float]:
    """Expected overlap of a random split over sequences.

    Parameters
    ----------
    sizes
        Sequences by part: training, validation, test.
    clips, actors
        Number of clips and actors; a clip gives one or two sequences.

    Returns
    -------
    dict
        ``twins``: test sequences of which the clip's other sequence is in the training part. ``per_actor``: test
        sequences per actor. ``absent``: probability that an actor with an average number of sequences is not in the
        training part.
    """
    total = sum(sizes.values())
    halves = 2 * (total - clips)
    own = round(total / actors)
    return {
        "twins": sizes["test"] * halves / total * sizes["training"] / (total - 1),
        "per_actor": sizes["test"] / actors,
        "absent": float(hypergeom.pmf(0, total, own, sizes["training"])),
    }


def figure5() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Figure 5 and its margins.

    Returns
    -------
    tuple
        The 6 x 6 matrix (int, rows true, columns predicted), and one row per emotion: emotion, true_total, correct,
        predicted_total (int), recall, precision, f1 (float).
    """
    matrix = table("fig5").set_index("true").loc[list(EMOTIONS), list(EMOTIONS)].rename_axis(columns="predicted")
    true, correct, predicted = matrix.sum(axis=1).to_numpy(), np.diag(matrix), matrix.sum(axis=0).to_numpy()
    columns = {"emotion": EMOTIONS, "true_total": true, "correct": correct, "predicted_total": predicted}
    rates = {"recall": correct / true, "precision": correct / predicted, "f1": 2 * correct / (true + predicted)}
    return matrix, pd.DataFrame(columns | rates)


def homogeneity(matrix: pd.DataFrame) -> tuple[float, float]:
    """Test whether true and predicted emotions are equally frequent: Stuart and Maxwell's test, by statsmodels.

    Returns
    -------
    tuple
        The statistic (chi-squared, 5 degrees of freedom for six emotions) and its p.
    """
    result = SquareTable(matrix.to_numpy(dtype=float), shift_zeros=False).homogeneity()
    return float(result.statistic), float(result.pvalue)


def uar_bounds(right: int, known: dict[str, int], sizes: dict[str, int]) -> tuple[float, float]:
    """Lowest and highest possible unweighted average recall for `right` right clips, if some classes' are `known`.

    The other right clips are assigned to the other classes, the largest or the smallest class first: a right clip
    raises the recall of a small class more.
    """
    limits = []
    for smallest_first in (False, True):
        left = right - sum(known.values())
        recalls = [known[name] / sizes[name] for name in known]
        for size in sorted((n for name, n in sizes.items() if name not in known), reverse=not smallest_first):
            taken = min(left, size)
            recalls.append(taken / size)
            left -= taken
        limits.append(float(np.mean(recalls)))
    return limits[0], limits[1]


def loss_offsets(grid: pd.DataFrame) -> pd.Series:
    """How much higher the losses of 6 and 7 layers are than those of 5 layers at equal accuracy.

    Ordinary least squares over the validation and test columns of Table 1: loss by accuracy, its square and layers.

    Returns
    -------
    pandas.Series
        By layers (6, 7).
    """
    parts = [
        grid[["layers", f"{part}_loss", f"{part}_accuracy"]].set_axis(["layers", "loss", "accuracy"], axis=1)
        for part in ("validation", "test")
    ]
    points = pd.concat(parts, ignore_index=True)
    deeper = [(points["layers"] == layers).to_numpy(float) for layers in (6, 7)]
    design = np.column_stack([np.ones(len(points)), points["accuracy"], points["accuracy"] ** 2, *deeper])
    coefficients = np.linalg.lstsq(design, points["loss"].to_numpy(), rcond=None)[0]
    return pd.Series(coefficients[-2:], index=pd.Index([6, 7], name="layers"))


def fits_corpus(totals, sequences: pd.Series) -> float:
    """Chi-squared test (its p) that class `totals` are those of a random part of the corpus' `sequences` by emotion.

    The part is drawn without replacement, so the statistic is divided by the finite-population correction 1 - n/N.
    """
    available = sequences.loc[list(EMOTIONS)].to_numpy(dtype=float)
    totals = np.asarray(totals, dtype=float)
    share = totals.sum() / available.sum()
    statistic = chisquare(totals, available * share).statistic / (1 - share)
    return float(chi2.sf(statistic, len(totals) - 1))
