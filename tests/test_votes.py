"""The crowd as a classifier, on votes small enough to count by hand and on CREMA-D's."""

import numpy as np
import pandas as pd
import pytest

from lib.base.checksums import sha256
from lib.base.emotions import EMOTIONS
from lib.base.paths import NOTEBOOKS
from lib.corpora import records
from lib.measures import baselines, votes


@pytest.fixture(scope="module")
def crowd():
    return votes.read_votes()


@pytest.fixture
def small():
    """Two clips: angry with 3 of 4 ratings right; sad tied with neutral, 2 of 5 right."""
    counts = pd.DataFrame([[3, 0, 0, 1, 0, 0], [0, 1, 0, 0, 2, 2]], columns=list(EMOTIONS))
    return counts.assign(clip=["a", "b"], actor=[1, 2], emotion=["angry", "sad"])


def test_raters_stand_next_to_the_files_that_they_saw_only():
    """A re-encoded clip, another video under its name, a rendered clip: nobody rated these."""
    published = pd.read_csv(records.RECORDS / "cremad_clips.csv").head(5)
    table = published.rename(columns={"flv_sha256": "sha256"})[["clip", "sha256"]]
    table.loc[1, "sha256"] = table.loc[0, "sha256"]  # of another clip
    table.loc[2, "sha256"] = "0" * 64
    table.loc[3, "sha256"] = np.nan
    table.loc[4, "clip"] = "9001_DFA_ANG_XX"
    assert records.recorded(table).tolist() == [True, False, False, False, False]
    rated = votes.of_clips(table)
    assert rated["clip"].tolist() == [table.loc[0, "clip"]]
    sequences = table.iloc[[1, 0, 0, 2]].assign(sequence=range(4), window=0, actor=1001, emotion="angry")
    sequences = sequences.assign(sex="male", level="XX")
    assert baselines.crowd(sequences, rated, seed=1)["sequence"].tolist() == [1, 2]
    assert baselines.crowd(sequences, votes.of_clips(table[1:]), seed=1).empty


def test_no_notebook_joins_votes_to_clips_by_their_names():
    """06, 08 and 09 show the votes on all of CREMA-D; 13 those on the real clips that a twin follows, by its record."""
    users = {path.stem for path in NOTEBOOKS.glob("*.ipynb") if "read_votes" in path.read_text()}
    assert users == {"06_confusion_matrices", "08_paper_audit", "09_human_baseline", "13_rehearsal"}


def test_the_original_clips_have_the_recorded_checksum(real_data):
    files = sorted((real_data / "cremad/VideoFlash").glob("*.flv"))
    table = pd.DataFrame({"clip": [f.stem for f in files], "sha256": [sha256(f) for f in files]})
    assert len(votes.of_clips(table)) == len(files) > 0


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
