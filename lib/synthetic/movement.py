"""What only drawn faces have: where and when the muscles of an expression change the masked face.

A clip's frames are drawn twice, as they are and with the face at rest: the same speech, blinks, gaze, head motion,
light and camera noise, but every action unit as in the actor's resting face. Both are aligned and masked with the
landmarks of the first, as the network's pictures are. What differs is what the muscles did.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.masking import SIZE, masked_face
from lib.sequences import actor_file
from lib.synthetic.actors import cast
from lib.synthetic.clips import Clip
from lib.synthetic.corpus import clip_of, performance
from lib.synthetic.dials import DIALS
from lib.synthetic.motion import Take
from lib.synthetic.render import render_take
from lib.synthetic.stage import STUDIOS


def draw(
    clip: Clip, seed: int, frames: np.ndarray, landmarks: np.ndarray, at_rest: bool, interpolation: str = "area"
) -> np.ndarray:
    """Draw the masked faces of some frames of `clip`.

    Parameters
    ----------
    clip, seed
        As for `lib.synthetic.render_clip`.
    frames
        int (n,), numbers of the frames.
    landmarks
        float (n, 68, 2), landmarks of these frames, which align and mask them; zeros where no face was found.
    at_rest
        Whether to draw them with the actor's resting face.
    interpolation
        As for `lib.faces.masking.masked_face`.

    Returns
    -------
    uint8 (n, 28, 28, 3)
        RGB; black where no face was found.
    """
    take, rng = performance(clip, seed)
    take = _some(take, frames)
    if at_rest:
        resting = np.clip(cast(clip.actor, clip.person).resting, 0, None)
        take = replace(take, aus=np.broadcast_to(resting, take.aus.shape))
    pictures = np.zeros((len(frames), SIZE, SIZE, 3), np.uint8)
    shots = render_take(STUDIOS[clip.rendering.studio], clip.actor, take, rng, DIALS, clip.person)
    for picture, (frame, _), points in zip(pictures, shots, landmarks, strict=True):
        if points.any():
            picture[:] = masked_face(frame, points, interpolation=interpolation)
    return pictures


def draw_sequences(
    table: pd.DataFrame,
    videos: Mapping[str, str | os.PathLike],
    faces: Path,
    seed: int,
    moments: np.ndarray,
    interpolation: str = "area",
) -> tuple[np.ndarray, np.ndarray]:
    """Masked faces of sequences of a drawn corpus at some moments, as they are and at rest.

    Parameters
    ----------
    table
        Rows of sequences.csv.
    videos
        Path of each clip's video.
    faces
        Folder of the actors' files, with the landmarks.
    seed
        With which the corpus was drawn.
    moments
        int (m,), positions in a sequence, from 0; padding repeats a sequence's last frame.
    interpolation
        As for `lib.faces.masking.masked_face`.

    Returns
    -------
    (shown, at rest)
        uint8 (n, m, 28, 28, 3) each, in the order of `table`.

    Raises
    ------
    lib.base.problems.InputProblem
        If an actor's file is missing or damaged.
    ValueError
        If a clip was not drawn.
    """
    both = np.zeros((2, len(table), len(moments), SIZE, SIZE, 3), np.uint8)
    order = np.arange(len(table))
    for actor, rows in table.assign(place=order).groupby("actor", sort=True):
        (landmarks,), spans = actor_file.read(faces / f"{actor}.npz", "landmarks")
        for row in rows.to_dict("records"):
            frames = row["first_frame"] + np.minimum(moments, row["frames"] - 1)
            points = landmarks[spans[row["clip"]][0] + frames]
            clip = clip_of(videos[row["clip"]])
            for state in (0, 1):
                both[state, row["place"]] = draw(clip, seed, frames, points, bool(state), interpolation)
    return both[0], both[1]


def difference(shown: np.ndarray, at_rest: np.ndarray) -> np.ndarray:
    """By how many grey levels each pixel differs, the mean over red, green and blue: float32, without the last axis."""
    return np.abs(shown.astype(np.float32) - at_rest).mean(axis=-1)


def _some(take: Take, frames: np.ndarray) -> Take:
    """The given frames of `take`."""
    return Take(**{field.name: getattr(take, field.name)[frames] for field in fields(Take)})
