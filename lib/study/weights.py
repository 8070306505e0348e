"""Read and compare the weights in a network's file without TensorFlow, and store a network so that its bytes are fixed.

A ``model.keras`` is a zip archive with the network's form, its weights (HDF5), the optimizer's state and the time at
which it was saved. So two files of one network differ, and two thirds of a file are of no use after the training.
`pack` leaves out the time, the optimizer and places in memory, and the same network is the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lib.base.files import written_atomically
from lib.base.problems import InputProblem

#: Ending of a network's file.
ENDING = ".keras"

#: Entries of the archive: Keras' version and the date, the network's form, its weights.
_METADATA, _FORM, _WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
#: Group of the weights' file that has the optimizer's state.
_OPTIMIZER = "optimizer"


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

    with _weights_of(_entries(content, name), name) as stored:
        stored.visititems(keep)
    return {place: arrays[place] for place in sorted(arrays)}


def same_weights(content: bytes, other: bytes) -> bool:
    """Whether two network files have equal weights at the same places; False if one is no network's file."""
    try:
        ours, theirs = read_weights(content), read_weights(other)
    except InputProblem:
        return False
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[place], theirs[place]) for place in ours)


def pack(path: Path, to: Path) -> None:
    """Copy the network in `path` to `to`, without optimizer, date and places in memory; Keras reads it like any other.

    Raises
    ------
    InputProblem
        If `path` is no network's file, or cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputProblem(path, f"cannot be read ({error.strerror})", "train it again") from None
    entries = _entries(content, path)
    metadata = json.loads(entries[_METADATA])
    metadata.pop("date_saved", None)
    form = json.loads(entries[_FORM])
    form.pop("compile_config", None)  # it would ask for the optimizer's state
    _number_shared(form, {})
    entries[_METADATA], entries[_FORM] = (json.dumps(entry, sort_keys=True).encode() for entry in (metadata, form))
    entries[_WEIGHTS] = _shuffled(entries, path)
    with written_atomically(to) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in (_METADATA, _FORM, _WEIGHTS):
            place = zipfile.ZipInfo(name)  # with a fixed date
            archive.writestr(place, entries[name], zipfile.ZIP_DEFLATED, 9)


def _entries(content: bytes, name: str | Path) -> dict[str, bytes]:
    """The three entries of a network's file; InputProblem if it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {entry: archive.read(entry) for entry in (_METADATA, _FORM, _WEIGHTS)}
        if not all(isinstance(json.loads(entries[name]), dict) for name in (_METADATA, _FORM)):
            raise ValueError("its JSON holds no entries")
    except (zipfile.BadZipFile, zlib.error, KeyError, OSError, ValueError, EOFError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise InputProblem(name, f"is no network's file ({reason})", "train it again") from None
    return entries


def _number_shared(entry: Any, numbers: dict[int, int]) -> None:
    """Number the shared objects below `entry` as they come: Keras names them by their places in memory."""
    if isinstance(entry, dict):
        if isinstance(named := entry.get("shared_object_id"), int):
            entry["shared_object_id"] = numbers.setdefault(named, len(numbers))
        for _, below in sorted(entry.items()):
            _number_shared(below, numbers)
    elif isinstance(entry, list):
        for below in entry:
            _number_shared(below, numbers)


@contextmanager
def _weights_of(entries: dict[str, bytes], name: str | Path) -> Iterator[h5py.File]:
    """Open the weights among `entries`; InputProblem if they are damaged."""
    try:
        with h5py.File(io.BytesIO(entries[_WEIGHTS]), "r") as stored:
            yield stored
    except (OSError, RuntimeError, ValueError) as error:
        raise InputProblem(name, f"has damaged weights ({error})", "train it again") from None


def _shuffled(entries: dict[str, bytes], name: str | Path) -> bytes:
    """The layers' weights as an HDF5 file with the same groups, names and arrays, the numbers' first bytes together.

    First bytes are much alike, so the archive compresses them well; the others are as good as random.
    """

    def copy(source: h5py.Group, target: h5py.Group) -> None:
        for key, value in source.attrs.items():
            target.attrs[key] = value
        for key in sorted(source.keys() - {_OPTIMIZER}):
            entry = source[key]
            if isinstance(entry, h5py.Group):
                copy(entry, target.create_group(key))
            elif entry.size and entry.ndim:
                target.create_dataset(key, data=entry[()], chunks=entry.shape, shuffle=True)
            else:
                target.create_dataset(key, data=entry[()])  # a single number has nothing to be together with

    buffer = io.BytesIO()
    with _weights_of(entries, name) as source, h5py.File(buffer, "w") as target:
        copy(source, target)
    return buffer.getvalue()
