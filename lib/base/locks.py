"""Locks on files. The system releases them when the process ends, also when it is killed."""

from __future__ import annotations

import fcntl
from typing import IO


def locked(file: IO | int) -> bool:
    """Lock an open file or folder for this process; return False if another process has locked it.

    Raises
    ------
    OSError
        If the disk has no locks, as some network disks have none.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait(file: IO) -> None:
    """Wait until no process locks `file` any more."""
    fcntl.flock(file, fcntl.LOCK_SH)
