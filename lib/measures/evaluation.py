"""Measures of a classifier: accuracy, recall, precision, UAR, confusion, interval of a proportion."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from lib.base.emotions import EMOTIONS


def confusion(true, predicted) -> pd.DataFrame:
    """Confusion matrix: counts, rows true, columns predicted, both in the order of ``EMOTIONS``."""
    matrix = confusion_matrix(true, predicted, labels=EMOTIONS)
    index = pd.Index(EMOTIONS, name="true")
    return pd.DataFrame(matrix, index=index, columns=pd.Index(EMOTIONS, name="predicted"))


def by_emotion(true, predicted) -> pd.DataFrame:
    """One row per emotion: ``clips`` (that show it), ``recall``, ``precision`` and ``f1``; NaN where undefined."""
    precision, recall, f1, clips = precision_recall_fscore_support(
        true, predicted, labels=EMOTIONS, zero_division=np.nan
    )
    columns = {"emotion": EMOTIONS, "clips": clips, "recall": recall, "precision": precision, "f1": f1}
    return pd.DataFrame(columns)


def accuracy(true, predicted) -> float:
    """Share of equal labels."""
    return float(np.mean(np.asarray(true) == np.asarray(predicted)))


def uar(true, predicted) -> float:
    """Unweighted average recall over the emotions that occur in `true`."""
    return float(np.nanmean(by_emotion(true, predicted)["recall"]))


def wilson(correct: int, total: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927), by statsmodels."""
    low, high = proportion_confint(correct, total, alpha=0.05, method="wilson")
    return float(low), float(high)


def newcombe(correct: int, total: int, other_correct: int, other_total: int) -> tuple[float, float]:
    """95 % interval of a proportion less another, of independent samples (Newcombe 1998, method 10), by statsmodels."""
    counts = (correct, total, other_correct, other_total)
    low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
    return float(low), float(high)


def best_three(table: pd.DataFrame, rule: str) -> pd.DataFrame:
    """For each number of layers the row with the highest `rule`, sorted by it.

    Parameters
    ----------
    table
        Table 1: ``layers`` and the column that `rule` names, e.g. ``test_accuracy`` (the paper's choice)
        or ``validation_accuracy``. Ties go to the earlier row.
    """
    best = table.loc[table.groupby("layers")[rule].idxmax()]
    return best.sort_values(rule, ascending=False, kind="stable").reset_index(drop=True)
