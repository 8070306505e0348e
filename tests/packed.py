"""Store networks for the records so that the same network is the same bytes.

A ``model.keras`` (`lib.study.weights`) has the time of its saving, places in memory, and the optimizer's state: two
thirds of the file are of no use after the training. `pack` leaves these out.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py

from lib.base.files import written_atomically
from lib.base.problems import InputProblem
from lib.measures.chosen import best_of_grid, split_pair
from lib.study import Study
from lib.study.cells import Cell
from lib.study.weights import FORM, METADATA, WEIGHTS, entries_of, weights_of

#: Group of the weights' file that has the optimizer's state.
OPTIMIZER = "optimizer"


def networks_of_notebooks(study: Study) -> tuple[Cell, ...]:
    """The trainings whose networks notebooks read, and not only their predictions; each once."""
    return tuple(dict.fromkeys([best_of_grid(study), *(split_pair(study) or ())]))


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
    entries = entries_of(content, path)
    metadata = json.loads(entries[METADATA])
    metadata.pop("date_saved", None)
    form = json.loads(entries[FORM])
    form.pop("compile_config", None)  # it would ask for the optimizer's state
    _number_shared(form, {})
    entries[METADATA], entries[FORM] = (json.dumps(entry, sort_keys=True).encode() for entry in (metadata, form))
    entries[WEIGHTS] = _shuffled(entries, path)
    with written_atomically(to) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in (METADATA, FORM, WEIGHTS):
            place = zipfile.ZipInfo(name)  # with a fixed date
            archive.writestr(place, entries[name], zipfile.ZIP_DEFLATED, 9)


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


def _shuffled(entries: dict[str, bytes], name: str | Path) -> bytes:
    """The layers' weights as an HDF5 file with the same groups, names and arrays, the numbers' first bytes together.

    First bytes are much alike, so the archive compresses them well; the others are as good as random.
    """

    def copy(source: h5py.Group, target: h5py.Group) -> None:
        for key, value in source.attrs.items():
            target.attrs[key] = value
        for key in sorted(source.keys() - {OPTIMIZER}):
            entry = source[key]
            if isinstance(entry, h5py.Group):
                copy(entry, target.create_group(key))
            elif entry.size and entry.ndim:
                target.create_dataset(key, data=entry[()], chunks=entry.shape, shuffle=True)
            else:
                target.create_dataset(key, data=entry[()])  # a single number has nothing to be together with

    buffer = io.BytesIO()
    with weights_of(entries, name) as source, h5py.File(buffer, "w") as target:
        copy(source, target)
    return buffer.getvalue()
