"""Processes that end with what they work for, so that a run that is killed leaves nobody behind at work."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import platform
import threading
from contextlib import suppress

#: Environment variable that names the machine and the lock of the run that a job belongs to (see `lib.run.workflow`).
LOCK = "STUDY_LOCK"


def end_with_parent() -> None:
    """End this worker of a process pool when the process that started it is gone (else it would wait for ever)."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def lock_name(path: str) -> str:
    """What the variable `LOCK` holds for the lock file `path`: locks are seen by the processes of one machine."""
    return f"{platform.node()}:{path}"


def end_with_run() -> None:
    """End this job when the run of the workflow that started it is gone; without such a run, do nothing.

    Else the job would go on beside the next run's, which does the same work anew. Its own children see it go:
    a pool's workers by `end_with_parent`, a notebook's kernel by itself.
    """
    machine, _, path = os.environ.get(LOCK, "").partition(":")
    if machine == platform.node():
        threading.Thread(target=_exit_when_free, args=(path,), daemon=True).start()


def _exit_when_free(path: str) -> None:
    with suppress(OSError), open(path) as lock:  # a disk without locks: then the job just goes on
        fcntl.flock(lock, fcntl.LOCK_SH)
        os._exit(1)
