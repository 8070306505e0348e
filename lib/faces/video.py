"""Decode video files with OpenCV's FFmpeg; what cannot be decoded is reported in one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# FFmpeg writes a line for each damaged packet directly to the process' stderr. What a user must know is in the
# InputProblem. The variable is read when OpenCV opens its first video.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from lib.base.problems import InputProblem

#: A file that decodes to this many frames fewer than its header states still counts as complete: some of RAVDESS'
#: files decode to one fewer (:mod:`tests.test_video` has one).
HEADER_TOLERANCE = 2

_POINTER = b"version https://git-lfs"


def read_frames(path: str | os.PathLike) -> Iterator[np.ndarray]:
    """Decode `path` frame by frame.

    Parameters
    ----------
    path
        A video that FFmpeg can read (FLV/VP6, MP4/H.264, AVI ...).

    Yields
    ------
    uint8 array, (height, width, 3)
        One frame, RGB.

    Raises
    ------
    InputProblem
        Before the first frame: the file is missing, empty, a Git-LFS pointer, or no frame can be decoded.
        After the last frame: the file ends more than `HEADER_TOLERANCE` frames before the length in its header (an
        incomplete download). All frames that can be decoded have been yielded by then, so a caller that can use them
        catches the error. A header without a length, as in some FLV files, is no error.
    """
    for _, frame in read_timed_frames(path):
        yield frame


def read_timed_frames(path: str | os.PathLike) -> Iterator[tuple[float, np.ndarray]]:
    """Decode `path` as `read_frames` does; yield (seconds, frame), with the seconds as in the file."""
    path = Path(path)
    _look_before_decoding(path)
    capture = _open(path)
    decoded = 0
    try:
        promised = capture.get(cv2.CAP_PROP_FRAME_COUNT) if capture.isOpened() else 0
        codec = _codec(capture)
        while True:
            complete, frame = capture.read()
            if not complete:
                break
            decoded += 1
            yield capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        capture.release()
    if decoded == 0 and codec:
        raise InputProblem(
            path,
            f"no frame of it can be decoded: OpenCV has no decoder for its codec {codec}, or the file is broken",
            f"convert it (`ffmpeg -i {path.name} -c:v libx264 {path.stem}-h264.mp4`), or fetch the file again",
        )
    if decoded == 0:
        raise InputProblem(path, "no frame of it can be decoded", "fetch the file again")
    if promised - decoded > HEADER_TOLERANCE:
        raise InputProblem(
            path,
            f"it ends early, after {decoded} of the {promised:.0f} frames that its header promises",
            "fetch the file again",
        )


def _open(path: Path) -> cv2.VideoCapture:
    """Open `path` without OpenCV's own error messages."""
    logging = cv2.utils.logging
    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        # One decoding thread: the caller runs one process per core.
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    finally:
        logging.setLogLevel(level)


def _codec(capture: cv2.VideoCapture) -> str:
    """Four-letter name of the codec of an open video; empty if there is none."""
    letters = int(capture.get(cv2.CAP_PROP_FOURCC)) if capture.isOpened() else 0
    name = (letters & 0xFFFFFFFF).to_bytes(4, "little").decode("ascii", "replace").strip(" \0")
    return "AV1 (AV01)" if name == "AV01" else name if name.isprintable() else ""


def _look_before_decoding(path: Path) -> None:
    """Raise InputProblem for files that OpenCV would only report as not opened."""
    if not path.is_file():
        raise InputProblem(path, "there is no such file", "check its folder and its name")
    try:
        with open(path, "rb") as file:
            head = file.read(len(_POINTER))
    except OSError as error:
        raise InputProblem(path, f"it cannot be read ({error.strerror})", "check its permissions") from error
    if not head:
        raise InputProblem(path, "the file is empty (0 bytes)", "fetch the file again")
    if head == _POINTER:
        raise InputProblem(
            path,
            "it is a Git-LFS pointer, not the video",
            "install git-lfs and run `git lfs pull` in the corpus' clone",
        )
