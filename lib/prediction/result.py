"""The predictions for one video."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.base.emotions import PROBABILITIES
from lib.base.files import written_atomically
from lib.base.tables import pd

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
    rows
        One per window, in order, with `WINDOW_COLUMNS`.
    faces
        For each window its middle masked face, uint8 (28, 28, 3), or None if there is no face.
    problem
        What is wrong with the file; empty if it is fine.
    """

    video: Path
    name: str
    rows: list[dict[str, Any]]
    faces: list[np.ndarray | None]
    problem: str = ""

    @property
    def table(self) -> pd.DataFrame:
        """`rows` as a table."""
        return pd.DataFrame(self.rows, columns=WINDOW_COLUMNS)

    def write_table(self, path: Path, **more: str) -> None:
        """Write `rows`, and the columns `more` with one value each, as CSV to `path`, atomically."""
        with written_atomically(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [*WINDOW_COLUMNS, *more], lineterminator="\n")
            writer.writeheader()
            for row in self.rows:  # NaN is an empty field, as in all tables
                writer.writerow({name: "" if value != value else value for name, value in (row | more).items()})

    def summary(self) -> str:
        """One sentence: how many windows, how many with a prediction, and why the others have none."""
        without = Counter(problem.partition(":")[0] for row in self.rows if (problem := row["problem"]))
        reasons = ", ".join(f"{reason} ({count})" for reason, count in sorted(without.items()))
        text = f"{len(self.rows)} windows, {len(self.rows) - sum(without.values())} with a prediction"
        return f"{text}; without: {reasons}" if without else text
