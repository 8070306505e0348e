"""Predict the emotions in any videos: one row per window, in constant memory, without TensorFlow."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from lib.base.emotions import EMOTIONS
from lib.base.problems import InputProblem
from lib.corpora.corpus import FPS
from lib.faces.landmarks import FaceMesh
from lib.faces.masking import sentence
from lib.faces.video import read_timed_frames
from lib.prediction import page
from lib.prediction.faults import Observer, Seen, fault
from lib.prediction.frames import at_rate, spans
from lib.prediction.portable import Network
from lib.prediction.result import WINDOW_COLUMNS, Prediction
from lib.sequences.cutting import pad

log = logging.getLogger("lib.prediction")

#: Files of a folder that are taken for videos.
SUFFIXES = {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"}


def videos_of(given: Iterable[Path]) -> list[Path]:
    """The files in `given`, and the videos in its folders, sorted by name.

    Raises
    ------
    InputProblem
        If a folder has no video.
    """
    videos: list[Path] = []
    for path in map(Path, given):
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise InputProblem(path, "holds no video", f"name a file, or a folder of {', '.join(sorted(SUFFIXES))}")
        videos += inside
    return videos


def tracker_of(network: Network) -> FaceMesh:
    """Finds faces as those were found that `network` was trained on; if OpenFace found them, the mesh read in turn."""
    return FaceMesh(twice=network.description["face_backend"] == "mesh_twice")


def predict_video(
    video: Path, network: Network, tracker: FaceMesh, name: str = "", progress: bool = True
) -> Prediction:
    """Predict the emotion in each window of `video`.

    Raises
    ------
    InputProblem
        If no frame of it can be decoded.
    """
    description, problem = network.description, ""
    observer = Observer(tracker, description["interpolation"])
    rows: list[dict[str, Any]] = []
    faces: list[np.ndarray | None] = []

    def frames() -> Iterator[Seen]:
        nonlocal problem
        count = 0  # a progress bar that is not shown does not count
        with tqdm(desc=video.name, unit="frame", disable=not progress) as bar:
            try:
                for seen in observer.observe(at_rate(read_timed_frames(video))):
                    count += 1
                    yield seen
                    bar.update()
            except InputProblem as broken:  # a file that ends early: its frames are used
                if not count:
                    raise
                problem = sentence(broken)

    for span in spans(frames(), *(description[key] for key in ("frames", "minimum", "trimmed"))):
        seen: list[Seen] = span.frames
        with_face = [frame for frame in seen if frame.has_face]
        reason = span.left_out or fault(seen)
        predicted: list = ["", *[math.nan] * len(EMOTIONS)]
        if not reason:
            probabilities = network(pad(np.stack([frame.face for frame in seen]), description["frames"]))
            rounded = (round(float(probability), 4) for probability in probabilities)
            predicted = [EMOTIONS[int(probabilities.argmax())], *rounded]
        start, end = (round(number / FPS, 2) for number in (span.first, span.first + len(seen)))
        share = round(len(with_face) / len(seen), 3)
        values = [video.name, len(rows), start, end, len(seen), share, *predicted, reason]
        rows.append(dict(zip(WINDOW_COLUMNS, values, strict=True)))
        faces.append(with_face[len(with_face) // 2].face if with_face else None)
    return Prediction(video, name or video.stem, rows, faces, problem)


def predict(given: Iterable[Path], portable: Path, to: Path, progress: bool = True) -> list[InputProblem]:
    """Write for each video a table (CSV) and a picture (SVG), and one page for all, ``index.html``, into `to`.

    Parameters
    ----------
    given
        Videos, and folders of videos.
    portable
        Folder of the portable network, see `lib.prediction.portable`.
    to
        Folder of the files.

    Returns
    -------
    list of InputProblem
        The videos that cannot be read.
    """
    cv2.setNumThreads(1)
    videos, network = videos_of(given), Network(portable)
    tracker = tracker_of(network)
    done: list[Prediction] = []
    failed: list[InputProblem] = []
    log.info("%s", network.description["trained_on"])
    for video in videos:
        try:
            prediction = predict_video(video, network, tracker, _free(video.stem, done), progress)
        except InputProblem as problem:
            log.error("%s", problem)
            failed.append(problem)
            continue
        done.append(prediction)
        prediction.write_table(to / f"{prediction.name}.csv", trained_on=network.description["trained_on"])
        page.write_picture(prediction, network.description, to / f"{prediction.name}.svg")
        log.info(
            "%s: %s", video.name, f"{prediction.summary()}{'; ' if prediction.problem else ''}{prediction.problem}"
        )
    page.write_page(done, failed, network.description, to / "index.html")
    return failed


def _free(stem: str, done: list[Prediction]) -> str:
    """`stem`, followed by a number if an earlier video has the same name."""
    taken, name, number = {prediction.name for prediction in done}, stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name
