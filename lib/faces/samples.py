"""RAVDESS clips that a PyPI package includes as samples, and OpenFace's faces of them as committed facts.

``records/openface_samples.csv`` has for each frame of three of the clips OpenFace's alignment and outline of the face,
from which its masked face follows. ``python -m lib.faces.samples DATA`` makes the table anew from OpenFace's tables in
``DATA/openface``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.base.checksums import sha256
from lib.base.files import write_table, written_atomically
from lib.base.problems import InputProblem
from lib.corpora.records import RECORDS, committed
from lib.faces.alignment import OUTLINE, SIZE, face_mask, sample, similarity, transform
from lib.faces.masking import MaskedClip
from lib.faces.models import WHEEL, download_wheel
from lib.faces.openface import read_features
from lib.faces.video import read_frames

LICENCE = "LICENSE-RAVDESS.txt"

#: The package's name of a clip -> RAVDESS' name and the SHA-256 of the file.
CLIPS = {
    "sample_02": ("01-01-05-02-02-01-01", "ad9bcb64e67e6d5b785430ab1eac671cdbbe5e509f89bc65b2fd4577bee2ff5a"),
    "sample_03": ("01-01-01-01-01-02-04", "8929778ba914c1a02940d416559f65054602bb3dc84b45c7bf75fd517c560a89"),
    "sample_04": ("01-01-06-02-01-02-04", "8e844c5ea65626bc4594e40cd0564279691766aa3ded25cced69c39f8ee7a6d2"),
}

TABLE = "openface_samples.csv"

#: The similarity from the frame to the aligned picture, ``[[a, -b, x], [b, a, y]]``; then the outline in that picture.
_ALIGNMENT = ["a", "b", "x", "y"]
_OUTLINE = [f"{axis}_{point}" for axis in "xy" for point in OUTLINE]


def sample_clips(folder: Path) -> tuple[list[Path], Path]:
    """RAVDESS' sample clips and their licence, extracted from pyfame's wheel into `folder`.

    Raises
    ------
    InputProblem
        If pip cannot download the wheel, or it has no clips.
    """
    licence = folder / LICENCE
    if not licence.is_file():  # written last
        with tempfile.TemporaryDirectory() as temporary:
            wheel = download_wheel(WHEEL, Path(temporary))
            with zipfile.ZipFile(wheel) as archive:
                members = [name for name in archive.namelist() if name.startswith("pyfame/data/sample/")]
                wanted = [name for name in members if name.endswith(".mp4")]
                terms = [name for name in members if name.endswith(LICENCE)]
                if not wanted or not terms:
                    raise InputProblem(wheel, "the wheel holds no sample clips", f"ask the registry for {WHEEL}")
                for name in [*wanted, terms[0]]:
                    with written_atomically(folder / Path(name).name) as file:
                        file.write_bytes(archive.read(name))
    return sorted(folder.glob("*.mp4")), licence


def has_reference(path: Path) -> bool:
    """Whether `path` is one of `CLIPS`, by its name and its contents."""
    if path.stem not in CLIPS or not path.is_file():
        return False
    return sha256(path) == CLIPS[path.stem][1]


def openface_faces(path: Path) -> MaskedClip:
    """OpenFace's masked faces, 112 px, of the sample clip `path`, made from the committed table.

    The landmarks are zeros: the table has the outline only.

    Raises
    ------
    InputProblem
        If the table is not the committed one, or the clip cannot be decoded or has fewer frames than the table.
    """
    table = pd.read_csv(committed(TABLE)).query("clip == @path.stem")
    faces = []
    for frame, row in zip(read_frames(path), table.to_dict("records"), strict=False):
        a, b, x, y = (row[name] for name in _ALIGNMENT)
        face = sample(frame, cv2.invertAffineTransform(np.array([[a, -b, x], [b, a, y]])), SIZE, cv2.BORDER_CONSTANT)
        aligned = np.zeros((68, 2))
        aligned[OUTLINE] = np.array([row[name] for name in _OUTLINE]).reshape(2, -1).T
        faces.append(cv2.copyTo(face, face_mask(aligned).view(np.uint8)))
    if len(faces) != len(table):
        raise InputProblem(path, f"it has {len(faces)} frames, OpenFace's table {len(table)}", "fetch the clips again")
    return MaskedClip(np.stack(faces), np.ones(len(faces), dtype=bool), np.zeros((len(faces), 68, 2), np.float32))


def facts(openface: str | os.PathLike) -> pd.DataFrame:
    """The committed table from OpenFace's tables, which are named as RAVDESS names the clips.

    Raises
    ------
    InputProblem
        If one of the tables is missing or damaged.
    """
    rows = []
    for clip, (name, _) in CLIPS.items():
        for frame, points in enumerate(read_features(Path(openface, f"{name}.csv")).points, start=1):
            matrix = similarity(points)
            outline = transform(points.astype(np.float64), matrix)[OUTLINE]
            alignment = [*(f"{value:.5f}" for value in matrix[:, 0]), *(f"{value:.2f}" for value in matrix[:, 2])]
            rows.append([clip, frame, *alignment, *(f"{value:.2f}" for value in outline.T.ravel())])
    return pd.DataFrame(rows, columns=["clip", "frame", *_ALIGNMENT, *_OUTLINE])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lib.faces.samples", description="Make the table of facts anew.")
    parser.add_argument("data", type=Path, help="a folder with openface/CLIP.csv of the three clips")
    data = parser.parse_args(arguments).data
    try:
        write_table(facts(data / "openface"), RECORDS / TABLE)
    except InputProblem as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
