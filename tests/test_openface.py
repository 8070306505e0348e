"""FeatureExtraction's output as its versions write it, whole and damaged."""

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.base.problems import InputProblem
from lib.faces.alignment import SIZE
from lib.faces.openface import find_pictures, read_aligned, read_features

NEW = ["frame", "face_id", "timestamp", "confidence", "success"]
OLD = ["frame", "timestamp", "confidence", "success"]
POINTS = [f"{axis}_{i}" for axis in "xy" for i in range(68)]


def write_table(path, rows, head=NEW, separator=",", points=POINTS):
    """`rows` of (frame, confidence, success); point i of frame f lies at (f + i, f + i / 2)."""
    lines = [separator.join([*head, "gaze_0_x", *points])]
    for frame, confidence, success in rows:
        values = {"frame": frame, "face_id": 0, "timestamp": 0.03, "confidence": confidence, "success": success}
        coordinates = [frame + i for i in range(68)] + [frame + i / 2 for i in range(68)]
        lines.append(
            separator.join(
                str(v) for v in [*(values[h] for h in head), 0.1, *coordinates][: 1 + len(head) + len(points)]
            )
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def write_picture(folder, name, number, value, suffix="bmp", size=SIZE):
    target = folder / f"{name}_aligned" / f"frame_det_00_{number:06d}.{suffix}"
    target.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(target), np.full((size, size, 3), (10, 20, value), np.uint8))
    return target


@pytest.mark.parametrize(("head", "separator"), [(NEW, ","), (OLD, ", "), (NEW, ", ")])
def test_both_column_styles(tmp_path, head, separator):
    features = read_features(write_table(tmp_path / "a.csv", [(1, 0.98, 1), (2, 0.97, 1)], head, separator))
    assert features.points.shape == (2, 68, 2) and features.points.dtype == np.float32
    assert features.points[1, 10].tolist() == [12, 7]
    assert features.success.tolist() == [True, True]


def test_failed_and_absent_frames_and_second_faces(tmp_path):
    rows = [(1, 0.9, 1), (2, 0.1, 0), (5, 0.2, 1), (5, 0.9, 1), (4, 0.8, 1)]  # 3 is absent
    table = pd.read_csv(write_table(tmp_path / "a.csv", rows))
    table.loc[2, POINTS] += 100  # the less confident face of frame 5 is elsewhere
    table.to_csv(tmp_path / "a.csv", index=False)
    features = read_features(tmp_path / "a.csv")
    assert features.success.tolist() == [True, False, False, True, True]
    assert features.points[4, 10].tolist() == [15, 10]
    assert not features.points[[1, 2]].any()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such OpenFace table"),
        ("", "not an OpenFace table"),
        ("frame,success\n1,1\n", "no column confidence"),
        (",".join([*NEW, *POINTS]) + "\n", "empty"),
        (",".join([*NEW, *POINTS]) + "\n" + ",".join(["1"] * 4 + ["x"] * 137) + "\n", "not an OpenFace table"),
        (",".join([*NEW, *POINTS]) + "\n" + ",".join(["0"] * 141) + "\n", "frame numbers"),
        (",".join([*NEW, *POINTS]) + "\n" + ",".join(["1e15"] * 141) + "\n", "frame numbers"),
        (",".join([*NEW, *POINTS]) + "\n1,2\n", "not a number"),
        ("\x00\xff\x00", "OpenFace table"),
    ],
)
def test_damaged_tables_are_named(tmp_path, text, says):
    path = tmp_path / "a.csv"
    if text is not None:
        path.write_text(text, encoding="latin-1")
    with pytest.raises(InputProblem, match=says):
        read_features(path)


def test_pictures_with_holes_in_their_numbers(tmp_path):
    for number in (1, 3, 4):
        write_picture(tmp_path, "clip", number, 100 + number, "png")
    (tmp_path / "clip_aligned/notes.txt").write_text("not a picture")
    faces, success = read_aligned(tmp_path, "clip", np.array([True, True, True, False]))
    assert success.tolist() == [True, False, True, False]
    assert faces.shape == (4, 112, 112, 3)
    assert faces[2, 0, 0].tolist() == [103, 20, 10]  # RGB
    assert not faces[[1, 3]].any()


def test_pictures_of_another_size_and_damaged_ones(tmp_path):
    write_picture(tmp_path, "clip", 1, 50, size=64)
    assert read_aligned(tmp_path, "clip", np.array([True]))[0].shape == (1, 64, 64, 3)
    write_picture(tmp_path, "clip", 2, 50, size=32)
    with pytest.raises(InputProblem, match="another size"):
        read_aligned(tmp_path, "clip", np.array([True, True]))
    write_picture(tmp_path, "clip", 2, 50).write_bytes(b"BM")
    with pytest.raises(InputProblem, match="damaged"):
        read_aligned(tmp_path, "clip", np.array([True, True]))
    with pytest.raises(InputProblem, match="ends at frame 1"):
        read_aligned(tmp_path, "clip", np.array([True]))
    with pytest.raises(InputProblem, match="no aligned pictures"):
        read_aligned(tmp_path, "other", np.array([True]))


def test_real_output(real_data):
    folder = real_data / "openface"
    features = read_features(folder / "1001_DFA_ANG_XX.csv")
    assert features.success.all() and len(features.success) == 67
    assert len(find_pictures(folder, "1001_DFA_ANG_XX")) == 67
    faces, success = read_aligned(folder, "1001_DFA_ANG_XX", features.success)
    assert success.all() and faces.shape == (67, 112, 112, 3)
    assert 0.7 < faces.any(axis=-1).mean() < 0.85
