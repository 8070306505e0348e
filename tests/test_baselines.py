"""The baselines, on the landmarks of simulated performances and on CREMA-D's votes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.base.problems import InputProblem
from lib.measures import baselines, votes
from lib.measures.evaluation import accuracy
from lib.measures.uncertainty import calibration_error, compare, interval
from lib.sequences.splits import split
from lib.study import results
from lib.synthetic import DIALS
from lib.synthetic.actors import cast
from lib.synthetic.anatomy import landmarks
from lib.synthetic.motion import perform
from lib.synthetic.muscles import controls, shape

FRAMES = 40
REST = landmarks(cast(9001)) * 60 + 150  # pixels


def moved(numbers, right=0.0, down=0.0):
    """The face at rest with some of its points moved, as one frame."""
    face = REST.copy()
    face[numbers] += (right, down)
    return face[None]


def performed(actor, emotion, rng):
    """Landmarks of a simulated take as seen by a camera: somewhere, at some size, a little turned."""
    actor = cast(actor)
    take = perform(actor, emotion, "LO", "IEO", FRAMES, rng, DIALS)
    points = shape(actor, take, controls(actor, take))[:, :68] @ [1, 1j]
    turn = rng.uniform(40, 90) * np.exp(1j * rng.uniform(-0.3, 0.3))
    seen = points * turn + rng.uniform(100, 200, 2) @ [1, 1j]
    return np.stack([seen.real, seen.imag], axis=-1).astype(np.float32)


def write(folder, actor, clips, success=None):
    """An actor's file as lib.faces.corpus writes it, less what the baseline does not read."""
    frames = np.concatenate(list(clips.values()))
    np.savez(
        folder / f"{actor}.npz",
        landmarks=frames,
        success=np.ones(len(frames), dtype=bool) if success is None else success,
        clips=np.array(list(clips)),
        offsets=np.cumsum([0, *map(len, clips.values())]),
    )


