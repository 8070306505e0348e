"""Log every few minutes, while Snakemake runs, how much of a study is done and how long the rest takes.

Each kind of work is weighted by its time on one core, measured by ``tests/benchmarks/study_time.py`` and on the pilot
of the twin. The speed of this machine is estimated from the work done since the run began.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lib.base.problems import InputProblem
from lib.run.lengths import rendered, used
from lib.study import Study

log = logging.getLogger("lib.run.progress")

INTERVAL = 600.0  # seconds between two lines
LEAST_DONE = 0.1  # share of the work that must be done before the rest is estimated

_RENDER = 1 / 580  # seconds per frame
_MASK = {"mesh": 1 / 220, "mesh_twice": 1 / 120, "openface": 1 / 220}  # seconds per frame, by backend
_EPOCH = {5: 30.0, 6: 42.0, 7: 61.0}  # seconds of 5,000 training and 1,000 validation sequences, by layers
_SEQUENCES = 7704  # sequences of the corpus with these parts
_TRAINING = 30.0  # seconds of a training's notebook without its epochs


def work(study: Study) -> tuple[float, float]:
    """Seconds of work on one core: done, judged by the existing files, and needed for the whole `study`."""
    done = total = 0.0
    for corpus, entry in study.corpora.items():
        clips, actors = rendered(study, corpus), used(study, corpus)
        lengths = [frames for of_actor in actors.values() for frames in of_actor]
        if clips:
            there = sum(clip.path(entry["folder"]).exists() for clip in clips) / len(clips)
            seconds = sum(clip.frames for clip in clips) * _RENDER
            total, done = total + seconds, done + seconds * there
        there = min(len(actors), len([*(study.faces(corpus) / "faces").glob("*.npz")]))
        seconds = sum(lengths) * _MASK[study.settings["face_backend"]]
        total, done = total + seconds, done + seconds * there / (len(actors) or 1)
        if corpus == study.training_corpus:
            share = len(lengths) / _SEQUENCES
    trainings = study.trainings
    for cell in trainings:
        before = cell.continued(trainings)
        first = before.epochs if before else 0
        folder = study.training(cell)
        epochs = max((int(path.stem[-4:]) for path in (folder / "checkpoints").glob("epoch-*.npz")), default=first)
        seconds = (cell.epochs - first) * _EPOCH[cell.layers] * share
        total += seconds + _TRAINING
        if (folder / "metrics.json").exists():
            done += seconds + _TRAINING
        else:
            done += seconds * max(0, epochs - first) / (cell.epochs - first)
    return done, total


def line(study: Study, before: float, elapsed: float) -> str:
    """The line to log after `elapsed` seconds of a run that began with `before` seconds of work done."""
    done, total = work(study)
    text = f"{study.name}: {100 * done / total:.0f} % done"
    if done < max(LEAST_DONE * total, before + 1):
        return text
    left = (total - done) * elapsed / (done - before) / 60
    return f"{text}, about {f'{left / 60:.1f} h' if left >= 90 else f'{left:.0f} min'} left"


@contextmanager
def logged(study: Study, interval: float = INTERVAL) -> Iterator[None]:
    """Log the progress of `study` while the block runs."""
    ended = threading.Event()

    def log_lines() -> None:
        try:
            before, start = work(study)[0], time.monotonic()
            while not ended.wait(interval):
                log.warning("%s", line(study, before, time.monotonic() - start))
        except (InputProblem, OSError, ValueError) as error:  # Snakemake reports it, too
            log.debug("%s", error)

    threading.Thread(target=log_lines, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
