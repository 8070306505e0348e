"""The number of sequences under each reading of the paper's rule, from the clips' lengths."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lib.corpora.records import frames_of
from lib.sequences.cutting import windows

#: Upper edges, in frames, of the paper's bins 0-75, 76-100, 101-150 and more (section III-B).
BIN_EDGES = (75, 100, 150)


def count_bins(frames: pd.Series) -> list[int]:
    """Count clips in the paper's four bins: up to 75 frames, 76 to 100, 101 to 150, more."""
    bins = pd.cut(frames, [-np.inf, *BIN_EDGES, np.inf])
    return bins.value_counts(sort=False).tolist()


def sequences_under(frames: pd.Series, rule: str, trimmed: int = 110) -> int:
    """Count the sequences that clips of `frames` frames give under a rule of `lib.sequences.cutting.windows`."""
    counts = frames.value_counts()
    return int(sum(len(windows(int(n), rule, trimmed=trimmed)) * count for n, count in counts.items()))


def readings(table: pd.DataFrame) -> pd.DataFrame:
    """Bins and number of sequences under each estimate of the frames and each reading of the paper's rule.

    Parameters
    ----------
    table
        The result of `lib.corpora.records.clips`.

    Returns
    -------
    pandas.DataFrame
        One row per estimate; the bins ``0-75, 76-100, 101-150, more``, and the number of sequences of all clips under
        ``over 110`` (windows of 75 for a clip of 111 frames or more, the last one with at least 35 frames),
        ``from 110`` (also for a clip of 110) and ``literal`` (two from 150 frames on).
    """
    nearest, begun = frames_of(table["seconds"]), frames_of(table["seconds"], "begun")
    estimates = {
        "nearest frame": nearest,
        "frames begun": begun,
        "nearest + 1": nearest + 1,
        "nearest + 2": nearest + 2,
    }
    rows = [
        [
            name,
            *count_bins(frames),
            sequences_under(frames, "windows"),
            sequences_under(frames, "windows", trimmed=109),
            sequences_under(frames, "split_at_150"),
        ]
        for name, frames in estimates.items()
    ]
    columns = ["estimate", "0-75", "76-100", "101-150", "more", "over 110", "from 110", "literal"]
    return pd.DataFrame(rows, columns=columns)
