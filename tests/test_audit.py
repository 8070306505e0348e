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


@pytest.fixture
def paper(tmp_path, monkeypatch):
    """A copy of the paper's Figure 5 that a test may complete or break."""
    for name in ("fig5", "fig5_margins"):
        (tmp_path / f"{name}.csv").write_bytes((audit.PAPER / f"{name}.csv").read_bytes())
    monkeypatch.setattr("lib.study.paper.PAPER", tmp_path)
    return tmp_path


def complete(folder):
    """Write a matrix that has the known cells and margins, and is invented otherwise."""
    matrix = pd.DataFrame(
        [
            [221, 20, 20, 9, 23, 10],
            [10, 267, 12, 2, 6, 13],
            [14, 5, 204, 2, 21, 33],
            [3, 4, 4, 266, 2, 4],
            [5, 3, 17, 4, 190, 4],
            [9, 1, 54, 1, 51, 190],
        ],
        index=pd.Index(EMOTIONS, name="true"),
        columns=EMOTIONS,
    )
    matrix.to_csv(folder / "fig5.csv")
    return matrix


def test_what_is_known_of_figure_5():
    matrix, margins = audit.figure5()
    assert margins["true_total"].sum() == 1704 and margins["correct"].sum() == 1338
    assert matrix.at["sad", "fear"] == 54 and matrix.notna().to_numpy().sum() == 7
    possible = audit.possible_columns(margins, audit.printed("fig5_summaries"))
    assert len(possible) == 4 and (possible.sum(axis=1) == 1704).all()
    assert possible[["fear", "happy", "neutral"]].drop_duplicates().values.tolist() == [[311, 284, 283]]


def test_a_complete_matrix_gives_the_margins(paper):
    matrix = complete(paper)
    margins = pd.DataFrame(
        {
            "emotion": EMOTIONS,
            "true_total": matrix.sum(axis=1).to_numpy(),
            "correct": np.diag(matrix),
            "predicted_total": matrix.sum().to_numpy(),
        }
    )
    known = margins.assign(predicted_total=[None, None, *margins["predicted_total"][2:]])
    known.to_csv(paper / "fig5_margins.csv", index=False)
    got = audit.figure5()[1]
    assert got.astype({"predicted_total": int})["predicted_total"].tolist() == margins["predicted_total"].tolist()
    exact = {
        name: f"{value:.4f}"
        for name, value in audit.summaries(
            *(margins[c].to_numpy(float) for c in ("true_total", "correct", "predicted_total"))
        ).items()
    }
    published = pd.DataFrame({"measure": exact.keys(), "value": exact.values()})
    assert len(audit.possible_columns(got, published)) == 1


def test_a_changed_cell_contradicts_the_margins(paper):
    text = (paper / "fig5.csv").read_text()
    (paper / "fig5.csv").write_text(text.replace("266", "265"))
    with pytest.raises(ValueError, match="correct of happy is 265 in fig5.csv and 266"):
        audit.figure5()


def test_the_summaries_are_scikit_learns():
    from sklearn.metrics import cohen_kappa_score, f1_score, precision_score

    generator = np.random.default_rng([3])
    true, predicted = generator.integers(0, 6, (2, 500))
    matrix = np.zeros((6, 6))
    np.add.at(matrix, (true, predicted), 1)
    got = audit.summaries(matrix.sum(axis=1), np.diag(matrix), matrix.sum(axis=0))
    assert got == pytest.approx(
        {
            "macro_precision": precision_score(true, predicted, average="macro"),
            "macro_f1": f1_score(true, predicted, average="macro"),
            "weighted_f1": f1_score(true, predicted, average="weighted"),
            "kappa": cohen_kappa_score(true, predicted),
        }
    )


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
