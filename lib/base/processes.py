"""Processes that end together with their run, so that a killed run leaves no process running."""

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

_GROUPS, _OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def end_with_parent() -> None:
    """End this worker of a process pool when the process that started it ends (else it would wait for ever)."""
    parent = multiprocessing.parent_process()
    if parent is not None:

        def end() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=end, daemon=True).start()


def lock_name(path: str) -> str:
    """Value of the variable `LOCK` for the lock file `path`; it names the machine, since locks are local to one."""
    return f"{platform.node()}:{path}"


def end_with_run() -> None:
    """End this job when the run of the workflow that started it ends; without such a run, do nothing.

    Else the job would go on while the next run does the same work again. Its child processes end with it: a pool's
    workers by `end_with_parent`, a notebook's kernel by itself. A job that has not called this function when its run
    ends is ended by the next run (`end_jobs`).
    """
    machine, _, path = os.environ.get(LOCK, "").partition(":")
    if machine == platform.node():
        threading.Thread(target=_exit_when_free, args=(path,), daemon=True).start()


def jobs_of(name: str) -> list[int]:
    """Process ids that a run with the lock `name` has started, without this process and its parents.

    Every job has the run's variable from its start, also while it is still importing. The list is empty if the system
    does not show its processes (``/proc``).
    """
    mine, pid = set(), os.getpid()
    while pid > 1 and pid not in mine:
        mine.add(pid)
        pid = _parent(pid)
    jobs, wanted = [], f"{LOCK}={name}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's process, or it has ended
            if wanted in (folder / "environ").read_bytes().split(b"\0") and int(folder.name) not in mine:
                jobs.append(int(folder.name))
    return jobs


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def end_jobs(name: str, seconds: float = 30.0) -> int:
    """Kill the processes that a run with the lock `name` has left; return their number. The lock must be free."""
    ended: set[int] = set()
    deadline = time.monotonic() + seconds
    while (left := jobs_of(name)) and time.monotonic() < deadline:  # a process may start another one meanwhile
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        ended |= {*left}
        time.sleep(0.02)
    return len(ended)


def _exit_when_free(path: str) -> None:
    with suppress(OSError), open(path) as lock:  # a disk without locks: the job goes on
        wait(lock)
        os._exit(1)


def available_memory() -> float:
    """Bytes of memory of this machine, or of the container, job of Slurm or scope of systemd that limits it."""
    memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    own = ""  # this process' group; those around it limit it, too
    with suppress(OSError):
        own = next((line[4:] for line in _OWN_GROUP.read_text().splitlines() if line.startswith("0::/")), "")
    groups = [_GROUPS / own, *(_GROUPS / own).parents]
    limits = [group / "memory.max" for group in groups if group.is_relative_to(_GROUPS)]
    for limit in (*limits, _GROUPS / "memory/memory.limit_in_bytes"):  # the latter in the first version of cgroups
        try:
            memory = min(memory, float(limit.read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return memory
