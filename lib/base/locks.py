"""Locks on files. The system releases them when the process ends, also when it is killed."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from lib.base.problems import InputProblem


def locked(file: IO | int) -> bool:
    """Lock an open file or folder for this process; return False if another process has locked it.

    Raises
    ------
    OSError
        If the disk does not support locks, like some network disks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked_folder(folder: Path, name: str, busy: str) -> Iterator[None]:
    """Make `folder` if needed and lock it for this process, by its file `name`.

    On a disk that does not support locks the block runs without one: a shared disk of a cluster may be such a disk.

    Raises
    ------
    InputProblem
        With the text `busy` if another process has locked it; or if it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / name, "w")  # noqa: SIM115  closed at the end
    except OSError as error:
        remedy = "make its folder writable, see that its disk has space, or choose another"
        raise InputProblem(folder, f"cannot be written ({error.strerror})", remedy) from None
    with lock:
        try:
            ours = locked(lock)
        except OSError:
            ours = True
        if not ours:
            raise InputProblem(folder, busy, "wait for its end, or stop it")
        yield


def wait(file: IO) -> None:
    """Wait until no process locks `file` any more."""
    fcntl.flock(file, fcntl.LOCK_SH)
