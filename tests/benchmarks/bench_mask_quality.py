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
from lib.faces.correction import JAW_RADIUS, TOWARDS_OPENFACE, correct, jaw_radius, symmetric
from lib.faces.landmarks import FaceMesh
from lib.faces.openface import read_features
from lib.faces.video import read_frames

#: Three people cannot tell how much of their mean difference is theirs and how much is everybody's: a part is taken.
SHRINK = 0.7

#: OpenFace's own second model against its first, measured elsewhere: the least difference to hope for.
NOISE_FLOOR = "OpenFace's second model (CLM): 4.3 (CREMA-D) and 3.6 (RAVDESS) grey levels"


def person(clip: str) -> str:
    """CREMA-D's or RAVDESS' actor of a clip."""
    return clip[:4] if clip[0] == "1" else clip[-2:]


def fit(clips: list[str], points: dict, reference: dict) -> tuple[np.ndarray, float]:
    """Shifts (68, 2) and jaw radius of :func:`lib.faces.correction.correct`, each person counting once."""

    def mean(of_clip: dict[str, np.ndarray]) -> np.ndarray:
        people: dict[str, list[np.ndarray]] = {}
        for clip in clips:
            people.setdefault(person(clip), []).append(of_clip[clip])
        return np.mean([np.mean(one, axis=0) for one in people.values()], axis=0)

    radius = float(mean({clip: np.mean([jaw_radius(face) for face in points[clip]]) for clip in clips}))
    apart = {}
    for clip in clips:
        scaled = [correct(face, np.zeros((68, 2)), radius) for face in points[clip]]
        pairs = zip(scaled, reference[clip], map(similarity, scaled), strict=True)
        apart[clip] = np.mean([transform(theirs, m) - transform(ours, m) for ours, theirs, m in pairs], axis=0)
    return SHRINK * symmetric(mean(apart)), radius


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
        points[clip] = tracker.track(frames[clip])[0]
        seconds += time.process_time() - start
        reference[clip] = read_features(data / f"openface/{clip}.csv").points
    pictures = {clip: masked(frames[clip], reference[clip]) for clip in paths}

    def without(left_out: Callable[[str, str], bool]) -> dict[str, tuple[np.ndarray, float] | None]:
        """Correction for each clip, fitted on all clips but those left out."""
        kept = {clip: [other for other in paths if not left_out(clip, other)] for clip in paths}
        return {clip: fit(others, points, reference) if others else None for clip, others in kept.items()}

    corrections = {
        "mesh as it is": None,
        "fitted on the other people": without(lambda clip, other: person(clip) == person(other)),
        "fitted on the other clips": without(lambda clip, other: clip == other),
        "shipped (fitted on these clips)": dict.fromkeys(paths, (TOWARDS_OPENFACE, JAW_RADIUS)),
    }
    rows = []
    for name, correction in corrections.items():
        for clip in paths:
            if correction is not None and correction[clip] is None:
                continue
            moved = points[clip]
            if correction is not None:
                moved = np.array([correct(face, *correction[clip]) for face in moved])
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
        shifts, radius = fit(list(paths), points, reference)
        pairs = [f"({x:.2f}, {y:.2f})" for x, y in shifts]
        lines = [", ".join(pairs[start : start + 6]) + "," for start in range(0, 68, 6)]
        sys.stdout.write(f"JAW_RADIUS = {radius:.3f}\n" + "\n".join(lines) + "\n")


def masked(frames: list[np.ndarray], points: np.ndarray) -> np.ndarray:
    """Masked faces at 112 px."""
    return np.stack([align_and_mask(frame, face) for frame, face in zip(frames, points, strict=True)])


if __name__ == "__main__":
    main()
