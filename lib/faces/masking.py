"""Masked faces of one clip: a 28 x 28 RGB picture of every frame.

A frame without a face follows OpenFace's convention: the picture is black and `success` is false.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import cv2
import numpy as np

from lib.base.problems import InputProblem
from lib.faces.alignment import align_and_mask
from lib.faces.landmarks import FaceMesh
from lib.faces.openface import find_pictures, read_aligned, read_features
from lib.faces.video import read_frames

#: Width and height of the pictures that the networks read.
SIZE = 28

INTERPOLATIONS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC}


@dataclass(frozen=True)
class MaskedClip:
    """The masked faces of one clip of n frames.

    Attributes
    ----------
    faces : uint8 array, (n, size, size, 3)
        RGB, black outside the face; all black where `success` is false.
    success : bool array, (n,)
        Whether a face was found.
    landmarks : float32 array, (n, 68, 2)
        Pixels in the frame; zeros where `success` is false.
    problem : str
        What is wrong with the clip, in one sentence; empty if it is fine.
    """

    faces: np.ndarray
    success: np.ndarray
    landmarks: np.ndarray
    problem: str = ""


def mask_clip(path: str | os.PathLike, tracker: FaceMesh, size: int = SIZE, interpolation: str = "area") -> MaskedClip:
    """Mask the faces of one video, with the mesh's landmarks.

    Parameters
    ----------
    path
        The video.
    tracker
        Finds the face.
    size
        Width and height of the pictures: OpenFace's 112 x 112 picture is resized to it.
    interpolation : {"area", "linear", "cubic"}
        How it is resized.

    Returns
    -------
    MaskedClip
        A file that ends early gives the frames that it has. `problem` states that, or that there is no face in any
        frame.

    Raises
    ------
    InputProblem
        If no frame of `path` can be decoded.
    """
    return _mask(tracker.follow(read_frames(path)), size, interpolation)


def mask_openface_clip(
    name: str,
    path: str | os.PathLike,
    folder: str | os.PathLike,
    size: int = SIZE,
    interpolation: str = "area",
    pictures: bool = True,
) -> MaskedClip:
    """Masked faces of clip `name` from the files that OpenFace's FeatureExtraction wrote to `folder`.

    Its own pictures are used if there are any. If there is only its table (no ``-simalign``), or `pictures` is false,
    the frames of the video `path` are aligned and masked with its landmarks; this gives the same pictures except for
    the rounding of the landmarks.

    Raises
    ------
    InputProblem
        See :func:`lib.faces.openface.read_aligned`; if there is only the table, also if `path` cannot be decoded or
        has another number of frames.
    """
    features = read_features(Path(folder, f"{name}.csv"))
    if pictures and find_pictures(folder, name):
        aligned, success = read_aligned(folder, name, features.success)
        faces = [_resize(face, size, interpolation) for face in aligned]
        absent = int((features.success & ~success).sum())
        problem = (
            f"{absent} of its {int(features.success.sum())} frames with a face have no aligned picture and count as "
            "frames without one; run FeatureExtraction again, unless `-nobadaligned` left them out."
            if absent and success.any()
            else ""
        )
        return _finish(faces, list(success), list(features.points), problem)
    rows = [points if success else None for success, points in zip(features.success, features.points, strict=True)]
    masked = _mask(zip(read_frames(path), chain(rows, repeat(None)), strict=False), size, interpolation)
    if len(masked.success) != len(features.success):
        raise InputProblem(
            Path(folder, f"{name}.csv"),
            f"the table has {len(features.success)} frames, the video {len(masked.success)}",
            "run FeatureExtraction on this very file",
        )
    return masked


def sentence(problem: InputProblem) -> str:
    """Text of `problem` without its file, which tables name in another column."""
    return f"{problem.problem}; {problem.remedy}."


def _mask(located: Iterable[tuple[np.ndarray, np.ndarray | None]], size: int, interpolation: str) -> MaskedClip:
    """Mask each frame with its landmarks (None: no face)."""
    faces, success, landmarks, problem = [], [], [], ""
    try:
        for frame, points in located:
            success.append(points is not None)
            if points is None:
                faces.append(np.zeros((size, size, 3), dtype=np.uint8))
                landmarks.append(np.zeros((68, 2), dtype=np.float32))
            else:
                faces.append(masked_face(frame, points, size, interpolation))
                landmarks.append(points)
    except InputProblem as broken:
        if not faces:
            raise
        problem = sentence(broken)
    return _finish(faces, success, landmarks, problem)


def masked_face(frame: np.ndarray, points: np.ndarray, size: int = SIZE, interpolation: str = "area") -> np.ndarray:
    """The aligned, masked and resized face, uint8 (size, size, 3), of one `frame` with its 68 landmarks."""
    return _resize(align_and_mask(frame, points), size, interpolation)


def _resize(face: np.ndarray, size: int, interpolation: str) -> np.ndarray:
    return cv2.resize(face, (size, size), interpolation=INTERPOLATIONS[interpolation])


def _finish(faces: list[np.ndarray], success: list[bool], landmarks: list[np.ndarray], problem: str) -> MaskedClip:
    if not problem and not any(success):
        problem = f"no face was found in any of its {len(success)} frames; look at the clip, then leave it out."
    return MaskedClip(np.stack(faces), np.array(success, dtype=bool), np.stack(landmarks).astype(np.float32), problem)
