"""The crowd as a classifier, on votes small enough to count by hand and on CREMA-D's."""

import numpy as np
import pandas as pd
import pytest

from lib.base.emotions import EMOTIONS
from lib.measures import votes


@pytest.fixture(scope="module")
def crowd():
    return votes.read_votes()


@pytest.fixture
def small():
    """Two clips: angry with 3 of 4 ratings right; sad tied with neutral, 2 of 5 right."""
    counts = pd.DataFrame([[3, 0, 0, 1, 0, 0], [0, 1, 0, 0, 2, 2]], columns=list(EMOTIONS))
    return counts.assign(clip=["a", "b"], actor=[1, 2], emotion=["angry", "sad"])


def test_single_ratings_are_counted(small):
    assert votes.accuracy(small, "rating") == 5 / 9
    assert votes.accuracy(small, "rating", "emotion").to_dict() == {"angry": 0.75, "sad": 0.4}


def test_a_tie_is_split(small):
    assert votes.accuracy(small, "plurality") == 0.75
    assert votes.shares(small, "plurality")[1].tolist() == [0, 0, 0, 0, 0.5, 0.5]
    assert votes.agreement(small).tolist() == [0.75, 0.4]


def test_an_unknown_answer_is_refused(small):
    with pytest.raises(ValueError, match="unknown answer"):
        votes.shares(small, "majority")


def test_the_published_baseline(crowd):
    assert len(crowd) == 7442
    assert round(100 * votes.accuracy(crowd, "rating"), 1) == 57.4
    assert round(100 * votes.accuracy(crowd, "plurality"), 1) == 68.5
    by_emotion = (100 * votes.accuracy(crowd, "rating", "emotion")).round(1).to_dict()
    assert by_emotion == {
        "happy": 87.7, "neutral": 71.5, "angry": 56.8, "disgust": 54.4, "fear": 43.8, "sad": 32.1,
    }  # fmt: skip


@pytest.mark.parametrize("answer", votes.ANSWERS)
def test_the_confusion_matrix_agrees_with_the_accuracy(crowd, answer):
    matrix = votes.confusion(crowd, answer)
    assert list(matrix.index) == list(matrix.columns) == list(EMOTIONS)
    assert np.trace(matrix) / matrix.to_numpy().sum() == pytest.approx(votes.accuracy(crowd, answer))
    assert matrix.to_numpy().sum() == pytest.approx(71654 if answer == "rating" else 7442)


def test_the_interval_holds_the_accuracy_and_repeats(crowd):
    low, high = votes.interval(crowd, "rating")
    assert low < votes.accuracy(crowd, "rating") < high and high - low < 0.05
    assert votes.interval(crowd, "rating") == (low, high)