def listed(clips, frames=FRAMES):
    """Table of sequences, one a clip: ``{clip: (actor, emotion)}``."""
    table = pd.DataFrame([(clip, *facts) for clip, facts in clips.items()], columns=["clip", "actor", "emotion"])
    table = table.assign(sequence=range(len(table)), window=0, first_frame=0, frames=frames, sex="female", level="XX")
    return table.assign(sex=np.where(table["actor"] % 2, "male", "female"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """24 actors with three takes of each emotion: its table and its features."""
    folder, rng, clips = tmp_path_factory.mktemp("faces"), np.random.default_rng([5]), {}
    for actor in range(9001, 9025):
        takes = {f"{actor}_{i}_{e}": performed(actor, e, rng) for e in EMOTIONS for i in range(3)}
        write(folder, actor, takes)
        clips |= {clip: (actor, clip.split("_")[2]) for clip in takes}
    table = listed(clips)
    return table, baselines.features(table, folder)


@settings(max_examples=50)
@given(
    size=st.floats(0.2, 5), turn=st.floats(-np.pi, np.pi), across=st.floats(-900, 900), down=st.floats(-900, 900),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_place_size_and_turn_do_not_matter(size, turn, across, down, seed):
    face = REST + np.random.default_rng([seed]).normal(0, 2, (3, 68, 2))
    rotation = [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]
    elsewhere = size * face @ rotation + (across, down)
    assert baselines.frame_measures(elsewhere) == pytest.approx(baselines.frame_measures(face), abs=1e-6)


@pytest.mark.parametrize(
    ("numbers", "right", "down", "risen"),
    [
        ([48, 54], 0, -4, {"lip corners"}),
        ([17, 26], 0, -4, {"outer brows"}),
        ([19, 24], 0, -4, {"middle brows"}),
        ([21, 22], 0, -4, {"inner brows"}),
        ([22], 4, 0, {"brow distance"}),
        ([37, 38, 43, 44], 0, -4, {"eye opening"}),
        ([8], 0, 4, {"jaw", "lip to chin"}),
        ([*range(55, 60), 65, 66, 67, *range(4, 13)], 0, 4, {"mouth opening", "jaw"}),
        ([54], 4, 0, {"mouth width"}),
        ([35], 4, 0, {"nose width"}),
        ([31, 35], 0, 4, {"nose wings to eyes"}),
        ([*range(31, 36)], 0, -4, {"nose to lip", "jaw"}),
    ],
)
def test_each_measure_tells_its_own_movement(numbers, right, down, risen):
    change = (baselines.frame_measures(moved(numbers, right, down)) - baselines.frame_measures(REST[None]))[0]
    change = dict(zip(baselines.MEASURES, change, strict=True))
    assert {measure for measure, by in change.items() if by > 0.01} == risen


def test_a_measure_is_in_distances_between_the_eyes():
    measured = dict(zip(baselines.MEASURES, baselines.frame_measures(REST[None])[0], strict=True))
    between = np.hypot(*(REST[45] - REST[36]))
    assert measured["mouth width"] == pytest.approx(np.hypot(*(REST[54] - REST[48])) / between)
    assert measured["inner brows"] == pytest.approx((REST[39, 1] - REST[21, 1]) / between)


def test_frames_without_a_face_do_not_count(tmp_path):
    rng = np.random.default_rng([1])
    whole = performed(9001, "happy", rng)
    lost = np.zeros(FRAMES, dtype=bool)
    lost[[0, 7, 8, 39]] = True
    holes = np.where(lost[:, None, None], np.float32(0), whole)
    table = listed({"a": (1, "happy")})
    write(tmp_path, 1, {"a": holes}, ~lost)
    with_holes = baselines.features(table, tmp_path)
    write(tmp_path, 1, {"a": whole[~lost]})
    pd.testing.assert_frame_equal(with_holes, baselines.features(listed({"a": (1, "happy")}, 36), tmp_path))
    write(tmp_path, 1, {"a": holes})  # points that fall together are no face, whatever the tracker says
    pd.testing.assert_frame_equal(with_holes, baselines.features(table, tmp_path))


def test_each_window_has_its_own_frames(tmp_path):
    rng = np.random.default_rng([2])
    long, short = (np.concatenate([performed(9001, e, rng) for e in pair]) for pair in (("sad", "happy"), ("fear",)))
    write(tmp_path, 1, {"short": short, "long": long})
    table = listed({"long": (1, "sad"), "next": (1, "sad")}).assign(clip="long", first_frame=[0, FRAMES])
    measured = baselines.features(table.set_index(pd.Index([12, 7])), tmp_path)
    assert measured.index.tolist() == [12, 7]
    for row, frames in zip((12, 7), (long[:FRAMES], long[FRAMES:]), strict=True):
        opening = baselines.frame_measures(frames)[:, 1]
        expected = [opening.mean(), opening.std(), *np.quantile(opening, [0.1, 0.9])]
        assert measured.loc[row, [f"mouth opening, {s}" for s in baselines.SUMMARIES]].tolist() == pytest.approx(
            expected
        )


@pytest.mark.parametrize("protocol", ["random", "clip", "actor"])
def test_geometry_reads_simulated_faces(corpus, protocol):
    table, measured = corpus
    part = split(table, protocol, (65, 13, 22), 3)
    test = part == "test"
    model = baselines.fit_geometry(measured, table, part)
    predictions = baselines.predict(model, table[test], measured[test])
    most = baselines.predict(baselines.fit_majority(table, part), table[test], measured[test])
    assert accuracy(predictions["emotion"], predictions["predicted"]) > 0.6
    assert len(set(most["predicted"])) == 1
    better = compare(predictions, most)
    assert better["low"] > 20 and better["p"] < 1e-4
    low, high = interval(predictions)
    assert (
        low < accuracy(predictions["emotion"], predictions["predicted"]) < high and calibration_error(predictions) < 0.4
    )


def test_answers_are_a_table_of_predictions(corpus):
    table, measured = corpus
    part = split(table, "actor", (65, 13, 22), 3)
    test = part == "test"
    for model in (baselines.fit_geometry(measured, table, part), baselines.fit_majority(table, part)):
        predictions = baselines.predict(model, table[test], measured[test])
        assert predictions.columns.tolist() == [*results.SEQUENCE, "predicted", *PROBABILITIES]
        assert predictions["sequence"].tolist() == table.loc[test, "sequence"].tolist()
        assert predictions[PROBABILITIES].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
        highest = predictions[PROBABILITIES].to_numpy().argmax(axis=1)
        assert predictions["predicted"].tolist() == [EMOTIONS[place] for place in highest]


def test_the_majority_is_that_of_the_training_part():
    table = listed({f"{i}": (i, e) for i, e in enumerate(["sad", "sad", "happy", "fear", "fear", "fear"])})
    part = np.array(["train"] * 3 + ["test"] * 3)
    predictions = baselines.predict(baselines.fit_majority(table, part), table, table[["frames"]])
    assert set(predictions["predicted"]) == {"sad"}
    assert predictions.loc[5, PROBABILITIES].tolist() == pytest.approx([0, 0, 0, 1 / 3, 0, 2 / 3], abs=1e-6)


def test_the_test_part_teaches_nothing(corpus):
    table, measured = corpus
    part = split(table, "random", (65, 13, 22), 8)
    test = part == "test"
    disturbed = table.assign(emotion=table["emotion"].where(~test, "sad"))
    other = measured.copy()
    other[test] = 5.0
    models = [baselines.fit_geometry(*data, part) for data in ((measured, table), (other, disturbed))]
    predictions, again = (baselines.predict(model, table, measured) for model in models)
    pd.testing.assert_frame_equal(predictions, again)


def test_a_sequence_without_a_face_gets_an_answer_and_an_emotion_never_seen_none(corpus):
    table, measured = corpus
    part = split(table, "random", (65, 13, 22), 8)
    part[(table["emotion"] == "fear") & (part == "train")] = "test"
    measured = measured.copy()
    measured.iloc[:2] = np.nan
    predictions = baselines.predict(baselines.fit_geometry(measured, table, part), table, measured)
    assert predictions["p_fear"].max() == 0 and predictions["predicted"].notna().all()
    assert predictions.loc[0, PROBABILITIES].tolist() == predictions.loc[1, PROBABILITIES].tolist()


def test_too_few_sequences_are_named(corpus):
    table, measured = corpus
    part = split(table, "random", (65, 13, 22), 8)
    with pytest.raises(ValueError, match="58 of 1 emotions train"):
        one = np.where((part == "train") & (table["emotion"] != "sad"), "test", part)
        baselines.fit_geometry(measured, table, one)
    with pytest.raises(ValueError, match="0 validate"):
        baselines.fit_geometry(measured, table, np.where(part == "validation", "test", part))
    with pytest.raises(ValueError, match="0 of 0 emotions train"):
        baselines.fit_geometry(measured * np.nan, table, part)
    with pytest.raises(ValueError, match="empty"):
        baselines.fit_majority(table, np.full(len(table), "test"))


def test_broken_files_are_named(tmp_path):
    table = listed({"a": (1, "sad")})
    with pytest.raises(InputProblem, match=r"1\.npz: is not there"):
        baselines.features(table, tmp_path)
    faces = performed(9001, "sad", np.random.default_rng([1]))
    write(tmp_path, 1, {"a": faces[:-1]})
    with pytest.raises(InputProblem, match="does not hold the frames of a"):
        baselines.features(table, tmp_path)
    write(tmp_path, 1, {"b": faces})
    with pytest.raises(InputProblem, match="does not hold the frames of a"):
        baselines.features(table, tmp_path)
    write(tmp_path, 1, {"a": faces[..., 0]})
    with pytest.raises(InputProblem, match="not landmarks"):
        baselines.features(table, tmp_path)
    content = (tmp_path / "1.npz").read_bytes()
    (tmp_path / "1.npz").write_bytes(content[:400])
    with pytest.raises(InputProblem, match="cannot be read"):
        baselines.features(table, tmp_path)


def test_the_crowd_answers_for_the_clips_it_saw():
    seen = votes.read_votes()
    table = listed({row.clip: (row.actor, row.emotion) for row in seen.itertuples()})
    predictions = baselines.crowd(table, seen, 7)
    assert len(predictions) == 7442
    right = accuracy(predictions["emotion"], predictions["predicted"])
    assert right == pytest.approx(votes.accuracy(seen, "plurality"), abs=0.005)
    assert baselines.crowd(table, seen, 7).equals(predictions) and not baselines.crowd(table, seen, 8).equals(
        predictions
    )
    share = votes.shares(seen, "rating")
    by_split = np.random.default_rng([7, 0]).uniform(0, 1e-6, share.shape)  # random numbers that draw the split, too
    assert (np.array(EMOTIONS)[(share + by_split).argmax(axis=1)] != predictions["predicted"]).any()
    chosen = share[np.arange(len(predictions)), [EMOTIONS.index(e) for e in predictions["predicted"]]]
    assert (chosen == share.max(axis=1)).all()


def test_both_windows_of_a_clip_share_the_crowds_answer_and_rendered_faces_have_none():
    seen = votes.read_votes()
    clip = seen.loc[(votes.shares(seen, "plurality") == 1 / 2).any(axis=1), "clip"].iloc[0]  # a tie
    table = pd.concat([listed({clip: (1, "sad")})] * 2 + [listed({"9001_IEO_SAD_HI": (9001, "sad")})])
    predictions = baselines.crowd(table.assign(sequence=[0, 1, 2], window=[0, 1, 0]), seen, 1)
    assert predictions["sequence"].tolist() == [0, 1] and len(set(predictions["predicted"])) == 1
