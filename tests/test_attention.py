"""Maps of attention and their scores: right where the truth is planted, at chance where there is none."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ConstantInputWarning

from lib.measures import agreement, uncertainty
from lib.measures.attention import Probe
from lib.study import load
from lib.training import loop

RNG = np.random.default_rng(15)


@pytest.fixture(scope="module")
def network(random_network):
    return random_network(6, **load("sample").settings)


@pytest.fixture(scope="module")
def pictures():
    """Two sequences with a black frame around the face."""
    sequences = np.random.default_rng(1).integers(1, 256, (2, 75, 28, 28, 3), dtype=np.uint8)
    sequences[:, :, :4] = 0
    return sequences


def scores(network, sequences):
    """Evidence by the probabilities: log p is the score but for a constant of the sequence."""
    logarithm = np.log(loop.predict(network, sequences, np.arange(len(sequences))).astype(float))
    return logarithm - logarithm.mean(axis=1, keepdims=True)


def test_the_evidence_is_that_of_the_probabilities(network, pictures):
    np.testing.assert_allclose(Probe(network, batch=1).evidence(pictures), scores(network, pictures), atol=1e-4)


def test_the_features_give_the_evidence(network, pictures):
    features, last = Probe(network).features(pictures), network.get_layer("emotion")
    assert features.shape == (2, last.kernel.shape[0])
    found = features @ np.asarray(last.kernel) + np.asarray(last.bias)
    np.testing.assert_allclose(found - found.mean(axis=1, keepdims=True), scores(network, pictures), atol=1e-4)


def test_the_gradient_is_the_slope_of_the_evidence(network, pictures):
    """Against finite differences of single pixels, and zero outside the face."""
    probe, emotions = Probe(network), np.array([3, 0])
    found = probe.gradient(pictures, emotions)
    assert found.shape == (2, 75, 28, 28) and (found[:, :, :4] == 0).all() and (found >= 0).all()
    strong = np.argwhere(found[0] > np.quantile(found[0], 0.9999))[:5]
    for frame, row, column in strong:
        slope = 0
        for channel in range(3):
            both = np.repeat(pictures[:1], 2, axis=0)
            value = int(both[0, frame, row, column, channel])
            ends = max(value - 8, 1), min(value + 8, 255)
            both[:, frame, row, column, channel] = ends
            low, high = probe.evidence(both)[:, 3].astype(float)
            slope += abs((high - low) / (ends[1] - ends[0]))
        assert found[0, frame, row, column] == pytest.approx(slope, rel=0.25)


def test_occlusion_is_what_painting_a_patch_over_costs(network, pictures):
    probe, emotions = Probe(network), np.array([3, 0])
    found = probe.occlusion(pictures, emotions, frames=25, patch=7)
    assert found.shape == (2, 3, 4, 4)
    painted = pictures[:1].copy()
    face = painted[0].any(axis=-1)
    area = np.s_[25:50, :7, 7:14]
    colour = np.round(painted[0][face].mean(axis=0)).astype(np.uint8)
    painted[0][area][face[area]] = colour
    both = probe.evidence(np.concatenate([pictures[:1], painted]))[:, 3]
    assert found[0, 1, 0, 1] == pytest.approx(both[0] - both[1], abs=1e-6)
    assert (painted[0, :, :4] == 0).all()


def test_a_patch_without_face_changes_nothing(network, pictures):
    found = Probe(network).occlusion(pictures, np.array([3, 0]), frames=75, patch=4)
    assert (found[:, :, 0] == 0).all() and (found[:, :, 1:] != 0).any()


def planted(count=30):
    """Where five kinds of sequences move, and their emotions: each kind in its own corner, with noise."""
    emotions = np.array(["angry", "disgust", "fear", "happy", "sad"])[np.arange(count) % 5]
    moved = RNG.uniform(0, 0.5, (count, 20, 20))
    for place, emotion in enumerate(emotions):
        column = 4 * sorted(set(emotions)).index(emotion)
        moved[place, :, column : column + 4] += 1
    return moved, np.ones(moved.shape, bool), emotions


def auc(values, moved, face):
    """Of one map for one sequence."""
    return agreement.auc(values[face], moved[face][None])[0]


def test_a_map_of_the_movement_is_perfect_and_its_opposite_is_wrong():
    moved, face, _ = planted(5)
    for truth, inside in zip(moved, face, strict=True):
        assert auc(truth, truth, inside) == 1
        assert auc(-truth, truth, inside) == 0
        assert auc(np.ones_like(truth), truth, inside) == 0.5


def test_only_the_face_counts():
    moved, face, _ = planted(1)
    face[0, :10] = False
    found = moved.copy()
    found[0, :10] = -moved[0, :10]
    assert auc(found[0], moved[0], face[0]) == 1
    face[0] = False
    face[0, 0, 0] = True
    assert np.isnan(auc(found[0], moved[0], face[0]))


def test_random_maps_score_at_chance_and_maps_of_the_muscles_above():
    moved, face, emotions = planted()
    noise = agreement.agreement(RNG.uniform(size=moved.shape), moved, face, emotions)
    for values, chance in ((noise["own"], 0.5), (noise["own"] - noise["others"], 0)):
        mean, low, high = uncertainty.mean_interval(values)
        assert low < mean < high and low <= chance <= high
    seen = agreement.agreement(moved + RNG.uniform(0, 1, moved.shape), moved, face, emotions)
    assert uncertainty.mean_interval(seen["own"] - seen["others"])[1] > 0.2


def test_a_map_of_the_face_alone_is_no_better_than_other_emotions_muscles():
    """All move the top a little; a map of the top finds own and others' muscles alike."""
    moved, face, emotions = planted()
    moved[:, :8] += 2
    top = np.zeros_like(moved)
    top[:, :8] = 1
    found = agreement.agreement(top + RNG.uniform(0, 0.1, top.shape), moved, face, emotions)
    assert found["own"].mean() > 0.6 and abs((found["own"] - found["others"]).mean()) < 0.02


