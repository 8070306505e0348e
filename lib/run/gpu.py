"""What trainings take of the machine: memory, and whether they run on a GPU, and how many at once."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess

#: Environment variable: number of trainings at once on the GPU; 0 to train on the processor.
TRAININGS = "STUDY_GPU_TRAININGS"

LARGEST_JOB = 3000  # MB: a training's mem_mb in the Snakefile


def hidden() -> dict[str, str]:
    """Environment variables that hide the GPUs from TensorFlow, if trainings are to run on the processor."""
    return {"CUDA_VISIBLE_DEVICES": "-1"} if os.environ.get(TRAININGS) == "0" else {}


def cards() -> list[str]:
    """NVIDIA GPUs of this machine, from ``nvidia-smi -L``; empty if that is missing or fails."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line for line in done.stdout.splitlines() if line.startswith("GPU ")]


def has_cuda_build() -> bool:
    """Whether the installed TensorFlow can use a GPU: ``tensorflow-cpu`` cannot."""
    names = {distribution.name.lower() for distribution in importlib.metadata.distributions()}
    return "tensorflow" in names and "tensorflow-cpu" not in names


def trainings_at_once() -> int:
    """Number of trainings that may share the GPU: :data:`TRAININGS`, else one; 0 if no GPU is used."""
    chosen = os.environ.get(TRAININGS, "")
    if chosen.isdecimal():
        return int(chosen)
    return int(has_cuda_build() and bool(cards()))
