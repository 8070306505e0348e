"""Landmarks of one face in a video: a 468-point mesh, run on LiteRT, mapped to OpenFace's 68 points.

Two of MediaPipe's models do the work (Bazarevsky et al., "BlazeFace", 2019; Kartynnik et al., "Real-time facial
surface geometry from monocular video on mobile GPUs", 2019). The detector finds the face in a frame. The mesh
model reads a rotated square around it, which then comes from the meshes before, so the detector runs again only if
the face is lost. There are two kinds of square, a small one, and a large one mirrored; the mean of both meshes leans to
neither side. Each frame is read in one of them, in turn. The mesh in the other one is the mean of those in the
frames before and after, so a frame's landmarks are known one frame later. This takes half the time of reading both in
every frame, and the landmarks scatter less.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from lib.base.problems import InputProblem
from lib.faces.alignment import sample
from lib.faces.correction import correct
from lib.faces.mesh import MESH_TO_68, MIRRORED, VERTICES
from lib.faces.models import Model, check_models, fetch_models

__all__ = ["FaceMesh", "fetch_models"]

_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners: they give the square its rotation
_DETECTOR_SIDE, _MESH_SIDE = 128, 256
# The two kinds: side of the square around the face, in lengths of its box, and whether it is read mirrored. MediaPipe
# takes 1.5. The face's size in the mesh grows with the square, and grows differently for different people: two
# squares even that out. `tests/benchmarks/bench_mask_quality.py` measures it.
_KINDS = ((1.35, False), (1.65, True))
_SAME = 0.3  # two boxes that overlap by more are of one face (intersection over union)
_FACE_SCORE = 0.5  # least probability of a face, of both models

#: The mesh of each kind, float64 (468, 3), in one frame; None for the one that was not read.
_Reading = tuple[Any, Any]
#: The readings of one face in the last frames, at most three.
_Track = list[_Reading]


def _anchors() -> np.ndarray:
    """Centres of the detector's 896 anchors, float32 (896, 2) in pixels of its input: SSD, strides 8 and 16."""
    grids = []
    for stride, repeats in [(8, 2), (16, 6)]:
        centres = (np.arange(_DETECTOR_SIDE // stride, dtype=np.float32) + 0.5) * stride
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(grids)


def _logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


class FaceMesh:
    """Find and follow the one face in a clip's frames.

    Parameters
    ----------
    models_dir
        Folder of the two model files; default `lib.base.paths.models_dir()`.
    corrected
        Whether `lib.faces.correction.correct` moves the points.
    twice
        Whether every frame is read in both kinds of square, which takes twice the time.

    Raises
    ------
    InputProblem
        If a model file is missing or is not the expected one (SHA-256).
    """

    def __init__(self, models_dir: str | os.PathLike | None = None, corrected: bool = True, twice: bool = False):
        contents = check_models(models_dir)
        self._detector = Model(contents["face_detector.tflite"])
        self._mesh = Model(contents["face_landmarks_detector.tflite"])
        self._anchors = _anchors()
        self._corrected, self._twice = corrected, twice

    def track(self, frames: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks in all `frames` of one clip.

        Parameters
        ----------
        frames : iterable of uint8 array, (height, width, 3)
            RGB frames in order.

        Returns
        -------
        points : float32 array, (n, 68, 2)
            Pixels in the frame; zeros where no face was found.
        success : bool array, (n,)
            Whether a face was found.
        """
        located = [points for _, points in self.follow(frames)]
        success = np.array([points is not None for points in located], dtype=bool)
        points = np.zeros((len(located), 68, 2), dtype=np.float32)
        for row in np.flatnonzero(success):
            points[row] = located[row]
        return points, success

    def follow(self, frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Each frame of one clip with its 68 points, float32 (68, 2), or with None where it shows no face.

        One frame more than was returned is read. If reading the frames fails, those before it come first.
        """
        for frame, mesh in self.follow_mesh(frames):
            if mesh is None:
                yield frame, None
            else:
                points = mesh[MESH_TO_68]
                yield frame, correct(points) if self._corrected else points[:, :2]

    def follow_mesh(self, frames: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Each frame of one clip with all its mesh points, or with None; see `follow`.

        A mesh is float32 (468, 3), pixels in the frame; the third column is the depth, smaller towards the camera.
        """
        waiting: tuple[np.ndarray, _Track] | None = None
        track: _Track = []
        try:
            for frame in frames:
                track = self._extended(track, frame)
                if waiting:
                    yield waiting[0], _mean_mesh(waiting[1], track[-1] if len(track) > 1 else None)
                waiting = (frame, track)
        except InputProblem:
            if waiting:
                yield waiting[0], _mean_mesh(waiting[1], None)
            raise
        if waiting:
            yield waiting[0], _mean_mesh(waiting[1], None)

    def _extended(self, track: _Track, frame: np.ndarray) -> _Track:
        """The `track` with the readings of one more frame; a new one if the face was lost, empty if there is none."""
        if track and self._twice:
            both = self._read_both(frame, [_square_around_mesh(mesh) for mesh in track[-1]])
            if both is not None:
                return [track[-1], both]
        elif track:
            kind = 0 if track[-1][0] is None else 1  # in turn; after a frame that was read in both, the second
            mesh = self._read_square(frame, _square_around_mesh(_latest(track, kind)), kind)
            if mesh is not None:
                return [*track[-2:], (mesh, None) if kind == 0 else (None, mesh)]
        square = self._detect(frame)
        first = None if square is None else self._read_both(frame, [square] * len(_KINDS))
        if first is None:
            return []
        # A second pass on the squares that tracking would use: without it the landmarks of a clip's first frame scatter
        # more than the others.
        return [self._read_both(frame, [_square_around_mesh(mesh) for mesh in first]) or first]

    def faces(self, frame: np.ndarray) -> list[tuple[float, np.ndarray]]:
        """All faces that the detector sees in one frame, the most certain first; tracking is not affected.

        Returns
        -------
        list of (probability, box)
            The box is float64 (2, 2): its corners ``(x, y)``, low and high, pixels in the frame.
        """
        scores, values, scale, shift = self._candidates(frame)
        low, high = values[:, 0] - values[:, 1] / 2, values[:, 0] + values[:, 1] / 2
        faces, left = [], np.argsort(-scores, kind="stable")
        while len(left):
            best = left[0]
            faces.append((float(scores[best]), (np.stack([low[best], high[best]]) - shift) / scale))
            left = left[_overlap(low, high, best)[left] <= _SAME]
        return faces

    def _detect(self, frame: np.ndarray) -> np.ndarray | None:
        """Square around the most certain face, as `_square_around` gives it, or None."""
        scores, values, scale, shift = self._candidates(frame)
        if not len(scores):
            return None
        # Weighted non-maximum suppression for the best face: the mean of all overlapping boxes, weighted by score.
        centre, size = values[:, 0], values[:, 1]
        votes = _overlap(centre - size / 2, centre + size / 2, scores.argmax()) > _SAME
        values = np.average(values[votes], axis=0, weights=scores[votes])
        values[1] += shift  # a length: undone by the next line
        values = (values - shift) / scale
        corners = values[0] + np.array([[-0.5], [0.5]]) * values[1]
        return _square_around(corners, values[2], values[3])

    def _candidates(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        """What the detector takes for faces in `frame`, before boxes of the same face are merged.

        Returns
        -------
        tuple
            Probabilities (k,); centre, size and six points of each face, float32 (k, 8, 2), in the detector's
            picture; and that picture's scale and shift against the frame.
        """
        height, width = frame.shape[:2]
        scale = _DETECTOR_SIDE / max(height, width)
        shift = (_DETECTOR_SIDE - scale * np.array([width, height])) / 2
        letterbox = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        if scale < 0.5:  # bilinear sampling skips pixels below half size
            small = cv2.resize(frame, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
            to_small = np.array([small.shape[1] / width, small.shape[0] / height])
            image = cv2.warpAffine(small, letterbox / [*to_small, 1], (_DETECTOR_SIDE, _DETECTOR_SIDE))
        else:
            image = cv2.warpAffine(frame, letterbox, (_DETECTOR_SIDE, _DETECTOR_SIDE))
        values, logits = self._detector(image, 2 / 255, -1)
        logits = logits[:, 0]
        candidates = np.flatnonzero(logits >= _logit(_FACE_SCORE))
        scores = 1 / (1 + np.exp(-logits[candidates]))
        values = values[candidates].reshape(-1, 8, 2).copy()
        values[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[candidates, None]
        return scores, values, scale, shift

    def _read_both(self, frame: np.ndarray, squares: list[np.ndarray]) -> _Reading | None:
        """The meshes in a square of each kind, or None if one shows no face."""
        small, large = (self._read_square(frame, square, kind) for kind, square in enumerate(squares))
        return None if small is None or large is None else (small, large)

    def _read_square(self, frame: np.ndarray, square: np.ndarray, kind: int) -> np.ndarray | None:
        """Mesh points, float64 (468, 3), in the rotated `square` of the frame, or None where it holds no face."""
        size, mirrored = _KINDS[kind]
        middle, axis = square * [[1.0], [size]]
        # Picture to frame: x along `axis` (or against it, for a mirrored picture), y along its perpendicular.
        linear = np.array([[axis[0], -axis[1]], [axis[1], axis[0]]]) * (2 / _MESH_SIDE)
        depth = np.sqrt(linear[0, 0] ** 2 + linear[1, 0] ** 2)
        if mirrored:
            linear[:, 0] *= -1
        origin = middle - linear @ [_MESH_SIDE / 2, _MESH_SIDE / 2]
        image = sample(frame, np.column_stack([linear, origin]), _MESH_SIDE, cv2.BORDER_REPLICATE)
        coordinates, presence = self._mesh(image, 1 / 255, 0)[:2]
        if not presence.item() >= _logit(_FACE_SCORE):
            return None
        inside = coordinates.reshape(-1, 3)[:VERTICES].astype(np.float64)
        # The model counts from the first pixel's edge, OpenCV (and OpenFace) from its centre.
        points = np.column_stack([(inside[:, :2] - 0.5) @ linear.T + origin, inside[:, 2] * depth])
        return points[MIRRORED] if mirrored else points


def _latest(track: _Track, kind: int) -> np.ndarray:
    """Mesh of `kind` in the last frame of `track`; if it was not read, that of the frame before, moved as the other."""
    if track[-1][kind] is not None:
        return track[-1][kind]
    other = 1 - kind
    now, before = track[-1][other], track[-2][other]
    movement = now - before if before is not None else (now - track[-3][other]) / 2
    return track[-2][kind] + movement


def _mean_mesh(track: _Track, after: _Reading | None) -> np.ndarray | None:
    """Mean of both kinds in the last frame of `track`, float32 (468, 3); `after` has the same face's next readings."""
    if not track:
        return None
    between = [
        (track[-2][kind] + after[kind]) / 2 if after and track[-1][kind] is None else _latest(track, kind)
        for kind in range(len(_KINDS))
    ]
    return np.mean(between, axis=0).astype(np.float32)


def _overlap(low: np.ndarray, high: np.ndarray, one: int) -> np.ndarray:
    """Intersection over union of every box with the box `one`; boxes by their corners, (k, 2) each."""
    shared = (np.minimum(high, high[one]) - np.maximum(low, low[one])).clip(0).prod(axis=1)
    sizes = (high - low).prod(axis=1)
    return shared / (sizes + sizes[one] - shared)


def _square_around(points: np.ndarray, right_eye: np.ndarray, left_eye: np.ndarray) -> np.ndarray:
    """Square around the bounding box of `points`, turned so that the line of the eyes is its x axis.

    Returns float64 (2, 2): the middle, and the x axis with half the square's side as its length. The mesh model reads
    larger squares around the same middle, see `_KINDS`.
    """
    x, y = points.T[:2]
    low, high = np.array([x.min(), y.min()]), np.array([x.max(), y.max()])
    direction = np.asarray(left_eye - right_eye, dtype=np.float64)[:2]
    direction /= max(np.hypot(*direction), 1e-9)
    return np.stack([(low + high) / 2, direction * ((high - low).max() / 2)])


def _square_around_mesh(mesh: np.ndarray) -> np.ndarray:
    return _square_around(mesh, mesh[_RIGHT_EYE], mesh[_LEFT_EYE])
