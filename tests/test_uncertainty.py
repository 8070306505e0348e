"""Intervals, paired tests and calibration, on tables counted by hand and against a plain computation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from lib.base.emotions import EMOTIONS
from lib.measures import evaluation, uncertainty


def predictions(emotions, predicted, actors=None, confidence=0.9):
    """A table as notebook 04 writes it; `confidence` is the probability of the predicted emotion."""
    count = len(emotions)
    table = pd.DataFrame({"sequence": range(count), "window": 0, "emotion": emotions, "predicted": predicted})
    table.insert(1, "clip", [f"clip{i}" for i in range(count)])
    table["actor"] = range(count) if actors is None else actors
    table["sex"] = np.where(table["actor"] % 2, "male", "female")
    confidence = np.broadcast_to(confidence, count)
    for emotion in EMOTIONS:
        table[f"p_{emotion}"] = np.where(table["predicted"] == emotion, confidence, (1 - confidence) / 5)
    return table


@pytest.fixture
def network():
    """600 sequences of 30 actors, of whom every third is read badly."""
    rng = np.random.default_rng([3])
    emotions, actors = rng.choice(EMOTIONS, 600), np.repeat(np.arange(30), 20)
    right = rng.random(600) < np.where(actors % 3, 0.9, 0.3)
    return predictions(emotions, np.where(right, emotions, rng.choice(EMOTIONS, 600)), actors, rng.uniform(0.3, 1, 600))


@pytest.mark.parametrize("measure", uncertainty.MEASURES)
def test_the_interval_is_that_of_drawing_actors_anew(measure, network):
    of = getattr(evaluation, measure)
    low, high = uncertainty.interval(network, measure, resamples=2000)
    assert low < of(network["emotion"], network["predicted"]) < high
    rng = np.random.default_rng([11])
    by_actor = {actor: rows for actor, rows in network.groupby("actor")}
    drawn = []
    for _ in range(150):
        again = pd.concat([by_actor[actor] for actor in rng.integers(0, 30, 30)])
        drawn.append(of(again["emotion"], again["predicted"]))
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx([low, high], abs=0.03)


def test_actors_that_differ_widen_the_interval(network):
    low, high = uncertainty.interval(network)
    wilson = evaluation.wilson(int((network["emotion"] == network["predicted"]).sum()), 600)
    assert high - low > 1.5 * (wilson[1] - wilson[0])


def test_the_seed_decides(network):
    first, again, other = (uncertainty.interval(network, "uar", 200, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_an_emotion_that_is_not_drawn_does_not_count():
    table = predictions(["sad", "happy"], ["sad", "angry"], actors=[1, 2])
    assert uncertainty.interval(table, "uar", 300) == (0, 1)


def test_one_actor_has_no_interval_and_equal_actors_have_a_point():
    assert np.isnan(uncertainty.interval(predictions(["sad"] * 3, ["sad"] * 3, actors=[1] * 3))).all()
    assert uncertainty.interval(predictions(["sad"] * 3, ["sad"] * 3)) == (1, 1)


def test_an_unknown_measure_is_named(network):
    with pytest.raises(ValueError, match="f1"):
        uncertainty.interval(network, "f1")


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_sign_test_of_the_discordant(one, other):
    expected = binomtest(one, one + other).pvalue if one + other else 1
    assert uncertainty.exact_mcnemar(one, other) == pytest.approx(expected)


def test_two_networks_are_compared_on_the_same_sequences(network):
    better = network.copy()
    wrong = network.index[network["emotion"] != network["predicted"]]
    right = network.index[network["emotion"] == network["predicted"]]
    better.loc[wrong[:30], "predicted"] = better.loc[wrong[:30], "emotion"]
    better.loc[right[:10], "predicted"] = [EMOTIONS[EMOTIONS.index(e) - 1] for e in better.loc[right[:10], "emotion"]]
    found = uncertainty.compare(better[::-1], network)  # the order of the rows says nothing
    assert (found["only_first"], found["only_second"]) == (30, 10)
    assert found["points"] == pytest.approx(100 * 20 / 600)
    assert found["low"] < found["points"] < found["high"]
    assert found["p"] == pytest.approx(binomtest(10, 40).pvalue)
    turned = uncertainty.compare(network, better)
    assert (turned["points"], turned["p"]) == (pytest.approx(-found["points"]), found["p"])


def test_other_sequences_are_refused(network):
    with pytest.raises(ValueError, match="599 sequences of 599 and 600"):
        uncertainty.compare(network[1:], network)
    with pytest.raises(ValueError, match="share 0"):
        uncertainty.compare(network.assign(sequence=network["sequence"] + 600), network)


def test_reliability_by_hand():
    said = ["sad", "sad", "sad", "happy"]
    table = predictions(["sad"] * 4, said, confidence=[0.95, 0.97, 1.0, 0.5])
    bins = uncertainty.reliability(table)
    assert len(bins) == 15 and bins["sequences"].sum() == 4
    assert bins.loc[14, ["sequences", "confidence", "accuracy"]].tolist() == pytest.approx([3, 2.92 / 3, 1])
    assert bins.loc[7, ["sequences", "confidence", "accuracy"]].tolist() == pytest.approx([1, 0.5, 0])
    assert bins["accuracy"].isna().sum() == 13
    assert uncertainty.calibration_error(table) == pytest.approx((3 * (1 - 2.92 / 3) + 0.5) / 4)


@settings(max_examples=40)
@given(confidence=arrays(float, st.integers(1, 60), elements=st.floats(0.2, 1)), seed=st.integers(0, 99))
def test_reliability_agrees_with_scikit_learn(confidence, seed):
    said = np.where(np.random.default_rng([seed]).random(len(confidence)) < confidence, "sad", "happy")
    table = predictions(["sad"] * len(confidence), said, confidence=confidence)
    bins = uncertainty.reliability(table)
    assert bins["sequences"].sum() == len(table) and 0 <= uncertainty.calibration_error(table) <= 1
    highest = table[uncertainty.PROBABILITIES].max(axis=1)
    if np.isin(highest, np.linspace(0, 1, 16)[1:-1]).any():  # scikit-learn puts an edge into the bin below
        return
    accuracy, mean = calibration_curve(said == "sad", highest, n_bins=15, strategy="uniform")
    filled = bins.dropna()
    assert filled["accuracy"].tolist() == pytest.approx(accuracy.tolist())
    assert filled["confidence"].tolist() == pytest.approx(mean.tolist())


def test_accuracy_by_group_with_its_interval(network):
    table = uncertainty.by_group(network, "sex")
    assert table["sex"].tolist() == ["female", "male"] and table["sequences"].sum() == 600
    assert (table["accuracy"] * table["sequences"]).sum() == (network["emotion"] == network["predicted"]).sum()
    row = table.iloc[0]
    assert (row["low"], row["high"]) == evaluation.wilson(row["correct"], row["sequences"])
    assert len(uncertainty.by_group(network, "actor")) == 30


def test_nobody_is_lost_for_want_of_a_group(network):
    table = uncertainty.by_group(network.assign(sex=network["sex"].where(network["actor"] > 3)), "sex")
    assert table["sex"].isna().tolist() == [False, False, True] and table["sequences"].sum() == 600


def test_every_seed_weighs_the_same():
    right, wrong = (
        predictions(["sad"] * 8, ["sad"] * 8, np.arange(8) % 4),
        predictions(["sad"] * 2, ["fear"] * 2, [0, 1]),
    )
    both = pd.concat([right.assign(seed=1), wrong.assign(seed=2)])
    low, high = uncertainty.interval(both)
    # actors 2 and 3 were only right; with 0 and 1 a wrong answer of two weighs as much as four right ones of eight
    assert high == 1 and low < 0.5
    found = uncertainty.compare(both, both.assign(predicted="sad"))
    assert found["points"] == pytest.approx(-50) and found["only_second"] == 2


def test_the_same_answers_under_more_seeds_are_no_surer(network):
    again = pd.concat([network.assign(seed=seed) for seed in range(5)])
    for measure in uncertainty.MEASURES:
        assert uncertainty.interval(again, measure) == pytest.approx(uncertainty.interval(network, measure))
    other = network.assign(predicted=network["predicted"].where(network.index % 7 > 0, "sad"))
    once = uncertainty.compare(network, other)
    often = uncertainty.compare(again, pd.concat([other.assign(seed=seed) for seed in range(5)]))
    assert [often[key] for key in ("points", "low", "high")] == pytest.approx(
        [once[k] for k in ("points", "low", "high")]
    )
    assert often["only_first"] == 5 * once["only_first"]
    with pytest.raises(ValueError, match="share 600 sequences of 3000 and 600"):
        uncertainty.compare(again, network.assign(seed=0))


def test_two_sets_of_sequences_are_told_apart(network):
    """600 sequences of which those of every third actor are read badly, and 200 others that are read well."""
    better = network[network["actor"] % 3 > 0]
    found = uncertainty.difference(better, network)
    expected = [evaluation.accuracy(t["emotion"], t["predicted"]) for t in (better, network)]
    assert found["points"] == pytest.approx(100 * (expected[0] - expected[1]))
    assert 0 < found["low"] < found["points"] < found["high"]
    assert uncertainty.difference(network, network) == {"points": 0, "low": 0, "high": 0}


def test_a_difference_without_enough_actors_has_no_interval(network):
    found = uncertainty.difference(network[network["actor"] == 1], network[network["actor"] < 3])
    assert np.isfinite(found["points"]) and np.isnan([found["low"], found["high"]]).all()


def test_draws_without_an_actor_of_a_set_do_not_count(network):
    """Of 30 actors five make the second set: one draw in 240 holds none of them."""
    low, high = (uncertainty.difference(network, network[network["actor"] < 5])[key] for key in ("low", "high"))
    assert -60 < low < high < 60
