"""Sizes and protocols of the split."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.emotions import EMOTIONS
from lib.base.problems import InputProblem
from lib.corpora import records
from lib.sequences import splits
from lib.sequences.cutting import windows

STATED = (5000, 1000, 1704)


def test_the_papers_sizes_are_kept():
    assert splits.sizes(7704, STATED) == STATED


@given(st.integers(6, 20000))
def test_other_totals_keep_the_proportions(total):
    parts = splits.sizes(total, STATED)
    assert sum(parts) == total
    assert all(abs(part - total * stated / 7704) <= 2 for part, stated in zip(parts, STATED, strict=True))


@pytest.fixture(scope="module")
def cremad():
    """A row a sequence of CREMA-D, by its own records."""
    clips = records.clips()
    return clips.loc[clips.index.repeat([len(windows(frames, "windows")) for frames in clips["frames"]])]


@st.composite
def tables(draw, fewest_actors=3):
    """Tables of sequences in any order: actors with one clip to eight, clips with one window to three."""
    rows = []
    for actor in range(draw(st.integers(fewest_actors, 14))):
        sex = draw(st.sampled_from(["female", "male", None]))
        for clip in range(draw(st.integers(1, 8))):
            row = {"clip": f"{actor}_{clip}", "actor": actor, "sex": sex, "emotion": draw(st.sampled_from(EMOTIONS))}
            rows += [row] * draw(st.integers(1, 3))
    return pd.DataFrame(draw(st.permutations(rows)))


def parts_by(table, part, column):
    """How many parts each value of `column` is in."""
    return pd.Series(part, table.index).groupby(table[column]).nunique()


def deviations(table, part):
    """Sequences that each part has more or fewer than stated."""
    sizes = splits.sizes(len(table), STATED)
    return [abs(int((part == name).sum()) - size) for name, size in zip(splits.PARTS, sizes, strict=True)]


@pytest.mark.parametrize("protocol", splits.PROTOCOLS)
def test_the_seed_decides(protocol, cremad):
    first, again, other = (splits.split(cremad, protocol, STATED, seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert set(first) == set(splits.PARTS)


@given(table=tables(), seed=st.integers(0, 2**32))
def test_no_actor_is_on_both_sides_and_every_part_has_some(table, seed):
    part = splits.split(table, "actor", STATED, seed)
    assert set(part) == set(splits.PARTS)
    assert (parts_by(table, part, "actor") == 1).all() and (parts_by(table, part, "clip") == 1).all()


@given(table=tables(fewest_actors=1), seed=st.integers(0, 2**32))
def test_no_clip_is_on_both_sides_and_the_sizes_are_near(table, seed):
    part = splits.split(table, "clip", STATED, seed)
    assert set(part) <= set(splits.PARTS)
    assert (parts_by(table, part, "clip") == 1).all()
    assert max(deviations(table, part)) < table["clip"].value_counts().max()


def test_the_papers_split_has_both_halves_of_clips_on_two_sides(cremad):
    part = splits.split(cremad, "random", STATED, 2021)
    assert deviations(cremad, part) == [0, 0, 0]
    assert (parts_by(cremad, part, "clip") > 1).any() and (parts_by(cremad, part, "actor") == 3).all()


@pytest.mark.parametrize("protocol", ["clip", "actor", "mae-dfer"])
def test_the_split_belongs_to_the_clip_and_not_to_the_row(protocol, cremad):
    part = pd.Series(splits.split(cremad, protocol, STATED, 5)).groupby(cremad["clip"].to_numpy()).first()
    turned = cremad[::-1]
    again = pd.Series(splits.split(turned, protocol, STATED, 5)).groupby(turned["clip"].to_numpy()).first()
    assert part.equals(again)


@pytest.mark.parametrize("seed", [1, 2, 2021])
def test_cremads_clips_keep_the_sizes(cremad, seed):
    part = splits.split(cremad, "clip", STATED, seed)
    assert (parts_by(cremad, part, "clip") == 1).all()
    assert deviations(cremad, part) == [0, 0, 0]


@pytest.mark.parametrize("seed", [1, 2, 2021])
def test_cremads_actors_are_apart_and_balanced(cremad, seed):
    part = splits.split(cremad, "actor", STATED, seed)
    assert (parts_by(cremad, part, "actor") == 1).all()
    assert max(deviations(cremad, part)) <= 20
    for column, points in (("sex", 0.04), ("emotion", 0.01)):  # one of 12 actors is 0.08
        shares = pd.crosstab(part, cremad[column], normalize="index")
        assert (shares - cremad[column].value_counts(normalize=True)).abs().to_numpy().max() < points


def test_five_seeds_test_every_actor_once_by_the_published_folds(cremad):
    folds = pd.read_csv(splits.FOLDS)
    assert len(folds) == 91 and folds["fold"].value_counts().to_dict() == {1: 18, 2: 18, 3: 18, 4: 18, 5: 19}
    tested = []
    for seed in range(2021, 2026):
        part = splits.split(cremad, "mae-dfer", STATED, seed)
        assert (parts_by(cremad, part, "actor") == 1).all()
        tested.append(set(cremad.loc[part == "test", "actor"]))
        assert tested[-1] == set(folds.loc[folds["fold"] == seed % 5 + 1, "actor"])
        assert (part == "validation").sum() / (part != "test").sum() == pytest.approx(1 / 6, abs=0.01)
    assert sum(map(len, tested)) == len(set.union(*tested)) == 91


def test_the_published_folds_need_cremads_actors(cremad):
    with pytest.raises(InputProblem, match="does not name the actor 2001.*take the protocol actor"):
        splits.split(cremad.assign(actor=2001), "mae-dfer", STATED, 1)
    with pytest.raises(InputProblem, match="too few actors for fold 2"):
        splits.split(cremad[cremad["actor"] < 1010], "mae-dfer", STATED, 1)


def test_twenty_four_actors_are_balanced():
    sexes = {actor: ("female", "male")[actor % 2] for actor in range(24)}
    table = pd.DataFrame([(actor, emotion) for actor in sexes for emotion in EMOTIONS for _ in range(3)])
    table.columns = ["actor", "emotion"]
    table["sex"] = table["actor"].map(sexes)
    part = splits.split(table, "actor", STATED, 3)
    women = table[table["sex"] == "female"].groupby(part[table["sex"] == "female"])["actor"].nunique()
    actors = table.groupby(part)["actor"].nunique()
    assert actors[list(splits.PARTS)].tolist() == [16, 3, 5]
    assert women["train"] in (7, 8, 9) and women["validation"] in (1, 2) and women["test"] in (2, 3)


def test_too_few_actors_are_refused():
    table = pd.DataFrame({"actor": [1, 2], "sex": ["male", "male"], "emotion": ["sad", "sad"]})
    with pytest.raises(ValueError, match="2 actors cannot be split"):
        splits.split(table, "actor", STATED, 1)


def test_an_unknown_protocol_is_named():
    with pytest.raises(ValueError, match="by_moon"):
        splits.split(pd.DataFrame({"clip": range(9)}), "by_moon", STATED, 1)
