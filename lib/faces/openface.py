"""Read the output of OpenFace's FeatureExtraction: the landmarks' CSV and the aligned pictures.

``FeatureExtraction -f NAME.flv -out_dir DIR -2Dfp -simalign`` writes ``DIR/NAME.csv``, one row per frame, and
``DIR/NAME_aligned/frame_det_00_000001.bmp``, one picture per frame.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.base.problems import InputProblem
from lib.base.tables import pd
from lib.faces.alignment import SIZE

_PICTURE = re.compile(r"frame_det_\d+_(\d+)\.\w+")
_AGAIN = "run FeatureExtraction on the clip again"
_LONGEST = 100_000  # frames; a larger frame number is a damaged file, not a clip


@dataclass(frozen=True)
class Features:
    """OpenFace's landmarks of one clip, for all frames 1 ... n.

    Attributes
    ----------
    points : float32 array, (n, 68, 2)
        Pixels in the frame; zeros where `success` is false.
    success : bool array, (n,)
    """

    points: np.ndarray
    success: np.ndarray


def read_features(path: str | os.PathLike) -> Features:
    """Read FeatureExtraction's CSV.

    Both column styles are read (``frame,face_id,...``, and ``frame, timestamp, ...`` of older versions), since columns
    are found by name. A missing frame number counts as a frame without a face; of two rows for one frame (two faces)
    the more confident one is used.

    Raises
    ------
    InputProblem
        If the file is missing, is not a table, or lacks a column.
    """
    path = Path(path)
    if not path.is_file():
        raise InputProblem(
            path, "there is no such OpenFace table", "run FeatureExtraction with `-2Dfp -simalign` on the clip"
        )
    names = [f"{axis}_{point}" for axis in "xy" for point in range(68)]
    needed = ["frame", "confidence", "success", *names]
    try:
        table = pd.read_csv(path, skipinitialspace=True)
        table.columns = table.columns.str.strip()
        missing = [name for name in needed if name not in table.columns]
        if missing:
            raise InputProblem(path, f"the OpenFace table has no column {missing[0]}", _AGAIN)
        table = table[needed].astype(np.float64)
    except (OSError, ValueError, UnicodeError) as error:  # pandas' parser errors are ValueErrors
        reason = str(error).splitlines()[0]
        raise InputProblem(path, f"it is not an OpenFace table ({reason})", _AGAIN) from error
    frames = table["frame"].to_numpy()
    if len(table) == 0 or not np.isfinite(table).all(axis=None):
        raise InputProblem(path, "the OpenFace table is empty or holds something that is not a number", _AGAIN)
    if frames.min() < 1 or frames.max() > _LONGEST or (frames % 1).any():
        raise InputProblem(path, "its frame numbers are not 1, 2, 3 ...", _AGAIN)
    table = table.sort_values(["frame", "success", "confidence"]).drop_duplicates("frame", keep="last")

    rows = table["frame"].to_numpy(np.intp) - 1
    points = np.zeros((rows.max() + 1, 68, 2), dtype=np.float32)
    success = np.zeros(len(points), dtype=bool)
    success[rows] = table["success"].to_numpy() == 1
    points[rows] = table[names].to_numpy().reshape(-1, 2, 68).transpose(0, 2, 1)
    points[~success] = 0  # a failed frame carries zeros or the landmarks of an earlier one
    return Features(points, success)


def find_pictures(folder: str | os.PathLike, name: str) -> dict[int, Path]:
    """The aligned pictures of clip `name` in FeatureExtraction's output `folder`, by frame number from 1."""
    pictures = {}
    for path in sorted(Path(folder, f"{name}_aligned").glob("frame_det_*")):
        match = _PICTURE.fullmatch(path.name)
        if match and 1 <= int(match[1]) <= _LONGEST:
            pictures.setdefault(int(match[1]), path)
    return pictures


def read_aligned(folder: str | os.PathLike, name: str, success: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read the masked pictures that FeatureExtraction wrote for one clip.

    Parameters
    ----------
    folder
        FeatureExtraction's ``-out_dir``.
    name
        The clip's name (file name without suffix).
    success : bool array, (n,)
        Whether OpenFace found a face in frame 1 ... n, see :func:`read_features`.

    Returns
    -------
    faces : uint8 array, (n, size, size, 3)
        RGB; all black where `success` is false.
    success : bool array, (n,)
        False also if the picture is missing (with ``-nobadaligned`` some numbers are missing).

    Raises
    ------
    InputProblem
        If there are no pictures, or more pictures than frames, or one cannot be read.
    """
    pictures = find_pictures(folder, name)
    if not pictures:
        raise InputProblem(
            Path(folder, f"{name}_aligned"), "there are no aligned pictures", "run FeatureExtraction with `-simalign`"
        )
    if max(pictures) > len(success):
        raise InputProblem(
            pictures[max(pictures)], f"the clip's table ends at frame {len(success)}, before this picture", _AGAIN
        )
    success = np.array([found and row + 1 in pictures for row, found in enumerate(success)], dtype=bool)
    side = SIZE
    faces = np.zeros((len(success), side, side, 3), dtype=np.uint8)
    for order, row in enumerate(np.flatnonzero(success)):
        path = pictures[row + 1]
        try:
            face = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        except cv2.error:  # a header that promises gigabytes
            face = None
        if order == 0 and face is not None and face.shape[0] == face.shape[1]:
            side = face.shape[0]  # another size than OpenFace's default: -simsize
            faces = np.zeros((len(success), side, side, 3), dtype=np.uint8)
        if face is None or face.shape != (side, side, 3):
            raise InputProblem(path, "the picture is damaged or of another size than the others", _AGAIN)
        faces[row] = face
    return faces, success
