"""Which sequence trains, which validates, which tests. A protocol is a function; the study names one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

PARTS = ("train", "validation", "test")


def sizes(total: int, stated: Sequence[int]) -> tuple[int, int, int]:
    """Sequences in each part: as `stated` if `total` is their sum, else in the same proportions.

    The paper states 5000, 1000 and 1704 (III-B). Rounded down, what is left over goes to the test part.
    """
    whole = sum(stated)
    train, validation = (total * part // whole for part in stated[:2])
    return train, validation, total - train - validation


def paper(table: pd.DataFrame, parts: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Split at random over sequences, as the paper appears to: an actor, even a clip, may be on both sides."""
    names = np.repeat(PARTS, parts)
    assigned = np.empty(len(table), dtype=object)
    assigned[rng.permutation(len(table))] = names
    return assigned


PROTOCOLS: dict[str, Callable[[pd.DataFrame, tuple[int, int, int], np.random.Generator], np.ndarray]] = {
    "paper": paper,
}


def split(table: pd.DataFrame, protocol: str, stated: Sequence[int], seed: int) -> np.ndarray:
    """Assign every sequence of `table` to a part.

    Parameters
    ----------
    table
        The table of sequences.csv.
    protocol
        A name in :data:`PROTOCOLS`.
    stated
        Sequences for training, validation and test; scaled if they do not sum to the table's rows.
    seed
        The same seed gives the same split.

    Returns
    -------
    numpy.ndarray
        Of str, one of :data:`PARTS` for each row.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown split protocol {protocol!r}; known are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol](table, sizes(len(table), stated), np.random.default_rng([seed, 0]))
