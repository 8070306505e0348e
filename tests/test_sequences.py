"""Windows, padding and the array of sequences."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.problems import InputProblem
from lib.sequences import cutting
from lib.study.choices import WINDOW_RULES

SETTINGS = {"window_frames": 75, "window_minimum_frames": 35, "window_trimmed_frames": 110, "window_face_share": 0.5}


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (34, []),
        (35, [(0, 35)]),
        (75, [(0, 75)]),
        (76, [(0, 75)]),
        (109, [(0, 75)]),
        (110, [(0, 75)]),
        (111, [(0, 75), (75, 36)]),
        (150, [(0, 75), (75, 75)]),
        (185, [(0, 75), (75, 75), (150, 35)]),
    ],
)
def test_windows_at_the_papers_thresholds(frames, expected):
    assert cutting.windows(frames, "windows") == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("first", [(0, 75)]),
        ("middle", [(17, 75)]),
        ("last", [(35, 75)]),
        ("split_at_150", [(0, 75)]),
    ],
)
def test_one_window_rules(rule, expected):
    assert cutting.windows(110, rule) == expected


@given(st.integers(0, 2000), st.sampled_from(WINDOW_RULES))
def test_every_window_lies_in_the_clip_and_none_overlap(frames, rule):
    cut = cutting.windows(frames, rule)
    assert all(35 <= length <= 75 and start >= 0 and start + length <= frames for start, length in cut)
    assert all(a[0] + a[1] <= b[0] for a, b in zip(cut, cut[1:], strict=False))
    assert bool(cut) == (frames >= 35)


def test_unknown_rule_is_named():
    with pytest.raises(ValueError, match="sliding"):
        cutting.windows(80, "sliding")


@given(st.integers(1, 75))
def test_padding_repeats_the_last_frame(frames):
    faces = np.arange(frames, dtype=np.uint8).reshape(frames, 1, 1, 1)
    padded = cutting.pad(faces)
    assert padded.shape == (75, 1, 1, 1)
    assert (padded[:frames] == faces).all()
    assert (padded[frames:] == faces[-1]).all()


def corpus(folder, lengths):
    """Two actors' faces on disk; a frame's value tells its clip and place."""
    rng = np.random.default_rng(1)
    clips, faces = [], []
    for actor, frames in enumerate(lengths):
        names = [f"{actor}_{i}" for i in range(len(frames))]
        pictures = rng.integers(0, 255, (sum(frames), 28, 28, 3), dtype=np.uint8)
        offsets = np.concatenate([[0], np.cumsum(frames)])
        np.savez(
            folder / f"{actor}.npz",
            faces=pictures,
            clips=np.array(names),
            offsets=offsets,
            success=np.ones(sum(frames), bool),
        )
        for name, count in zip(names, frames, strict=True):
            clips.append({"clip": name, "actor": actor, "emotion": "happy", "sentence": "01", "level": "XX"})
            faces.append({"clip": name, "frames": count, "frames_with_face": count})
    return pd.DataFrame(clips).assign(sex="female", age=30), pd.DataFrame(faces)


def test_cut_writes_each_window_where_the_table_says(tmp_path):
    clips, faces = corpus(tmp_path, [[40, 120, 20], [75]])
    table = cutting.cut(clips, faces, tmp_path, tmp_path / "s" / "sequences.npy", SETTINGS, "windows")
    table.to_csv(tmp_path / "s" / "sequences.csv", index=False)
    array, read = cutting.load(tmp_path / "s")
    assert table["clip"].tolist() == ["0_0", "0_1", "0_1", "1_0"]
    assert table["padded"].tolist() == [35, 0, 30, 0]
    assert read["sentence"].tolist() == ["01"] * 4
    stored = np.load(tmp_path / "0.npz")["faces"]
    assert (array[1] == stored[40:115]).all()
    assert (array[2, :45] == stored[115:160]).all() and (array[2, 45:] == stored[159]).all()


def test_a_clip_without_a_face_gives_no_sequence(tmp_path):
    clips, faces = corpus(tmp_path, [[40, 50]])
    faces.loc[0, "frames_with_face"] = 0
    assert cutting.sequences_of(clips, faces, "windows", 75, 35, 110)["clip"].tolist() == ["0_1"]


def test_a_window_with_few_faces_is_left_out_and_listed(tmp_path):
    clips, faces = corpus(tmp_path, [[40, 150], [75]])
    stored = dict(np.load(tmp_path / "0.npz"))
    stored["success"][40 + 75 : 40 + 150] = False  # the second window of a clip whose first one has faces
    stored["success"][40 + 75 : 40 + 75 + 30] = True
    np.savez(tmp_path / "0.npz", **stored)
    faces.loc[1, "frames_with_face"] = 105
    table = cutting.cut(clips, faces, tmp_path, tmp_path / "sequences.npy", SETTINGS, "windows")
    assert table["clip"].tolist() == ["0_0", "0_1", "1_0"] and table["sequence"].tolist() == [0, 1, 2]
    assert len(np.load(tmp_path / "sequences.npy")) == 3
    (row,) = pd.read_csv(tmp_path / cutting.LEFT_OUT).to_dict("records")
    assert row["file"].endswith("0_1") and row["problem"].startswith("shows a face in 30 of the 75 frames 75 to 149")
    table = cutting.cut(
        clips, faces, tmp_path, tmp_path / "sequences.npy", {**SETTINGS, "window_face_share": 0.4}, "windows"
    )
    assert len(table) == 4 and pd.read_csv(tmp_path / cutting.LEFT_OUT).empty


@pytest.mark.parametrize("shorter", ["clips", "faces"])
def test_a_table_of_fewer_clips_loses_no_sequence_in_silence(tmp_path, shorter):
    tables = dict(zip(("clips", "faces"), corpus(tmp_path, [[40, 50], [60]]), strict=True))
    tables[shorter] = tables[shorter][:-1]
    with pytest.raises(InputProblem, match="do not list the same clips: 1 are in one of them only, 1_0 first"):
        cutting.cut(tables["clips"], tables["faces"], tmp_path, tmp_path / "sequences.npy", SETTINGS, "windows")
    assert not (tmp_path / "sequences.npy").exists()


def test_a_table_in_another_order_than_the_array_is_refused(tmp_path):
    clips, faces = corpus(tmp_path, [[40, 50]])
    table = cutting.cut(clips, faces, tmp_path, tmp_path / "sequences.npy", SETTINGS, "windows")
    table[::-1].to_csv(tmp_path / "sequences.csv", index=False)
    with pytest.raises(InputProblem, match=r"sequences\.csv: does not list the sequences in the array's order"):
        cutting.load(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    clips, faces = corpus(tmp_path, [[40]])
    (tmp_path / "0.npz").write_bytes((tmp_path / "0.npz").read_bytes()[:500])
    with pytest.raises(InputProblem, match=r"0\.npz"):
        cutting.cut(clips, faces, tmp_path, tmp_path / "sequences.npy", SETTINGS, "windows")
    assert not (tmp_path / "sequences.npy").exists()


def test_a_missing_or_truncated_array_is_named(tmp_path):
    with pytest.raises(InputProblem, match="make reproduce"):
        cutting.load(tmp_path)
    clips, faces = corpus(tmp_path, [[40, 50]])
    cutting.cut(clips, faces, tmp_path, tmp_path / "sequences.npy", SETTINGS, "windows").to_csv(
        tmp_path / "sequences.csv", index=False
    )
    content = (tmp_path / "sequences.npy").read_bytes()
    (tmp_path / "sequences.npy").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputProblem, match=r"sequences\.npy"):
        cutting.load(tmp_path)


def test_frames_in_another_order_are_the_same_frames():
    array = np.random.default_rng(0).integers(0, 255, (5, 75, 4, 4, 3), dtype=np.uint8)
    shuffled, last = (cutting.in_order(array, order, seed=1) for order in ("shuffled", "last"))
    assert cutting.in_order(array, "filmed", seed=1) is array
    assert shuffled.shape == array.shape and len(shuffled) == 5 and shuffled.dtype == np.uint8
    rows = np.array([3, 1])
    assert not np.array_equal(shuffled[rows], array[rows])
    assert np.array_equal(shuffled[rows][0], shuffled[3])  # the same order, however it is read
    for row in range(5):
        assert sorted(map(bytes, shuffled[row])) == sorted(map(bytes, array[row]))
        assert all(np.array_equal(frame, array[row, -1]) for frame in last[row])
    assert not np.array_equal(shuffled[0], cutting.in_order(array, "shuffled", seed=2)[0])
    few = cutting.in_order(array, "take-5", seed=1)[2]
    assert np.array_equal(few, np.repeat(array[2, [7, 22, 37, 52, 67]], 15, axis=0))
    for count in (15, 35):
        assert len({*map(bytes, cutting.in_order(array, f"take-{count}", seed=1)[2])}) == count
    with pytest.raises(ValueError, match="filmed, shuffled, last"):
        cutting.in_order(array, "backwards", seed=1)
