"""Measures against numbers worked out by hand, and against the paper's own."""

import numpy as np
import pandas as pd
import pytest

from lib.base.emotions import EMOTIONS
from lib.measures import evaluation
from lib.report.shown import tied

TRUE = ["angry"] * 4 + ["sad"] * 2 + ["happy"] * 2
SAID = ["angry", "angry", "fear", "sad", "sad", "angry", "happy", "happy"]


def test_confusion_counts_true_rows_and_predicted_columns():
    matrix = evaluation.confusion(TRUE, SAID)
    assert list(matrix.index) == list(matrix.columns) == list(EMOTIONS)
    assert matrix.loc["angry"].to_dict() == {"angry": 2, "disgust": 0, "fear": 1, "happy": 0, "neutral": 0, "sad": 1}
    assert matrix.to_numpy().sum() == 8


def test_recall_precision_uar_and_accuracy():
    table = evaluation.by_emotion(TRUE, SAID).set_index("emotion")
    assert table.loc["angry", ["recall", "precision"]].tolist() == pytest.approx([0.5, 2 / 3])
    assert np.isnan(table.loc["neutral", "recall"])
    assert evaluation.uar(TRUE, SAID) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert evaluation.accuracy(TRUE, SAID) == pytest.approx(5 / 8)


def test_wilson_of_the_papers_best_network():
    low, high = evaluation.wilson(1338, 1704)
    assert (round(100 * low, 1), round(100 * high, 1)) == (76.5, 80.4)


def test_best_three_follow_the_rule():
    table = pd.DataFrame(
        {
            "layers": [5, 5, 6, 6, 7],
            "test_accuracy": [0.5, 0.6, 0.9, 0.7, 0.8],
            "validation_accuracy": [0.7, 0.6, 0.5, 0.8, 0.9],
        }
    )
    assert evaluation.best_three(table, "test_accuracy")["test_accuracy"].tolist() == [0.9, 0.8, 0.6]
    assert evaluation.best_three(table, "validation_accuracy")["layers"].tolist() == [7, 6, 5]


def test_all_that_are_equal_are_named():
    recall = pd.Series({"angry": 26 / 28, "neutral": 18 / 21, "sad": 24 / 28, "fear": np.nan, "happy": 1 - 1 / 7})
    assert tied(recall, "min") == "neutral, sad and happy"
    assert tied(recall) == "angry"
    assert tied(recall[["sad", "neutral"]]) == "sad and neutral"
