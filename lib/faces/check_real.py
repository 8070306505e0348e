"""Compare masked faces of real clips with OpenFace's: ``python -m lib.faces.check_real [DATA]``.

`DATA` has the layout ``cremad/VideoFlash/*.flv``, ``ravdess/Actor_NN/*.mp4``, ``openface/CLIP.csv`` and
``openface/CLIP_aligned/*.bmp``; any part may be missing. Without `DATA`, four original RAVDESS clips are used, which
the PyPI package pyfame includes as samples; for three of them OpenFace's faces are committed facts
(:mod:`lib.faces.samples`). The exit status is 1 if a criterion fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from lib.base.files import written_atomically
from lib.base.paths import in_workspace, relative
from lib.base.problems import InputProblem
from lib.faces.alignment import SIZE
from lib.faces.landmarks import FaceMesh
from lib.faces.masking import MaskedClip, mask_clip, mask_openface_clip
from lib.faces.models import WHEEL
from lib.faces.openface import find_pictures, read_aligned, read_features
from lib.faces.samples import CLIPS, has_reference, openface_faces, sample_clips

#: Mean absolute difference from OpenFace's picture, grey levels at 112 px: over a person's clips, and over people.
LARGEST_DIFFERENCE, LARGEST_MEAN_DIFFERENCE = 6.5, 4.5

CHECK_COLUMNS = {
    "clip": "file name without suffix",
    "frames": "frames decoded",
    "reference": "frames in OpenFace's table",
    "found": "share of frames in which a face was found",
    "difference": "mean absolute difference from OpenFace's face, whole 112 px picture, grey levels",
    "in_mask": "the same over the pixels that either mask keeps",
    "iou": "intersection over union of the two masks",
    "recipe": "difference between OpenFace's own pictures and ours made from its landmarks",
    "problem": "why the clip could not be compared",
}


def find_clips(data: Path) -> list[Path]:
    """The videos below `data`: CREMA-D's, then RAVDESS'."""
    return sorted(data.glob("cremad/VideoFlash/*.flv")) + sorted(data.glob("ravdess/Actor_*/*.mp4"))


def differences(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Mean differences between two stacks of masked faces.

    Parameters
    ----------
    ours, theirs : uint8 array, (n, size, size, 3)
        Black outside the mask.

    Returns
    -------
    dict
        `difference` (whole picture), `in_mask` (union of both masks), `iou`: means over the frames.
    """
    rows = []
    for mine, reference in zip(ours, theirs, strict=True):
        distance = np.abs(mine.astype(np.int16) - reference).mean(axis=-1)
        kept, kept_there = mine.any(axis=-1), reference.any(axis=-1)
        union = max((kept | kept_there).sum(), 1)
        rows.append((distance.mean(), distance.sum() / union, (kept & kept_there).sum() / union))
    return dict(zip(["difference", "in_mask", "iou"], np.mean(rows, axis=0).tolist(), strict=True))


def both_faces(path: Path, openface: Path, tracker: FaceMesh) -> tuple[MaskedClip, MaskedClip | None]:
    """Masked faces of the clip at 112 px: with our landmarks, and with OpenFace's if they are known."""
    ours = mask_clip(path, tracker, SIZE)
    if has_reference(path):
        return ours, openface_faces(path)
    if not Path(openface, f"{path.stem}.csv").is_file():
        return ours, None
    return ours, mask_openface_clip(path.stem, path, openface, SIZE, pictures=False)


def strip(ours: MaskedClip, theirs: MaskedClip | None, count: int = 8) -> np.ndarray:
    """`count` evenly spaced faces in a row, OpenFace's below ours: uint8 (112 or 224, count x 112, 3)."""
    rows = [ours.faces] if theirs is None else [ours.faces, theirs.faces]
    frames = np.linspace(0, min(map(len, rows)) - 1, count).astype(int)
    return np.vstack([np.hstack(list(faces[frames])) for faces in rows])


def check_clip(path: Path, openface: Path, tracker: FaceMesh) -> tuple[dict[str, object], np.ndarray | None]:
    """One row of the table and one strip of the picture of :func:`check_clips`."""
    row: dict[str, object] = {"clip": path.stem}
    picture = None
    try:
        ours, theirs = both_faces(path, openface, tracker)
        picture = strip(ours, theirs)
        row |= {"frames": len(ours.success), "found": ours.success.mean(), "problem": ours.problem}
        if theirs is None:
            return row, picture
        row["reference"] = len(theirs.success)
        both = ours.success & theirs.success
        if both.any():
            row |= differences(ours.faces[both], theirs.faces[both])
        if find_pictures(openface, path.stem):
            features = read_features(Path(openface, f"{path.stem}.csv"))
            pictures, there = read_aligned(openface, path.stem, features.success)
            if there.any() and pictures.shape[1] == SIZE:
                row["recipe"] = differences(theirs.faces[there], pictures[there])["difference"]
    except InputProblem as problem:
        row["problem"] = str(problem)
    return row, picture


