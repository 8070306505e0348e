"""Locks that the system holds for as long as a process lives, however it dies."""

from __future__ import annotations

import fcntl
from typing import IO


def locked(file: IO | int) -> bool:
    """Lock an open file or folder for this process; False where another process holds it.

    Raises
    ------
    OSError
        If the disk has no locks, as some network disks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait(file: IO) -> None:
    """Wait until nobody holds `file` any more."""
    fcntl.flock(file, fcntl.LOCK_SH)
