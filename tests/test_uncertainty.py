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
from lib.measures import evaluation, intervals, uncertainty


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
    """With thirty actors it is that of a bootstrap over actors, and a little wider."""
    of = getattr(evaluation, measure)
    low, high = uncertainty.interval(network, measure)
    assert low < of(network["emotion"], network["predicted"]) < high
    rng = np.random.default_rng([11])
    by_actor = {actor: rows for actor, rows in network.groupby("actor")}
    drawn = []
    for _ in range(150):
        again = pd.concat([by_actor[actor] for actor in rng.integers(0, 30, 30)])
        drawn.append(of(again["emotion"], again["predicted"]))
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx([low, high], abs=0.04)


def test_actors_that_differ_widen_the_interval(network):
    low, high = uncertainty.interval(network)
    wilson = evaluation.wilson(int((network["emotion"] == network["predicted"]).sum()), 600)
    assert high - low > 1.5 * (wilson[1] - wilson[0])


def test_an_emotion_that_is_not_shown_does_not_count():
    """Without one of three actors only one emotion is left: recalls of 1, 1 and 0."""
    table = predictions(["sad", "happy", "sad"], ["sad", "angry", "sad"], actors=[1, 2, 3])
    low, high = uncertainty.interval(table, "uar")
    assert low == 0 and high == 1  # a share ends there


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
    assert found["mcnemar"] == pytest.approx(binomtest(10, 40).pvalue)
    assert (found["p"] < 0.05) == (found["low"] > 0)
    turned = uncertainty.compare(network, better)
    assert (turned["points"], turned["mcnemar"]) == (pytest.approx(-found["points"]), found["mcnemar"])
    assert turned["p"] == pytest.approx(found["p"])


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


def seeds(*accuracies, actors=20, each=10, rng=None):
    """Sad sequences under several seeds, of which so large a share of each actor's is right."""
    rng = rng or np.random.default_rng([5])
    tables = []
    for seed, accuracy in enumerate(accuracies):
        hits = rng.random(actors * each) < accuracy
        names = np.repeat(np.arange(actors), each)
        tables.append(predictions(["sad"] * len(hits), np.where(hits, "sad", "fear"), names).assign(seed=seed))
    return pd.concat(tables, ignore_index=True)


def test_every_seed_weighs_the_same():
    both = pd.concat([seeds(1), seeds(0, actors=3).assign(seed=1)])
    other = both.assign(predicted="sad")
    found = uncertainty.compare(both, other)
    assert found["points"] == pytest.approx(-50) and found["only_second"] == 30


def test_seeds_that_differ_widen_the_interval():
    alike, apart = (uncertainty.interval(seeds(*shares)) for shares in ([0.7] * 5, [0.5, 0.6, 0.7, 0.8, 0.9]))
    assert apart[1] - apart[0] > 2 * (alike[1] - alike[0])
    assert uncertainty.compare(seeds(0.5, 0.9), seeds(0.7, 0.7))["low"] < 0


def test_more_seeds_of_one_network_are_no_surer_of_the_actors(network):
    """Equal answers under five seeds: nothing varies between seeds, and the actors are as few as they were."""
    again = pd.concat([network.assign(seed=seed) for seed in range(5)])
    for measure in uncertainty.MEASURES:
        assert uncertainty.interval(again, measure) == pytest.approx(uncertainty.interval(network, measure))
    other = network.assign(predicted=network["predicted"].where(network.index % 7 > 0, "sad"))
    once = uncertainty.compare(network, other)
    often = uncertainty.compare(again, pd.concat([other.assign(seed=seed) for seed in range(5)]))
    for key in ("points", "low", "high", "p"):
        assert often[key] == pytest.approx(once[key])
    assert often["only_first"] == 5 * once["only_first"] and np.isnan(often["mcnemar"])
    with pytest.raises(ValueError, match="share 600 sequences of 3000 and 600"):
        uncertainty.compare(again, network.assign(seed=0))


def test_errors_of_calibration_do_not_cancel_between_seeds():
    """One seed is sure and wrong, the other unsure and right: pooled they would look well calibrated."""
    sure = predictions(["sad"] * 10, ["fear"] * 5 + ["sad"] * 5, confidence=0.75).assign(seed=1)
    unsure = predictions(["sad"] * 10, ["sad"] * 10, confidence=0.75).assign(seed=2)
    both = pd.concat([sure, unsure])
    assert uncertainty.calibration_error(both) == pytest.approx(0.25)
    assert uncertainty.calibration_error(both.drop(columns="seed")) == pytest.approx(0)


def test_a_planted_accuracy_is_covered():
    """Few actors who differ, five seeds that differ: 95 % intervals hold the truth in at least 92 % of 300 studies."""
    rng = np.random.default_rng([8])
    inside = 0
    for _ in range(300):
        easy = rng.normal(0, 0.1, 6)
        shares = np.clip(0.7 + easy + rng.normal(0, 0.03, (5, 1)), 0, 1)
        counts = np.stack([rng.binomial(30, shares), np.full((5, 6), 30)], axis=-1).astype(float)
        found = intervals.estimate(counts, lambda totals: totals[..., :1] / totals[..., 1:])
        inside += found.low[0] <= 0.7 <= found.high[0]
    assert inside >= 0.92 * 300


@pytest.mark.parametrize("single", [False, True])
def test_a_single_training_takes_the_spread_that_it_is_given(single):
    counts = np.stack([np.arange(1.0, 9), np.full(8, 10.0)], axis=-1)[None]
    own, spread = (
        intervals.estimate(counts, lambda t: t[..., :1] / t[..., 1:], over_actors=not single, spread=given)
        for given in (None, (0.1, 5))
    )
    assert np.isnan(own.half[0]) if single else own.half[0] < spread.half[0]
    if single:
        assert spread.half[0] == pytest.approx(0.1 * 2.7764451)


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


def test_seeds_count_in_a_difference_of_two_sets():
    many, one = seeds(0.6, 0.7, 0.8, 0.9), seeds(0.5)
    found, without = uncertainty.difference(many, one), uncertainty.difference(seeds(0.75, 0.75, 0.75, 0.75), one)
    assert found["high"] - found["low"] > 1.5 * (without["high"] - without["low"])