def check_clips(
    clips: Sequence[Path], openface: Path, *, progress: bool = False
) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Mask `clips` and compare them with OpenFace's results in the folder `openface`.

    Returns
    -------
    table : DataFrame
        One row per clip with the columns `CHECK_COLUMNS`; NaN without a reference.
    picture : uint8 array, (height, 896, 3)
        RGB: eight faces of each clip, OpenFace's below them if there are any; None if no clip could be read.

    Raises
    ------
    InputProblem
        If the landmark models are missing or wrong.
    """
    tracker = FaceMesh()
    checked = [check_clip(path, openface, tracker) for path in tqdm(clips, unit="clip", disable=not progress)]
    strips = [picture for _, picture in checked if picture is not None]
    table = pd.DataFrame([row for row, _ in checked], columns=list(CHECK_COLUMNS))
    numbers = [name for name in CHECK_COLUMNS if name not in ("clip", "problem")]
    table[numbers] = table[numbers].astype(float)
    table["problem"] = table["problem"].fillna("")
    return table, np.vstack(strips) if strips else None


def person(clip: str) -> str:
    """CREMA-D's or RAVDESS' actor of a clip; the clip's name if it is of neither corpus."""
    name = CLIPS[clip][0] if clip in CLIPS else clip
    parts = name.split("-")
    if len(parts) == 7:
        return parts[-1]
    return name.split("_")[0] if name[:4].isdigit() and name[4:5] == "_" else name


def verdicts(table: pd.DataFrame) -> list[tuple[str, bool | None]]:
    """The criteria, and whether the `table` of :func:`check_clips` meets each; None if it could not be checked."""
    compared = table[table["reference"].notna()]
    clips = compared.set_index(compared["clip"].map(person))["difference"]
    people = clips.groupby(level=0).agg(lambda one: one.mean(skipna=False))

    def judge(rows: pd.DataFrame, passed: pd.Series) -> bool | None:
        return bool(passed.all()) if len(rows) else None

    return [
        ("every clip can be read", judge(table, table["problem"] == "")),
        ("a face in every frame", judge(table, table["found"] == 1)),
        ("as many frames as OpenFace's table has", judge(compared, compared["frames"] == compared["reference"])),
        (
            f"for each person, difference at most {LARGEST_DIFFERENCE:g} grey levels at {SIZE} px",
            judge(compared, people <= LARGEST_DIFFERENCE),
        ),
        (
            f"over all people, difference at most {LARGEST_MEAN_DIFFERENCE:g} grey levels on average",
            judge(compared, pd.Series([people.mean(skipna=False) <= LARGEST_MEAN_DIFFERENCE])),
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status: 0 all criteria met, 1 one failed, 2 nothing could be checked."""
    parser = argparse.ArgumentParser(
        prog="python -m lib.faces.check_real", description="Mask real clips and compare them with OpenFace's faces."
    )
    parser.add_argument("data", nargs="?", type=Path, help="folder of real clips; without it four RAVDESS samples")
    data = parser.parse_args(arguments).data
    say = sys.stdout.write
    try:
        if data is None:
            clips, licence = sample_clips(in_workspace("data/ravdess-samples"))
            say(f"Four clips of RAVDESS (Livingstone & Russo 2018) from the PyPI package {WHEEL}.\n")
            say(f"Their licence, {relative(licence)}, begins:\n")
            lines = licence.read_text(encoding="utf-8", errors="replace").splitlines()
            say("".join(f"    {line.strip()}\n" for line in lines[:8] if line.strip()) + "\n")
            openface = licence.parent
        else:
            clips, openface = find_clips(data), data / "openface"
            if not clips:
                raise InputProblem(
                    data,
                    "it holds no clips",
                    "give a folder with cremad/VideoFlash/*.flv or ravdess/Actor_NN/*.mp4",
                )
        table, picture = check_clips(clips, openface, progress=True)
    except InputProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    shown = table.drop(columns="problem").dropna(axis=1, how="all")
    formats = {name: "{:.0f}".format for name in ("frames", "reference")}
    formats |= {"found": "{:.1%}".format, "iou": "{:.3f}".format}
    say(shown.to_string(index=False, float_format="{:.2f}".format, formatters=formats, na_rep="-") + "\n\n")
    say("".join(f"{name}: {CHECK_COLUMNS[name]}\n" for name in shown.columns[1:]) + "\n")
    say("".join(f"{row.clip}: {row.problem}\n" for row in table.itertuples() if row.problem))
    if picture is not None:
        shown_at = in_workspace("data/check-real/faces.png")
        with written_atomically(shown_at) as file:
            cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        say(f"Masked faces (OpenFace's below ours where there is a reference): {relative(shown_at)}\n\n")
    results = verdicts(table)
    outcomes = {True: "pass", False: "FAIL", None: "not checked (no reference)"}
    say("".join(f"{outcomes[passed]}: {criterion}\n" for criterion, passed in results))
    return int(any(passed is False for _, passed in results))


if __name__ == "__main__":
    sys.exit(main())
