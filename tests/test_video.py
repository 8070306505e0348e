"""Frames of whole, damaged and missing videos."""

import contextlib

import cv2
import numpy as np
import pytest

from lib.base.problems import InputProblem
from lib.corpora.corpus import FPS
from lib.faces.video import read_frames

RED, BLUE = (255, 0, 0), (0, 0, 255)


def write(path, colours, fourcc="mp4v", size=(64, 48)):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), FPS, size)
    assert writer.isOpened()
    for red, green, blue in colours:
        writer.write(np.full((size[1], size[0], 3), (blue, green, red), np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("name", "fourcc"), [("clip.flv", "FLV1"), ("clip.mp4", "mp4v"), ("clip.avi", "MJPG")])
def test_frames_are_rgb_and_complete(tmp_path, name, fourcc):
    frames = list(read_frames(write(tmp_path / name, [RED] * 5 + [BLUE] * 4, fourcc)))
    assert len(frames) == 9
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    assert frames[0][20, 20, 0] > 200 and frames[0][20, 20, 2] < 50
    assert frames[-1][20, 20, 2] > 200 and frames[-1][20, 20, 0] < 50


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 265922\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (POINTER, "git lfs pull"),
        (b"FLV\x01\x05\x00\x00\x00\x09" + b"\x00" * 500, "no frame"),
        (b"a text file " * 100, "no frame"),
    ],
)
def test_what_is_no_video_is_named_in_one_sentence(tmp_path, content, says, capfd):
    path = tmp_path / "1001_DFA_ANG_XX.flv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputProblem, match=says) as raised:
        next(read_frames(path))
    assert "1001_DFA_ANG_XX.flv" in str(raised.value) and str(raised.value).count("\n") == 0
    assert capfd.readouterr().err == ""


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(InputProblem, match="no such file"):
        next(read_frames(tmp_path))


def test_a_download_that_broke_off_gives_its_frames_and_then_says_so(tmp_path):
    whole = write(tmp_path / "whole.flv", [RED] * 60, "FLV1").read_bytes()
    path = tmp_path / "part.flv"
    path.write_bytes(whole[: len(whole) // 2])
    frames = []
    with pytest.raises(InputProblem, match=r"ends early, after \d+ of the 60 frames"):
        frames.extend(read_frames(path))
    assert 0 < len(frames) < 60


def test_damaged_bytes_never_raise_anything_else(tmp_path):
    whole = bytearray(write(tmp_path / "whole.flv", [RED, BLUE] * 10, "FLV1").read_bytes())
    rng = np.random.default_rng([2021, 1])
    path = tmp_path / "damaged.flv"
    for _ in range(60):
        damaged = whole.copy()
        for position in rng.integers(0, len(whole), 8):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged[: rng.integers(1, len(whole) + 1)])
        with contextlib.suppress(InputProblem):
            assert sum(1 for _ in read_frames(path)) > 0


@pytest.mark.parametrize(
    ("clip", "frames"),
    [
        ("cremad/VideoFlash/1001_DFA_ANG_XX.flv", 67),
        ("cremad/VideoFlash/1001_DFA_HAP_XX.flv", 56),
        ("ravdess/Actor_01/01-01-05-02-02-01-01.mp4", 123),  # its header says 124
    ],
)
def test_original_clips_decode_whole(real_data, clip, frames):
    assert sum(1 for _ in read_frames(real_data / clip)) == frames


def test_an_original_clip_cut_short_is_reported(real_data, tmp_path):
    whole = (real_data / "cremad/VideoFlash/1001_DFA_ANG_XX.flv").read_bytes()
    path = tmp_path / "1001_DFA_ANG_XX.flv"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputProblem, match="of the 67 frames"):
        list(read_frames(path))
