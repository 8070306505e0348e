"""How near the mesh's masked faces come to OpenFace's: ``python tests/benchmarks/bench_mask_quality.py [--fit]``.

Reads real clips and OpenFace's tables below the folder that the environment variable REAL_DATA names. Rows:
the mesh's points as they are; with the shipped correction `lib.faces.correction`; and with one fitted
without the person (or only without the clip) that is measured. The shipped correction was fitted on these very
clips, so its row flatters; the rows "other people" are what to expect of a new face. `--fit` also prints the fitted
constants as they stand in `lib/faces/correction.py`.
"""

from __future__ import annotations  # noqa: I001

import lib  # noqa: F401  before NumPy

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.faces.alignment import align_and_mask, similarity, transform
from lib.faces.check_real import differences, find_clips
from lib.faces.correction import TOWARDS_OPENFACE, Correction, correct, length, symmetric, turn
from lib.faces.landmarks import FaceMesh
from lib.faces.mesh import MESH_TO_68
from lib.faces.openface import read_features
from lib.faces.video import read_frames

#: Three people cannot tell how much of their mean difference is theirs and how much is everybody's: a part is taken.
SHRINK = 0.7
#: The same for the two slopes (ridge): squared tangent, squared pixels.
TURN_RIDGE, STRETCH_RIDGE = 0.0015, 2.0
#: The cheeks' points (jaw 2-5 and 11-14) are moved inwards by this more, pixels at 112 px: on a person who was not
#: fitted on, a point outside the face shows a slit of background, a point inside it costs next to nothing.
INWARDS = 0.4

#: OpenFace's own second model against its first, measured elsewhere: the least difference to hope for.
NOISE_FLOOR = "OpenFace's second model (CLM): 4.3 (CREMA-D) and 3.6 (RAVDESS) grey levels"


def person(clip: str) -> str:
    """CREMA-D's or RAVDESS' actor of a clip."""
    return clip[:4] if clip[0] == "1" else clip[-2:]


def track(frames: list[np.ndarray], tracker: FaceMesh) -> np.ndarray:
    """The mesh's 68 points before the correction, float32 (n, 68, 3), of a clip with a face in every frame."""
    return np.stack([mesh[MESH_TO_68] for _, mesh in tracker.follow_mesh(frames)])


