"""Detect what is wrong with the faces of a window. Such a window gets no prediction.

Each limit is between the values of clips of CREMA-D, RAVDESS and the renderer, and the values of the same clips turned,
cut or combined on purpose (as in `tests/test_predict.py`):

===================================================  ==============  ==================
measure                                              right clips     wrong on purpose
===================================================  ==============  ==================
face detector, upright less upside down              0.16 to 0.35    -0.30 to -0.14
change of the picture (grey levels) at a cut         up to 6.6       15 to 117
movement of the landmarks in a frame (face sizes)    up to 0.14      0.2 to 1.1
change of the masked face in a frame (grey levels)   up to 9         13 to 52
===================================================  ==============  ==================
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np

from lib.corpora.corpus import FPS
from lib.faces.landmarks import FaceMesh
from lib.faces.masking import SIZE, masked_face

#: Smallest share of a window's frames with a face; higher than in training (``window_face_share``).
LEAST_FACES = 0.8
#: Largest share of a window's frames (or of the frames checked by the detector) that may have a fault.
MOST_FAULTS = 0.2

#: Position of the nose between the two ends of the jaw, 0 in the middle and 1 above an end: 0.4 to 0.7 for
#: four faces turned by 25 degrees, 0.75 to 0.98 for 35, up to 0.15 in the clips of the corpora.
TURNED = 0.7
#: Angle of the eyes' line, degrees.
TILTED = 45.0
#: Smallest RMS distance of the landmarks from their mean, pixels; smaller faces have less than 28 pixels.
SMALLEST = 9.0
#: Movement of the landmarks between two frames, in units of that distance; change of the masked face, grey levels.
JUMP, CHANGE = 0.25, 12.0
#: Change of a frame's thumbnail, grey levels; its ratio to the median of the last `RECENT` changes.
CUT, CUT_RATIO, RECENT = 8.0, 4.0, 15
#: The detector checks the whole frame, upright and upside down, once in this many frames.
LOOK = 8
#: Smallest probability of a face that the detector finds only upside down.
CERTAIN = 0.7
#: Smallest height of a second face, as a share of the first one's.
SECOND = 1 / 3


class Seen(NamedTuple):
    """One frame: its masked face, uint8 (28, 28, 3), black if none was found, and what is wrong with it.

    `looked` is whether the detector checked the whole frame, for `second` faces and `upside_down`.
    """

    face: np.ndarray
    has_face: bool
    turned: bool = False
    tilted: bool = False
    small: bool = False
    jump: bool = False
    cut: bool = False
    looked: bool = False
    second: bool = False
    upside_down: bool = False


class Observer:
    """Follow the face through a video's frames.

    Parameters
    ----------
    tracker
        Finds the face.
    interpolation : {"area", "linear", "cubic"}
        How the masked face is resized.
    """

    def __init__(self, tracker: FaceMesh, interpolation: str = "area"):
        self._tracker, self._interpolation = tracker, interpolation
        self._count = 0
        self._thumbnail: np.ndarray | None = None
        self._changes: deque[float] = deque(maxlen=RECENT)
        self._shots = 0
        self._before: tuple[int, np.ndarray, np.ndarray] | None = None

    def observe(self, frames: Iterable[np.ndarray]) -> Iterator[Seen]:
        """What is seen in each of the `frames`, uint8 (height, width, 3) RGB, of one video.

        It reads one frame ahead. A frame that is the same object as the one before is not computed again.
        """
        repeats: deque[int] = deque()  # of the frames that were read and not yet returned

        def others() -> Iterator[np.ndarray]:
            before = None
            for frame in frames:
                if frame is before:
                    repeats[-1] += 1
                else:
                    repeats.append(0)
                    yield frame
                before = frame

        # after a cut the face may be elsewhere: each shot is followed anew
        for _, shot in groupby(others(), key=self._shot):
            cut, self._before = self._count > 0, None
            for frame, points in self._tracker.follow(shot):
                self._count += 1
                seen = self._face(frame, points)._replace(cut=cut)
                if (self._count - 1) % LOOK == 0 or cut:
                    seen = self._look(frame, seen)
                cut = False
                yield seen
                for _ in range(repeats.popleft()):
                    self._count += 1
                    yield seen._replace(jump=False, cut=False, looked=False, second=False, upside_down=False)

    def _shot(self, frame: np.ndarray) -> int:
        """Number of the shot that `frame` belongs to."""
        self._shots += self._is_cut(frame)
        return self._shots

    def _is_cut(self, frame: np.ndarray) -> bool:
        """Whether the picture changes much more than in the recent frames."""
        small = cv2.resize(frame, (32, 18), interpolation=cv2.INTER_AREA)
        thumbnail = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
        before, self._thumbnail = self._thumbnail, thumbnail
        if before is None:
            return False
        change = float(np.abs(thumbnail - before).mean())
        usual = float(np.median(self._changes)) if self._changes else 0.0
        self._changes.append(change)
        return change > max(CUT, CUT_RATIO * usual)

    def _face(self, frame: np.ndarray, points: np.ndarray | None) -> Seen:
        """The masked face, and what is wrong with its landmarks."""
        if points is None:
            return Seen(np.zeros((SIZE, SIZE, 3), np.uint8), False)
        face = masked_face(frame, points, SIZE, self._interpolation)
        size = max(float(np.sqrt(np.square(points - points.mean(axis=0)).sum(axis=1).mean())), 1e-6)
        jump = False
        if self._before is not None:
            number, old, old_face = self._before
            passed = self._count - number  # with few frames per second a face moves more between two frames
            moved = float(np.hypot(*(points - old).T).mean()) / size
            change = float(np.abs(face.astype(np.float32) - old_face).mean())
            jump = passed <= FPS and (moved > JUMP * passed or change > CHANGE * passed)
        self._before = self._count, points, face
        along = (points[16] - points[0]) / max(float(np.hypot(*(points[16] - points[0]))), 1e-6)
        right, left = (points[30] - points[0]) @ along, (points[16] - points[30]) @ along
        eyes = points[45] - points[36]
        return Seen(
            face,
            True,
            turned=abs(right - left) > TURNED * (right + left),
            tilted=bool(abs(np.degrees(np.arctan2(eyes[1], eyes[0]))) > TILTED),
            small=size < SMALLEST,
            jump=jump,
        )

    def _look(self, frame: np.ndarray, seen: Seen) -> Seen:
        """`seen`, with the results of the detector for the whole frame."""
        upright = self._tracker.faces(frame)
        turned = self._tracker.faces(np.ascontiguousarray(frame[::-1, ::-1]))
        heights = [box[1, 1] - box[0, 1] for _, box in upright]
        second = len(heights) > 1 and max(heights[1:]) >= SECOND * heights[0]
        upside_down = bool(turned) and turned[0][0] > (upright[0][0] if upright else CERTAIN)
        return seen._replace(looked=True, second=second, upside_down=upside_down)


def fault(frames: list[Seen]) -> str:
    """Why a window of `frames` gets no prediction; empty if it may have one."""
    faces = [frame for frame in frames if frame.has_face]
    looks = [frame for frame in frames if frame.looked]
    if any(frame.cut for frame in frames[1:]):  # a cut before the first frame is between two windows
        return "a cut: the picture changes at once, perhaps to another person"
    if faces and _share(frame.tilted for frame in faces) > MOST_FAULTS:
        return f"the face is tilted by over {TILTED:.0f} degrees"
    if looks and _share(frame.upside_down for frame in looks) > 0.5:
        return "the face is upside down"
    if not faces:
        return "no face"
    if len(faces) < LEAST_FACES * len(frames):
        return f"too few frames with a face: {len(faces)} of {len(frames)}"
    if looks and _share(frame.second for frame in looks) > MOST_FAULTS:
        return "a second face: it is not known who is meant"
    if _share(frame.turned for frame in faces) > MOST_FAULTS:
        return "the face is turned to the side, as far as a profile"
    if _share(frame.small for frame in faces) > MOST_FAULTS:
        return "the face is smaller than the 28 pixels that the network reads"
    if any(frame.jump for frame in frames[1:]):
        return "the landmarks jump: the face is not followed"
    return ""


def _share(flags) -> float:
    flags = list(flags)
    return sum(flags) / len(flags)
