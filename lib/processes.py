"""Processes that end with what they work for, so that a run that is killed leaves nobody behind at work."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import threading

#: Environment variable that names the lock of the run that a job belongs to (see `lib.workflow`).
LOCK = "STUDY_LOCK"


def end_with_parent() -> None:
    """End this worker of a process pool when the process that started it is gone (else it would wait for ever)."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def end_with_run() -> None:
    """End this job when the run of the workflow that started it is gone; without such a run, do nothing.

    Else the job would go on beside the next run's, which does the same work anew. Its own children see it go:
    a pool's workers by `end_with_parent`, a notebook's kernel by itself.
    """
    try:
        lock = open(os.environ[LOCK])  # noqa: SIM115
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        threading.Thread(target=lambda: (fcntl.flock(lock, fcntl.LOCK_SH), os._exit(1)), daemon=True).start()
    except (KeyError, OSError):
        return
    else:
        lock.close()  # nobody holds it: started by hand, or on a machine that does not see the lock
