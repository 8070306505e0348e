"""The predictions for one video."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.base.emotions import PROBABILITIES

#: Columns of a video's table. ``problem`` is why a window has no prediction; emotion and probabilities are then empty.
WINDOW_COLUMNS = ["video", "window", "start", "end", "frames", "share_with_face", "emotion", *PROBABILITIES, "problem"]


@dataclass(frozen=True)
class Prediction:
    """The predictions for one video.

    Attributes
    ----------
    video
        Its file.
    name
        Name of the files written for it; different for each video.
    table
        One row per window, with `WINDOW_COLUMNS`.
    faces
        For each row its middle masked face, uint8 (28, 28, 3), or None if there is no face.
    problem
        What is wrong with the file; empty if it is fine.
    """

    video: Path
    name: str
    table: pd.DataFrame
    faces: list[np.ndarray | None]
    problem: str = ""

    def summary(self) -> str:
        """One sentence: how many windows, how many with a prediction, and why the others have none."""
        without = Counter(problem.partition(":")[0] for problem in self.table["problem"] if problem)
        reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(without.items()))
        text = f"{len(self.table)} windows, {len(self.table) - sum(without.values())} with a prediction"
        return f"{text}; without: {reasons}" if without else text
