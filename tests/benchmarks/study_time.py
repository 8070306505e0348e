"""How long the paper's full study takes on this machine: ``python tests/benchmarks/study_time.py [--seconds 6]``.

Masking and training are measured as the workflow runs them: a process for every core, one thread each, side by
side. Times are CPU seconds, so that another program's load counts little. From their rates follows the time of
Table 1's twelve cells, of `config/paper.yaml` and of `config/paper-full.yaml`: 7,442 + 1,056 clips with CREMA-D's real
frame counts, 5,000 training and 1,000 validation sequences an epoch, three cells that continue others. Clips are
CREMA-D's own where REAL_DATA names a folder that has them, else rendered ones, whose decoding is cheaper.
"""

from __future__ import annotations  # noqa: I001

import lib  # noqa: F401  before NumPy

import argparse
import heapq
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import numpy as np

RAVDESS_CLIPS, RAVDESS_SECONDS = 1056, 3.7  # the mean of its speech clips
TRAINING, VALIDATION, TEST = 5000, 1000, 1704


def measure_masking(clips: list[str], seconds: float) -> dict[str, float]:
    """Frames a second of this process."""
    import cv2

    from lib.faces.landmarks import FaceMesh
    from lib.faces.masking import mask_clip

    cv2.setNumThreads(1)
    tracker, frames = FaceMesh(), 0
    mask_clip(clips[0], tracker)
    start = wait_for_start()
    for clip in cycle(clips):
        frames += len(mask_clip(clip, tracker).success)
        if time.process_time() - start > seconds:
            return {"frames": frames / (time.process_time() - start)}


def measure_training(layers: int, seconds: float) -> dict[str, float]:
    """Seconds of a training step and of a prediction, batch 32."""
    from lib.study import publication
    from lib.training import loop, network

    loop.configure(threads=1)
    settings = {name: assumption.value for name, assumption in publication.assumptions().items()}
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (settings["batch"], 75, 28, 28, 3), dtype=np.uint8)
    labels = rng.integers(0, 6, len(faces)).astype(np.int32)
    model = network.build(layers, settings)
    model.optimizer.build(model.trainable_variables)
    step, forward = loop._step(model), loop._forward(model)
    calls = {"step": lambda: float(step(faces, labels)[0]), "prediction": lambda: forward(faces).numpy()}
    for call in calls.values():
        call()
    start, found = wait_for_start(), {}
    for number, (name, call) in enumerate(calls.items(), 1):
        times = []
        while not times or time.process_time() - start < seconds * number / len(calls):
            begun = time.process_time()
            call()
            times.append(time.process_time() - begun)
        found[name] = float(np.mean(times))
    return found


def wait_for_start() -> float:
    """Tell that this worker is warm; give the CPU time at which all may begin."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    return time.process_time()


def side_by_side(processes: int, *arguments: str) -> dict[str, float]:
    """What workers that run at the same time measure, each value's mean over them."""
    command = [sys.executable, __file__, "--worker", *arguments]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for worker in workers:
        if worker.stdout.readline() != "ready\n":
            sys.exit(f"a worker could not start: {' '.join(arguments)}")
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    found = [json.loads(worker.communicate()[0]) for worker in workers]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def longest(hours: list[float], processes: int) -> float:
    """Hours until all are done if each free process takes the longest that is left."""
    free = [0.0] * processes
    for one in sorted(hours, reverse=True):
        heapq.heapreplace(free, free[0] + one)
    return max(free)


def main() -> None:
    """Measure, and print the rates and the study's time."""
    from lib.corpora import records
    from lib.corpora.corpus import FPS
    from lib.study import load
    from lib.synthetic import render_corpus

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement (default 6)")
    parser.add_argument("--worker", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        what, *more = options.worker
        measure = measure_masking(more, options.seconds) if what == "mask" else None
        sys.stdout.write(json.dumps(measure or measure_training(int(more[0]), options.seconds)))
        return

    cores, seconds, write = len(os.sched_getaffinity(0)), ("--seconds", str(options.seconds)), sys.stdout.write
    with tempfile.TemporaryDirectory() as folder:
        clips = sorted(Path(os.environ.get("REAL_DATA") or "no folder").glob("cremad/VideoFlash/*.flv"))
        source = "CREMA-D's clips" if clips else "rendered clips"
        if not clips:
            clips = render_corpus("cremad", folder, actors=1, clips=2, seed=1, processes=1, progress=False)
        rate = cores * side_by_side(cores, "mask", *map(str, clips), *seconds)["frames"]
    write(f"{cores} process(es) side by side, one thread each\n")
    write(f"masking ({source}): {rate:.0f} frames a second\n")

    epoch, every = {}, {}
    for layers in (5, 6, 7):
        found = side_by_side(cores, "train", str(layers), *seconds)
        batches = {part: math.ceil(part / 32) for part in (TRAINING, VALIDATION)}
        epoch[layers] = batches[TRAINING] * found["step"] + batches[VALIDATION] * found["prediction"]
        # each training ends with a test on all parts and RAVDESS
        every[layers] = (TRAINING + VALIDATION + TEST + RAVDESS_CLIPS) / 32 * found["prediction"]
        write(f"{layers} layers: {found['step']:.3f} s a step of 32, {32 * cores / found['step']:.0f} sequences a ")
        write(f"second, {epoch[layers]:.0f} s an epoch\n")

    frames = int(records.clips()["frames"].sum()) + round(RAVDESS_CLIPS * RAVDESS_SECONDS * FPS)
    masking = frames / rate / 3600
    write(f"masking {frames:,} frames: {masking:.1f} h\n")
    paper, full, twin = load("paper"), load("paper-full"), load("twin")
    for what, cells in (
        ("Table 1", paper.grid),
        ("paper", paper.trainings),
        ("paper-full", full.trainings),
        ("twin", twin.trainings),
    ):
        continued = [cell.continued(cells) for cell in cells]
        jobs = [
            ((0 if cell in continued else cell.epochs * epoch[cell.layers]) + every[cell.layers]) / 3600
            for cell in cells
        ]
        total = masking + longest(jobs, cores)
        write(f"{what}: {len(cells)} trainings, with the masking about {total:.1f} h on this machine\n")
    write("(a changed network of paper-full counts as its reference: pooling and larger kernels take longer)\n")


if __name__ == "__main__":
    main()
