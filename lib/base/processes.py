"""Processes that end with what they work for, so that a run that is killed leaves nobody behind at work."""

from __future__ import annotations

import multiprocessing
import os
import platform
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from lib.base.locks import wait

#: Environment variable that names the machine and the lock of the run that a job belongs to (see `lib.run.workflow`).
LOCK = "STUDY_LOCK"


def end_with_parent() -> None:
    """End this worker of a process pool when the process that started it is gone (else it would wait for ever)."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=end, daemon=True).start()


def lock_name(path: str) -> str:
    """What the variable `LOCK` holds for the lock file `path`: locks are seen by the processes of one machine."""
    return f"{platform.node()}:{path}"


def end_with_run() -> None:
    """End this job when the run of the workflow that started it is gone; without such a run, do nothing.

    Else the job would go on beside the next run's, which does the same work anew. Its own children see it go:
    a pool's workers by `end_with_parent`, a notebook's kernel by itself. One that has not come this far yet is ended
    by the next run (`end_jobs`).
    """
    machine, _, path = os.environ.get(LOCK, "").partition(":")
    if machine == platform.node():
        threading.Thread(target=_exit_when_free, args=(path,), daemon=True).start()


def jobs_of(name: str) -> list[int]:
    """Numbers of the processes, other than this one and its parents, that a run with the lock `name` has started.

    Every job has the run's variable from its first moment, also while it is still importing. Where the system does
    not show its processes (``/proc``), there are none.
    """
    mine, pid = set(), os.getpid()
    while pid > 1 and pid not in mine:
        mine.add(pid)
        pid = _parent(pid)
    found, wanted = [], f"{LOCK}={name}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or gone by now
            if wanted in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) not in mine:
                found.append(int(folder.name))
    return found


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def end_jobs(name: str, seconds: float = 30.0) -> int:
    """Kill what a run with the lock `name` has left at work; how many processes. Nobody may hold the lock any more."""
    ended: set[int] = set()
    deadline = time.monotonic() + seconds
    while (left := jobs_of(name)) and time.monotonic() < deadline:  # one may start another meanwhile
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        ended |= {*left}
        time.sleep(0.02)
    return len(ended)


def _exit_when_free(path: str) -> None:
    with suppress(OSError), open(path) as lock:  # a disk without locks: then the job just goes on
        wait(lock)
        os._exit(1)


def available_memory() -> float:
    """Bytes of memory of this machine, or of the container that limits it."""
    memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            memory = min(memory, float(Path(limit).read_text()))
        except (OSError, ValueError):  # no such container, or "max"
            continue
    return memory
