"""What knowing the actor is worth: found where it was planted, and nowhere else."""

import numpy as np
import pandas as pd
import pytest

from lib.base.emotions import EMOTIONS
from lib.measures import acquaintance, uncertainty


def crowd(habits, clips=20, raters=10):
    """Votes on 12 actors; with `habits` half of them look sad when angry and angry when sad."""
    rng = np.random.default_rng([8])
    rows = []
    for actor in range(12):
        swapped = {"angry": "sad", "sad": "angry"} if habits and actor % 2 else {}
        for emotion in EMOTIONS:
            seen = EMOTIONS.index(swapped.get(emotion, emotion))
            for clip in range(clips):
                votes = rng.multinomial(raters, np.where(np.arange(6) == seen, 0.6, 0.08))
                rows.append({"clip": f"{actor}_{emotion}_{clip}", "actor": actor, "emotion": emotion})
                rows[-1] |= dict(zip(EMOTIONS, votes, strict=True))
    return pd.DataFrame(rows)


@pytest.mark.parametrize("habits", [True, False])
def test_knowing_the_actor_helps_where_actors_have_habits(habits):
    votes = crowd(habits)
    blind = acquaintance.predicted(votes, apart=False)
    knowing = acquaintance.predicted(votes, apart=False, actors=votes["actor"])
    points, low, high = uncertainty.gain(blind, knowing)
    assert low < points < high
    assert points > 10 and low > 0 if habits else abs(points) < 5


def test_with_actors_apart_nobody_is_in_two_folds_and_habits_cannot_help():
    votes = crowd(habits=True)
    blind = acquaintance.predicted(votes, apart=True)
    assert (blind.groupby("actor")["strength"].agg(np.ptp) == 0).all()
    accuracy, low, high = uncertainty.accuracy_interval(blind)
    assert low < accuracy < high and accuracy < 0.9
    assert blind.equals(acquaintance.predicted(votes, apart=True))


def test_the_features_are_the_shares_once_for_all_and_once_for_the_actor():
    votes = crowd(habits=False, clips=1)
    columns = acquaintance.features(votes, votes["actor"]).toarray()
    assert columns.shape == (72, 6 + 6 * 12)
    assert columns[:, :6].sum(axis=1) == pytest.approx(1) and columns[:, 6:].sum(axis=1) == pytest.approx(1)
    assert acquaintance.features(votes).shape == (72, 6)


def test_other_clips_are_not_compared():
    table = pd.DataFrame({"clip": ["a"], "actor": [1], "emotion": ["sad"], "predicted": ["sad"]})
    with pytest.raises(ValueError, match="other clips"):
        uncertainty.gain(table, table.assign(clip="b"))
