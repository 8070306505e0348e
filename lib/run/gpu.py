"""Whether trainings run on a graphics card, and how many at once: one card is soon full."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess

#: Environment variable: trainings at once on the card; 0 where they shall run on the processor.
TRAININGS = "STUDY_GPU_TRAININGS"


def cards() -> list[str]:
    """NVIDIA's cards of this machine as ``nvidia-smi -L`` lists them; none where it is missing or fails."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line for line in done.stdout.splitlines() if line.startswith("GPU ")]


def has_cuda_build() -> bool:
    """Whether the installed TensorFlow can use a card: ``tensorflow-cpu`` cannot."""
    names = {distribution.name.lower() for distribution in importlib.metadata.distributions()}
    return "tensorflow" in names and "tensorflow-cpu" not in names


def trainings_at_once() -> int:
    """How many trainings may share the card, one unless :data:`TRAININGS` says otherwise; 0 where none is used."""
    chosen = os.environ.get(TRAININGS, "")
    if chosen.isdecimal():
        return int(chosen)
    return int(has_cuda_build() and bool(cards()))
