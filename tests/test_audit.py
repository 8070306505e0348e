"""The audit's arithmetic: what a printed number can be, and what a difference supports."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.emotions import EMOTIONS
from lib.claims import audit
from lib.claims.settle import Claims


@given(st.integers(1, 3000), st.integers(0, 3000), st.integers(0, 3))
def test_grim_finds_the_count_behind_every_rounded_percentage(total, k, decimals):
    k = min(k, total)
    text = f"{round(100 * k / total, decimals):.{decimals}f}"
    found = audit.grim(text, total)
    nearest = min(range(total + 1), key=lambda n: abs(100 * n / total - float(text)))
    assert k in found or nearest in found
    assert all(abs(100 * n / total - float(text)) <= 10**-decimals + 1e-9 for n in found)


@pytest.mark.parametrize(
    ("text", "total", "scale", "fits"),
    [
        ("78.52", 1704, 100, {1338: "rounded or cut off"}),
        ("78.53", 1704, 100, {}),
        ("75.47", 1704, 100, {1286: "rounded"}),
        ("0.754", 1704, 1, {1284: "rounded", 1285: "rounded or cut off", 1286: "cut off"}),
        ("67.13", 283, 100, {190: "cut off"}),
        ("100", 7, 100, {7: "rounded or cut off"}),
    ],
)
def test_grim(text, total, scale, fits):
    assert audit.grim(text, total, scale) == fits


def test_grim_in_words():
    assert audit.fits("78.53", 1704) == "no k/1704"
    assert audit.fits("63.35", 1056) == "669/1056 rounded or cut off"
    assert audit.fits("0.73", 1704, 1) == "1236 to 1260/1704"


def test_the_ravdess_total():
    found = audit.totals_that_fit(["63.35", "57.86"], [828, 1056, 1248, 1440, 1884, 2068, 2112])
    assert found == [1056, 2112]
    assert audit.class_totals("84.1", 31) == [195, 196]
    assert audit.class_totals("51.1", 156) == [319]


def test_seven_clips_are_no_difference():
    gap = audit.difference(1338, 1331, 1704)
    assert gap["low"] < 0 < gap["high"] and gap["p"] == pytest.approx(0.771, abs=1e-3)
    bounds = audit.mcnemar_by_discordance(1338, 1331, 1704).set_index("case")
    assert bounds.at["fewest", "p"] == 2 / 2**7
    assert bounds.at["fewest", "discordant"] == 7 and bounds.at["independent", "p"] > 0.5
    assert bounds.at["most", "discordant"] == (1704 - 1338) + (1704 - 1331)


def test_leaks_agree_with_a_simulation():
    sizes = {"training": 500, "validation": 100, "test": 170}
    clips = 740  # so 30 clips give two sequences
    owner = np.concatenate([np.arange(clips), np.arange(30)])
    generator = np.random.default_rng([7])
    twins = []
    for _ in range(2000):
        part = generator.permutation(owner)
        training, test = part[:500], part[600:]
        twins.append(np.isin(test, training).sum())
    assert audit.leaks(sizes, clips, 10)["twins"] == pytest.approx(np.mean(twins), rel=0.03)


def test_figure_5_by_emotion_is_scikit_learns():
    from sklearn.metrics import precision_recall_fscore_support

    matrix, margins = audit.figure5()
    true = np.repeat(EMOTIONS, matrix.sum(axis=1))
    predicted = np.concatenate([np.repeat(EMOTIONS, row) for row in matrix.to_numpy()])
    precision, recall, f1, _ = precision_recall_fscore_support(true, predicted, labels=EMOTIONS)
    assert margins["correct"].sum() == 1338 and margins["predicted_total"].tolist() == [263, 299, 311, 284, 283, 264]
    for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert margins[name].to_numpy() == pytest.approx(values)


def test_homogeneity_sees_margins_and_not_errors():
    even = pd.DataFrame([[50, 5, 5], [5, 50, 5], [5, 5, 50]])
    assert audit.homogeneity(even)[1] == pytest.approx(1)
    tilted = pd.DataFrame([[50, 30, 0], [0, 50, 5], [0, 5, 50]])
    assert audit.homogeneity(tilted)[1] < 0.001
    statistic, p = audit.homogeneity(audit.figure5()[0])
    assert statistic == pytest.approx(42.66, abs=0.01) and p < 1e-6


@given(st.lists(st.integers(1, 60), min_size=3, max_size=6), st.data())
def test_the_bounds_hold_every_way_to_share_out_the_right_clips(sizes, data):
    rights = [data.draw(st.integers(0, size)) for size in sizes]
    names = [str(number) for number in range(len(sizes))]
    known = dict(zip(names[:2], rights, strict=False))
    low, high = audit.uar_bounds(sum(rights), known, dict(zip(names, sizes, strict=True)))
    own = np.mean([right / size for right, size in zip(rights, sizes, strict=True)])
    assert low - 1e-9 <= own <= high + 1e-9


def test_the_loss_offset_is_found_again():
    accuracy = np.linspace(0.4, 0.8, 12)
    layers = np.tile([5, 6, 7], 4)
    offset = pd.Series(layers).map({5: 0, 6: 0.3, 7: 0.5}).to_numpy()
    columns = {f"{part}_accuracy": accuracy + shift for part, shift in (("validation", 0), ("test", 0.01))}
    losses = {f"{part}_loss": 2 - columns[f"{part}_accuracy"] + offset for part in ("validation", "test")}
    found = audit.loss_offsets(pd.DataFrame({"layers": layers, **columns, **losses}))
    assert found.to_dict() == pytest.approx({6: 0.3, 7: 0.5})


def test_a_part_drawn_without_replacement_fits_and_another_does_not():
    corpus = pd.Series(1280, index=list(EMOTIONS)) - pd.Series({"neutral": 190}).reindex(EMOTIONS, fill_value=0)
    labels = np.repeat(EMOTIONS, corpus)
    generator = np.random.default_rng([5])
    draws = [pd.Series(generator.permutation(labels)[:1704]).value_counts().reindex(EMOTIONS) for _ in range(400)]
    below = np.mean([audit.fits_corpus(draw, corpus) < 0.05 for draw in draws])
    assert 0.02 < below < 0.09  # without the correction for a finite corpus it would be 0.01
    assert audit.fits_corpus([304, 264, 300, 284, 300, 252], corpus) < 0.001


def test_a_claim_is_settled_only_as_the_file_says(tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text(
        "id,section,statement,paper,check,verdict,result\nA1,I,s,1|2,c,corrected,two\nA2,I,s,1,c,unknown,-\n"
    )
    claims = Claims(path)
    with pytest.raises(AssertionError, match="A1: result is 'three'"):
        claims.settle("A1", False, "three", right_value_follows=True)
    with pytest.raises(AssertionError, match="A1: verdict is 'inconsistent'"):
        claims.settle("A1", False, "two")
    claims.settle("A1", False, "two", right_value_follows=True)
    assert claims.unsettled() == ["A2"] and claims.counts().to_dict()["corrected"] == 1
    assert "1\\|2" in claims.markdown("corrected") and claims.table()["id"].tolist() == ["A1"]
