"""Checks of published numbers against each other: what a printed percentage can be, what a difference supports."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import chisquare, hypergeom
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

from lib.base.emotions import EMOTIONS
from lib.base.paths import PAPER
from lib.measures.uncertainty import exact_mcnemar
from lib.study.paper import table


def printed(name: str) -> pd.DataFrame:
    """Read ``paper/<name>.csv`` as it is printed: every cell text, ``""`` where it is unknown."""
    return pd.read_csv(PAPER / f"{name}.csv", dtype=str, keep_default_na=False)


def fits(text: str, total: int, scale: int = 100) -> str:
    """Words for what `grim` finds: ``"669/1056 rounded or cut off"``, ``"1236 to 1260/1704"``, ``"no k/1704"``."""
    found = grim(text, total, scale)
    if not found:
        return f"no k/{total}"
    if len(found) > 3:
        return f"{min(found)} to {max(found)}/{total}"
    return ", ".join(f"{k}/{total} {how}" for k, how in found.items())


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
        Count to ``"rounded"``, ``"cut off"`` or ``"rounded or cut off"``; empty where no count fits.
    """
    value = Decimal(text)
    step = Decimal(1).scaleb(value.as_tuple().exponent)
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
    """Share of all percentages with so many decimals that some count of `total` clips rounds to."""
    counts = np.arange(total + 1)
    return len(np.unique(np.floor(counts * 100 * 10**decimals / total + 0.5))) / (100 * 10**decimals + 1)


def totals_that_fit(texts: list[str], totals: Iterable[int], way: str = "") -> list[int]:
    """Keep the `totals` for which every percentage in `texts` is attainable, by `way` (e.g. ``rounded``)."""
    return [n for n in totals if all(any(way in how for how in grim(text, n).values()) for text in texts)]


def class_totals(accuracy: str, misclassified: int, most: int = 2000) -> list[int]:
    """Class sizes n for which `misclassified` errors leave an accuracy that prints as `accuracy` percent."""
    return [n for n in range(misclassified + 1, most + 1) if n - misclassified in grim(accuracy, n)]


def difference(first: int, second: int, total: int) -> dict[str, float]:
    """Compare two networks as if tested on two independent samples of `total` clips each.

    Returns
    -------
    dict
        ``points``, ``low``, ``high`` (difference in percentage points with Newcombe's 95 % interval) and ``p``
        (two-sided z test), all by statsmodels.
    """
    counts, totals = [first, second], [total, total]
    low, high = confint_proportions_2indep(first, total, second, total, method="newcomb")
    p = proportions_ztest(counts, totals)[1]
    return {"points": 100 * (first - second) / total, "low": 100 * low, "high": 100 * high, "p": float(p)}


def mcnemar_by_discordance(first: int, second: int, total: int) -> pd.DataFrame:
    """Exact McNemar test of two networks on the same clips, whose discordant clips nobody published.

    Returns
    -------
    pandas.DataFrame
        Rows ``fewest`` (every clip that one network misses and the other does not counts for the better one),
        ``independent`` (errors unrelated) and ``most`` possible; columns ``case, discordant, p``.
    """
    gap = abs(first - second)
    better = max(first, second)
    most = gap + 2 * min(total - better, min(first, second))
    shares = first / total, second / total
    unrelated = total * (shares[0] * (1 - shares[1]) + shares[1] * (1 - shares[0]))
    unrelated = gap + 2 * round((unrelated - gap) / 2)  # the gap and the discordant clips are odd or even alike
    rows = []
    for case, discordant in (("fewest", gap), ("independent", unrelated), ("most", most)):
        only = (discordant + gap) // 2, (discordant - gap) // 2
        rows.append((case, discordant, exact_mcnemar(*only)))
    return pd.DataFrame(rows, columns=["case", "discordant", "p"])


