"""Read and compare the weights in a network's file without TensorFlow.

A ``model.keras`` is a zip archive with the network's form, its weights (HDF5), the optimizer's state and the time at
which it was saved. So two files of one network differ.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from lib.base.problems import InputProblem

#: Ending of a network's file.
ENDING = ".keras"

#: Entries of the archive: Keras' version and the date, the network's form, its weights.
METADATA, FORM, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"


def read_weights(content: bytes, name: str | Path = "model.keras") -> dict[str, np.ndarray]:
    """Weights of a network's layers by their place in its file, in alphabetical order.

    The states of the optimizer and of dropout's random numbers are no weights.

    Parameters
    ----------
    content
        The bytes of a ``model.keras``.
    name
        Its path, for the message.

    Raises
    ------
    InputProblem
        If it is no network's file.
    """
    arrays: dict[str, np.ndarray] = {}

    def keep(place: str, entry: h5py.Dataset | h5py.Group) -> None:
        if isinstance(entry, h5py.Dataset) and place.startswith("layers/") and "seed_generator" not in place:
            arrays[place] = entry[()]

    with weights_of(entries_of(content, name), name) as stored:
        stored.visititems(keep)
    return {place: arrays[place] for place in sorted(arrays)}


def same_weights(content: bytes, other: bytes) -> bool:
    """Whether two network files have equal weights at the same places; False if one is no network's file."""
    try:
        ours, theirs = read_weights(content), read_weights(other)
    except InputProblem:
        return False
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[place], theirs[place]) for place in ours)


def entries_of(content: bytes, name: str | Path) -> dict[str, bytes]:
    """The three entries of a network's file; InputProblem if it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {entry: archive.read(entry) for entry in (METADATA, FORM, WEIGHTS)}
        if not all(isinstance(json.loads(entries[name]), dict) for name in (METADATA, FORM)):
            raise ValueError("its JSON holds no entries")
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, ValueError, EOFError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise InputProblem(name, f"is no network's file ({reason})", "train it again") from None
    return entries


@contextmanager
def weights_of(entries: dict[str, bytes], name: str | Path) -> Iterator[h5py.File]:
    """Open the weights among `entries`; InputProblem if they are damaged."""
    try:
        with h5py.File(io.BytesIO(entries[WEIGHTS]), "r") as stored:
            yield stored
    except (OSError, RuntimeError, ValueError) as error:
        raise InputProblem(name, f"has damaged weights ({error})", "train it again") from None
