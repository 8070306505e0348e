"""The time of masking compared with decoding only: ``python tests/benchmarks/bench_masking.py``.

Times are CPU milliseconds a frame of one process, so that another program's load counts little; decoding and
masking the same clip alternate, and a ratio is the median over the rounds. Peak memory is measured in a process
of its own for each of the two. The clips are CREMA-D's own where the environment variable REAL_DATA names a
folder that has them, and rendered ones of CREMA-D's size (480x360). The goal, at most 6 times decoding, is set for
the former: their codec (VP6) takes about twice as long to decode as that of the rendered clips (FLV1).
"""

from __future__ import annotations  # noqa: I001

import lib  # noqa: F401  before NumPy

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import cv2

from lib.faces.landmarks import FaceMesh
from lib.faces.masking import mask_clip
from lib.faces.video import read_frames

ROUNDS = 5
GOAL = 6.0


def decode(path: Path) -> int:
    """Decode the clip, keep nothing; return the number of frames."""
    return sum(1 for _ in read_frames(path))


def cpu_seconds(work, *arguments) -> float:
    """CPU seconds of this process for one call."""
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def measure(clips: list[Path]) -> tuple[float, float, float]:
    """Milliseconds a frame of decoding and of masking, and the ratio, each the median over the rounds."""
    tracker = FaceMesh()
    frames = sum(decode(clip) for clip in clips)
    mask_clip(clips[0], tracker)  # warm
    rounds = []
    for _ in range(ROUNDS):
        decoding = whole = 0.0
        for clip in clips:
            decoding += cpu_seconds(decode, clip)
            whole += cpu_seconds(mask_clip, clip, tracker)
        rounds.append((decoding / frames * 1e3, whole / frames * 1e3, whole / decoding))
    return tuple(median(column) for column in zip(*rounds, strict=True))


def peak_memory(what: str, clips: list[Path]) -> float:
    """Peak memory, MiB, of a process that does nothing else."""
    command = [sys.executable, __file__, "--peak", what, *map(str, clips)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    return float(done.stdout)


def report_peak(what: str, clips: list[str]) -> None:
    """Do the work, then write this process' peak memory."""
    tracker = FaceMesh() if what == "mask" else None
    for clip in clips:
        if tracker is None:
            decode(Path(clip))
        else:
            mask_clip(clip, tracker)
    sys.stdout.write(f"{peak_of_this_process()}\n")


def peak_of_this_process() -> float:
    """Peak memory in MiB. (Linux counts the parent's in ru_maxrss of a process that it started.)"""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # macOS counts bytes


def show(name: str, value: str, note: str = "") -> None:
    """Write one row of the table."""
    sys.stdout.write(f"{name:<56} {value:>14}  {note}\n".rstrip() + "\n")


def report(name: str, clips: list[Path], goal: float | None) -> None:
    """Measure one set of clips and write its rows."""
    decoding, whole, ratio = measure(clips)
    show(f"decoding, {name}", f"{decoding:.2f} ms/frame")
    show(f"masking, {name}", f"{whole:.2f} ms/frame", f"{1000 / whole:.0f} frames a second a core")
    note = "" if goal is None else f"goal: at most {goal:g}: {'met' if ratio <= goal else 'MISSED'}"
    show(f"masking / decoding, {name}", f"{ratio:.2f}", note)
    decoding, masking = peak_memory("decode", clips), peak_memory("mask", clips)
    show(f"peak memory of decoding, {name}", f"{decoding:.0f} MiB")
    show(f"peak memory of masking, {name}", f"{masking:.0f} MiB", f"{masking / decoding:.2f} times decoding")


def main() -> None:
    """Run the benchmark."""
    from lib.synthetic import render_corpus

    cv2.setNumThreads(1)
    real = sorted(Path(os.environ.get("REAL_DATA") or "no folder").glob("cremad/VideoFlash/*.flv"))
    if real:
        report("CREMA-D (480x360, VP6)", real, GOAL)
    else:
        show("masking / decoding, CREMA-D (480x360, VP6)", "not measured", "REAL_DATA names no folder with its clips")
    with tempfile.TemporaryDirectory() as folder:
        rendered = render_corpus("cremad", folder, actors=2, clips=4, seed=1, processes=1, progress=False)
        report("rendered (480x360, FLV1)", rendered, None)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        report_peak(sys.argv[2], sys.argv[3:])
    else:
        main()