def leaks(sizes: dict[str, int], clips: int, actors: int) -> dict[str, float]:
    """Expected overlap of a random split over sequences.

    Parameters
    ----------
    sizes
        Sequences by part: training, validation, test.
    clips, actors
        Clips and actors that the sequences come from; a clip gives one sequence or two.

    Returns
    -------
    dict
        ``twins``: test sequences whose other half is trained on. ``per_actor``: test sequences an actor.
        ``absent``: probability that an actor with an average number of sequences is not trained on.
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
    """Figure 5 as far as it is known.

    Returns
    -------
    tuple
        The 6 x 6 matrix (Int64, rows true, NA where a cell is unknown), and the table of margins: emotion,
        true_total, correct, predicted_total (Int64). Where the matrix is complete the margins are its own.

    Raises
    ------
    ValueError
        Where the matrix contradicts ``fig5_margins.csv``, naming the emotion.
    """
    matrix = table("fig5").set_index("true").loc[list(EMOTIONS), list(EMOTIONS)].astype("Int64")
    margins = table("fig5_margins").set_index("emotion").loc[list(EMOTIONS)].astype("Int64")
    own = pd.DataFrame(
        {
            "true_total": matrix.sum(axis=1, skipna=False),
            "correct": pd.array(np.diag(matrix.to_numpy(dtype=object)), dtype="Int64"),
            "predicted_total": matrix.sum(axis=0, skipna=False),
        },
        index=margins.index,
    ).astype("Int64")
    differs = (own != margins).fillna(False)
    for emotion, column in product(differs.index, differs.columns):
        if differs.at[emotion, column]:
            ours, theirs = own.at[emotion, column], margins.at[emotion, column]
            raise ValueError(f"{column} of {emotion} is {ours} in fig5.csv and {theirs} in fig5_margins.csv")
    return matrix, own.fillna(margins).reset_index()


def summaries(true: np.ndarray, correct: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Measures that need no more than a confusion matrix' margins and diagonal.

    Returns
    -------
    dict
        ``macro_precision, macro_f1, weighted_f1, kappa`` (Cohen's); fractions.
    """
    total = true.sum()
    f1 = 2 * correct / (true + predicted)
    chance = (true * predicted).sum() / total**2
    return {
        "macro_precision": float((correct / predicted).mean()),
        "macro_f1": float(f1.mean()),
        "weighted_f1": float((f1 * true).sum() / total),
        "kappa": float((correct.sum() / total - chance) / (1 - chance)),
    }


def possible_columns(margins: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """All column totals that agree with the known ones and with the `published` summaries as printed.

    Parameters
    ----------
    margins
        What `figure5` gives.
    published
        Columns measure and value (text) of ``fig5_summaries.csv``.

    Returns
    -------
    pandas.DataFrame
        A row a possibility, a column an emotion; the known totals are the same in all rows.
    """
    true, correct = (margins[name].to_numpy(dtype=float) for name in ("true_total", "correct"))
    known = margins["predicted_total"]
    free = [i for i, value in enumerate(known) if pd.isna(value)]
    rest = int(true.sum() - known.sum())
    rounding = {m: (Decimal(v), Decimal(1).scaleb(Decimal(v).as_tuple().exponent)) for m, v in published.values}
    found = []
    lowest = [int(correct[i]) for i in free]
    spare = rest - sum(lowest)
    for extra in product(range(spare + 1), repeat=max(len(free) - 1, 0)):
        if sum(extra) > spare:
            continue
        totals = known.to_numpy(dtype=float, na_value=np.nan)
        if free:
            totals[free] = [n + e for n, e in zip(lowest, [*extra, spare - sum(extra)], strict=True)]
        got = summaries(true, correct, totals)
        if all(abs(Decimal(got[m]) - value) <= step / 2 for m, (value, step) in rounding.items()):
            found.append(totals.astype(int))
    return pd.DataFrame(found, columns=list(EMOTIONS))


def fits_corpus(totals, sequences: pd.Series) -> float:
    """Compare class `totals` of a test set with the corpus' `sequences` by emotion (chi-squared, scipy): p."""
    expected = sequences.loc[list(EMOTIONS)].to_numpy(dtype=float)
    totals = np.asarray(totals, dtype=float)
    return float(chisquare(totals, expected / expected.sum() * totals.sum()).pvalue)
