"""Checkpoints: one file per epoch with all that a training needs to continue after it.

A file has the weights, the optimizer's state, the best weights so far and the history, so all of these are of the same
epoch. It is written under a temporary name and renamed. The last two files are kept, and a training continues from the
newest one that can be read.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lib.base import locks
from lib.base.arrays import read_npz
from lib.base.files import written_atomically
from lib.base.paths import relative

if TYPE_CHECKING:
    from keras import Model

KEPT = 2

log = logging.getLogger(__name__)


@dataclass
class State:
    """A training after `epoch` epochs.

    Attributes
    ----------
    fingerprint
        Digest of everything that decides the numbers, except the number of epochs (see `lib.training.loop`).
    history
        float64 ``(epoch, 4)``: training loss and accuracy, validation loss and accuracy of each epoch.
    weights, best, optimizer
        Arrays in Keras' order: the current weights, those of the best epoch, and the optimizer's variables.
    """

    fingerprint: str
    history: np.ndarray
    weights: list[np.ndarray]
    best: list[np.ndarray]
    optimizer: list[np.ndarray]

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    def forms(self) -> dict:
        """Shape and type of every array, without the history's length; equal for all states of one training."""
        forms = {name: [(a.shape, a.dtype) for a in getattr(self, name)] for name in LISTS}
        return forms | {"history": (self.history.shape[1:], self.history.dtype)}


LISTS = ("weights", "best", "optimizer")


def state_of(model: Model, fingerprint: str, history: np.ndarray, best: list | None = None) -> State:
    """The state of `model` after the epochs of `history`; `best` are the best weights before the last epoch."""
    weights = model.get_weights()
    if best is None or best_epoch(history) == len(history):
        best = weights
    return State(fingerprint, history, weights, best, [np.asarray(v.value) for v in model.optimizer.variables])


def restore(model: Model, state: State) -> None:
    """Give `model` the weights of `state`, and its optimizer the optimizer's."""
    model.set_weights(state.weights)
    for variable, value in zip(model.optimizer.variables, state.optimizer, strict=True):
        variable.assign(value)


def best_epoch(history: np.ndarray) -> int:
    """The first epoch (from 1) with the highest validation accuracy; epochs without a finite loss come last."""
    loss, accuracy = history[:, 2], history[:, 3]
    return int(np.argmax(np.where(np.isfinite(loss), accuracy, -1.0))) + 1


@contextmanager
def locked_folder(folder: Path) -> Iterator[Path]:
    """Make `folder` if needed, lock it for this process, and remove unfinished files of a killed one."""
    with locks.locked_folder(folder, "lock", "another process is training here"):
        for left in folder.glob(".epoch-*"):
            shutil.rmtree(left, ignore_errors=True)
        yield folder


def save(state: State, folder: Path) -> None:
    """Write `state` into `folder` as ``epoch-NNNN.npz``; keep only this file and the one of the epoch before.

    Files of later epochs go, too: they are broken, or of another or a longer training, since none was continued.
    """
    arrays = {f"{name}-{i:03d}": a for name in LISTS for i, a in enumerate(getattr(state, name))}
    path = folder / f"epoch-{state.epoch:04d}.npz"
    with written_atomically(path) as temporary:
        np.savez(temporary, fingerprint=np.array(state.fingerprint), history=state.history, **arrays)
    files = _files(folder)
    for old in files[: files.index(path)] + files[files.index(path) + KEPT :]:
        old.unlink(missing_ok=True)


def newest(folder: Path, start: State, epochs: int) -> State | None:
    """The latest state in `folder` of the training that began with `start`, of at most `epochs` epochs, or None.

    Files that cannot be read, or belong to another training, are skipped and logged.
    """
    for path in _files(folder):
        try:
            state = _read(path)
            if state.fingerprint == start.fingerprint and state.forms() != start.forms():
                raise ValueError("arrays are missing or of another form")
        except (OSError, ValueError, KeyError) as error:
            log.warning("%s cannot be read (%s); going back to the one before", relative(path), error)
            continue
        if state.fingerprint != start.fingerprint:
            log.warning("%s is of a training with other parameters, data or code; not continued", relative(path))
        elif state.epoch <= epochs:
            return state
    return None


def _files(folder: Path) -> list[Path]:
    """Checkpoints in `folder`, the newest first."""
    return sorted(folder.glob("epoch-*.npz"), reverse=True)


def _read(path: Path) -> State:
    arrays = read_npz(path)
    lists = {name: [arrays[key] for key in sorted(arrays) if key.startswith(f"{name}-")] for name in LISTS}
    return State(fingerprint=str(arrays["fingerprint"]), history=arrays["history"], **lists)
