"""Write videos and tables of a rendered corpus."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from lib.base.files import written_atomically
from lib.base.problems import InputProblem


def count_frames(path: Path) -> int:
    """Number of frames in the file's header; 0 if it cannot be opened."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    finally:
        capture.release()


def write_video(path: str | os.PathLike, frames: Iterable[np.ndarray], fps: float, fourcc: str) -> int:
    """Write RGB frames to `path` under a temporary name, rename it when complete, and return their number.

    Raises
    ------
    InputProblem
        If the encoder is missing, or the file does not have all frames (a full disk).
    """
    count, writer = 0, None
    with written_atomically(path) as temporary:
        try:
            for frame in frames:
                if writer is None:
                    size = frame.shape[1::-1]
                    code = 2 if fourcc == "FLV1" else cv2.VideoWriter_fourcc(*fourcc)  # 2: FLV's own number
                    writer = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, code, fps, size)
                    if not writer.isOpened():
                        raise InputProblem(
                            path, f"cannot be written as {fourcc}", "reinstall OpenCV from the lock file"
                        )
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
                count += 1
        finally:
            if writer is not None:
                writer.release()
        written = count_frames(temporary)
        if written != count or count == 0:
            raise InputProblem(
                path, f"holds {written} of {count} frames after writing", "see that the disk has room and run again"
            )
    return count


def write_csv(path: Path, header: tuple, rows: list) -> None:
    """Write a CSV file with CREMA-D's quoting: text in quotes, numbers without."""
    with written_atomically(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