def fit(clips: list[str], points: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> Correction:
    """Constants of :func:`lib.faces.correction.correct` from the clips' points (n, 68, 3) and OpenFace's (n, 68, 2).

    Each person counts once. The shifts per length are fitted within the clips, so that they do not take up differences
    between people.
    """

    def mean(of_clip: Callable[[str], object]) -> np.ndarray:
        people: dict[str, list] = {}
        for clip in clips:
            people.setdefault(person(clip), []).append(of_clip(clip))
        return np.mean([np.mean(one, axis=0) for one in people.values()], axis=0)

    apart, shapes, turns, lengths = {}, {}, {}, {}
    for clip in clips:
        matrices = [similarity(face[:, :2]) for face in points[clip]]
        ours = [transform(face[:, :2], matrix) for face, matrix in zip(points[clip], matrices, strict=True)]
        theirs = [transform(face, matrix) for face, matrix in zip(reference[clip], matrices, strict=True)]
        apart[clip] = np.subtract(theirs, ours)
        shapes[clip] = np.mean(ours, axis=0)
        turns[clip] = np.array([turn(face) for face in points[clip]])
        lengths[clip] = np.array([length(face) for face in ours])

    def per(slopes: dict[str, np.ndarray], halves: dict[str, np.ndarray], ridge: float) -> np.ndarray:
        products = mean(lambda clip: (slopes[clip][:, None, None] * halves[clip]).mean(axis=0))
        return products / (mean(lambda clip: (slopes[clip] ** 2).mean()) + ridge)

    even = {clip: symmetric(apart[clip]) for clip in clips}
    centred = {clip: lengths[clip] - lengths[clip].mean() for clip in clips}
    shape = mean(lambda clip: shapes[clip])
    return Correction(
        _cheeks_inwards(shape, SHRINK * mean(lambda clip: even[clip].mean(axis=0))),
        per(turns, {clip: apart[clip] - even[clip] for clip in clips}, TURN_RIDGE),
        per(centred, {clip: even[clip] - even[clip].mean(axis=0) for clip in clips}, STRETCH_RIDGE),
        float(mean(lambda clip: lengths[clip].mean())),
    )


def _cheeks_inwards(shape: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """`shifts` of the mean `shape` with the cheeks moved inwards, and the alignment's scale as it was."""
    inwards = np.zeros((68, 2))
    inwards[2:6, 0], inwards[11:15, 0] = INWARDS, -INWARDS
    moved = shape + shifts + inwards
    factor = np.linalg.det(similarity(moved)[:, :2]) / np.linalg.det(similarity(shape + shifts)[:, :2])
    middle = moved.mean(axis=0)
    return symmetric(middle + (moved - middle) * np.sqrt(factor) - shape)


def jitter(points: np.ndarray) -> float:
    """Frame-to-frame scatter of the aligned points, pixels at 112: second differences / sqrt(6)."""
    aligned = np.array([transform(face, similarity(face)) for face in points])
    return np.linalg.norm(np.diff(aligned, n=2, axis=0), axis=-1).mean() / np.sqrt(6)


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    data = Path(os.environ.get("REAL_DATA") or "no folder")
    paths = {path.stem: path for path in find_clips(data) if (data / f"openface/{path.stem}.csv").is_file()}
    if not paths:
        sys.exit("REAL_DATA names no folder with real clips and OpenFace's tables of them")
    tracker = FaceMesh(corrected=False)
    frames, points, reference, seconds = {}, {}, {}, 0.0
    for clip, path in paths.items():
        frames[clip] = list(read_frames(path))
        start = time.process_time()
        points[clip] = track(frames[clip], tracker)
        seconds += time.process_time() - start
        reference[clip] = read_features(data / f"openface/{clip}.csv").points
    pictures = {clip: masked(frames[clip], reference[clip]) for clip in paths}

    def without(left_out: Callable[[str, str], bool]) -> dict[str, Correction | None]:
        """Correction for each clip, fitted on all clips but those left out."""
        kept = {clip: [other for other in paths if not left_out(clip, other)] for clip in paths}
        return {clip: fit(others, points, reference) if others else None for clip, others in kept.items()}

    corrections = {
        "mesh as it is": None,
        "fitted on the other people": without(lambda clip, other: person(clip) == person(other)),
        "fitted on the other clips": without(lambda clip, other: clip == other),
        "shipped (fitted on these clips)": dict.fromkeys(paths, TOWARDS_OPENFACE),
    }
    rows = []
    for name, correction in corrections.items():
        for clip in paths:
            if correction is not None and correction[clip] is None:
                continue
            moved = points[clip][..., :2]
            if correction is not None:
                moved = np.array([correct(face, correction[clip]) for face in points[clip]])
            found = differences(masked(frames[clip], moved), pictures[clip])
            rows.append({"landmarks": name, "clip": clip, **found, "jitter": jitter(moved)})
    for clip in paths:
        rows.append({"landmarks": "OpenFace (the reference)", "clip": clip, "jitter": jitter(reference[clip])})
    table = pd.DataFrame(rows)
    table.loc[:, "clip"] = table["clip"].where(table["clip"].str.startswith("1"), table["clip"] + " (RAVDESS)")
    sys.stdout.write(table.to_string(index=False, float_format="{:.3f}".format, na_rep="-") + "\n")
    sys.stdout.write("difference: whole 112 px picture, in_mask: union of both masks, grey levels; jitter: px\n")
    sys.stdout.write(f"mesh: {seconds / sum(map(len, frames.values())) * 1e3:.2f} CPU ms/frame. {NOISE_FLOOR}\n")
    if "--fit" in sys.argv:
        twice = FaceMesh(corrected=False, twice=True)  # the constants serve both ways of reading
        fitted = fit(list(paths), {clip: track(frames[clip], twice) for clip in paths}, reference)
        for name, digits in (("shifts", 2), ("turned", 1), ("stretched", 3)):
            pairs = [f"({x:.{digits}f}, {y:.{digits}f})" for x, y in getattr(fitted, name) + 0.0]
            lines = ["        " + ", ".join(pairs[start : start + 6]) + "," for start in range(0, 68, 6)]
            sys.stdout.write(f"    {name}=np.array([\n" + "\n".join(lines) + "\n    ]),\n")
        sys.stdout.write(f"    mean_length={fitted.mean_length:.2f},\n")


def masked(frames: list[np.ndarray], points: np.ndarray) -> np.ndarray:
    """Masked faces at 112 px."""
    return np.stack([align_and_mask(frame, face) for frame, face in zip(frames, points, strict=True)])


if __name__ == "__main__":
    main()