def test_with_one_emotion_there_are_no_others():
    moved, face, _ = planted(3)
    assert agreement.agreement(moved, moved, face, ["sad"] * 3)["others"].isna().all()


def test_the_interval_of_a_mean_is_students():
    values = np.array([1.0, 2.0, 4.0, 5.0])
    mean, low, high = uncertainty.mean_interval(values)
    half = 3.182446 * values.std(ddof=1) / 2
    assert (mean, low, high) == pytest.approx((3, 3 - half, 3 + half), abs=1e-5)
    assert np.isnan(uncertainty.mean_interval([1.0])[1:]).all()


def test_sequences_of_one_actor_are_one_unit():
    """Windows that all say the same say nothing more than one of them."""
    values, actors = np.array([1.0, 2.0, 4.0, 5.0]), np.array(["b", "a", "d", "c"])
    whole = uncertainty.mean_interval(values)
    assert uncertainty.mean_interval(values.repeat(9), actors.repeat(9)) == pytest.approx(whole)
    assert uncertainty.mean_interval(values.repeat(9))[1] > whole[1]
    assert np.isnan(uncertainty.mean_interval(values, ["a"] * 4)[1:]).all()


def test_rank_correlation():
    assert agreement.rank_correlation([1, 2, 3], [1, 4, 9]) == 1
    assert agreement.rank_correlation([1, 2, 3], [9, 4, 1]) == -1
    with pytest.warns(ConstantInputWarning):
        assert np.isnan(agreement.rank_correlation([1, 1, 1], [1, 2, 3]))


def people(clips=20, windows=2):
    """Sequences of four actors, two windows a clip, and features that hold the actor, or only the clip."""
    rows = [(f"{a}-{c}", a) for a in range(4) for c in range(clips) for _ in range(windows)]
    table = pd.DataFrame(rows, columns=["clip", "actor"])
    clip = RNG.normal(size=(4 * clips, 5)).repeat(windows, axis=0)
    return table, clip, clip + np.eye(4, 5)[table["actor"]] * 6


def test_actors_are_told_where_the_features_hold_them():
    table, _, features = people()
    predictions = agreement.predict_actors(features, table, 2021)
    right, low, high = uncertainty.accuracy_interval(predictions, truth="actor")
    assert right > 0.95 and low <= right <= high
    assert predictions["actor"].equals(table["actor"])


def test_windows_of_a_clip_do_not_tell_each_others_actor():
    """The features show only which clip it is: if its other window were in the training folds, all would be right."""
    table, features, _ = people()
    predictions = agreement.predict_actors(features, table, 2021)
    assert uncertainty.accuracy_interval(predictions, truth="actor")[0] < 0.45


def test_more_right_is_counted_on_the_same_sequences():
    table, clip, features = people()
    first, second = (agreement.predict_actors(values, table, 2021) for values in (clip, features))
    points, low, high = uncertainty.gain(first, second, truth="actor")
    share = [100 * uncertainty.accuracy_interval(predictions, truth="actor")[0] for predictions in (first, second)]
    assert points == pytest.approx(share[1] - share[0]) and low < points < high
    assert uncertainty.gain(first, first, truth="actor")[0] == 0


def test_too_few_people_are_refused():
    table, clip, _ = people(clips=1)
    with pytest.raises(ValueError, match="too few"):
        agreement.predict_actors(clip, table, 2021)
    one_actor = table.assign(actor=1, clip=range(len(table)))
    with pytest.raises(ValueError, match="1 actors"):
        agreement.predict_actors(clip, one_actor, 2021)
