"""Run Snakemake, once in a workspace: ``python -m lib.run.workflow --cores 2 --config study=sample``, as `make` does.

Snakemake's own lock remains when Snakemake is killed, and the user must find out whether one is still running. Here a
lock of the system lasts as long as the process: a second run is refused with one sentence, and after a killed run
Snakemake's lock is removed.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from lib.base.files import clear_temporary, telling_unwritable
from lib.base.locks import locked
from lib.base.paths import ROOT, in_workspace, relative, workspace
from lib.base.problems import InputProblem
from lib.base.processes import LOCK, available_memory, end_jobs, jobs_of, lock_name
from lib.corpora.registry import CORPORA
from lib.run import gpu, repair
from lib.run.progress import logged
from lib.run.runner import KERNELS
from lib.study import Study, load

PATIENCE = 2.0  # seconds for a run that is just ending

log = logging.getLogger("lib.run.workflow")


@contextmanager
def locked_workspace() -> Iterator[IO[str]]:
    """Lock the workspace; the open file has the process id of Snakemake while it runs.

    Jobs that a killed run has left are ended first: a job that is still importing does not end by itself.

    Raises
    ------
    InputProblem
        If a study is running in the workspace, or nothing can be written there.
    """
    path = workspace() / ".snakemake" / "study.lock"
    with telling_unwritable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+")  # noqa: SIM115
    with file:
        name, deadline = lock_name(file.name), time.monotonic() + PATIENCE
        while not (ours := _locked(file)):
            file.seek(0)
            number = file.read().strip()
            at_work = jobs_of(name)
            if number and at_work and int(number) not in at_work:  # Snakemake is gone, some of its jobs are not
                end_jobs(name)
            elif time.monotonic() > deadline:
                by = f", as process {number}" if number else ""
                raise InputProblem(
                    workspace(), f"a study is running here already{by}", "wait for its end, or stop it; nothing is lost"
                )
            time.sleep(0.1)
        if ours is True:
            end_jobs(name)
            clear_temporary(KERNELS)
        yield file


def running() -> str:
    """The study that runs in the workspace on this machine, e.g. ``process 123``; empty if there is none.

    It also finds a Snakemake that was started without `make`, and so without our lock.
    """
    path = workspace() / ".snakemake" / "study.lock"
    try:
        with open(path) as file:
            if not locked(file):
                return f"process {file.read().strip() or 'unknown'}"
    except OSError:  # none yet, or a disk without locks
        pass
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # another user's, or gone by now
            if b"snakemake" in (folder / "cmdline").read_bytes() and (folder / "cwd").resolve() == workspace():
                return f"process {folder.name}"
    return ""


def _locked(file: IO[str]) -> bool | str:
    """Whether this process has the lock; a reason as text if the disk has no locks (Snakemake's is then used)."""
    try:
        return locked(file)
    except OSError as error:  # some network disks
        log.warning("%s cannot be locked (%s)", relative(file.name), error.strerror)
        return f"{error.strerror}"


def snakemake(*arguments: str) -> list[str]:
    """Snakemake's command line for this checkout's workflow in the workspace."""
    files = ["--profile", str(ROOT / "workflow/profiles/default"), "--snakefile", str(ROOT / "workflow/Snakefile")]
    # nine tenths of the memory, but enough for one job; Snakemake refuses a job that needs more than the limit
    memory = max(int(0.9e-6 * available_memory()), gpu.LARGEST_JOB)
    limits = ["--resources", f"mem_mb={memory}"]
    if at_once := gpu.trainings_at_once():
        limits.append(f"gpu={at_once}")
    return [sys.executable, "-m", "snakemake", *files, "--directory", str(workspace()), *limits, *arguments]


def clean(folders: list[str], lock: IO[str]) -> int:
    """Delete `folders` of the workspace and Snakemake's files, but not our lock.

    Snakemake's records of settings stay: other studies need theirs, and those of deleted files decide nothing.
    """
    for folder in map(in_workspace, folders):
        shutil.rmtree(folder, ignore_errors=True)
    for path in (workspace() / ".snakemake").iterdir():
        if path.name not in (Path(lock.name).name, "metadata"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return 0


def unlock(lock: IO[str]) -> None:
    """Remove Snakemake's own lock if a killed run left it; raise InputProblem if another process may have it."""
    locks = workspace() / ".snakemake" / "locks"
    if not any(locks.glob("*.lock")):
        return
    lock.seek(0)
    if not lock.read():  # the last run from here ended properly
        raise InputProblem(
            workspace(),
            "is locked by a Snakemake that was started without `make`",
            "wait for its end or, if it was killed, add --unlock to the command that started it",
        )
    log.warning("the last run was killed; going on where it stopped")
    shutil.rmtree(locks)  # what `snakemake --unlock` does, once it has read the whole workflow


def run(arguments: list[str], lock: IO[str]) -> int:
    """Run Snakemake under `lock`, which it and this process hold; its exit code."""
    unlock(lock)
    chosen = dict(argument.split("=", 1) for argument in arguments if "=" in argument and argument[0] != "-")
    study = load(chosen.get("study", "sample"), {corpus: chosen.get(corpus) for corpus in CORPORA})
    repeated, sentences, broken = repair.to_repeat(study)
    for sentence in sentences:
        log.warning("%s", sentence)
    again = [[mark.relative_to(workspace()).as_posix() for mark in marks] for marks in repeated]
    if {"-n", "--dry-run", "--dryrun"} & set(arguments):
        forced = ["--forcerun", *(name for names in again for name in names)] if again else []
        return _run(study, [*forced, *arguments], lock)
    repair.remove(broken)
    # Stage by stage: what depends on a step that runs again is made again only where its contents have changed.
    for names in again:
        if code := _run(study, ["--forcerun", *names, "--until", *names, *arguments], lock):
            return code
    return _run(study, arguments, lock)


def _run(study: Study, arguments: list[str], lock: IO[str]) -> int:
    """Run Snakemake once for `study`; its exit code."""
    process = subprocess.Popen(
        snakemake(*arguments),
        env=os.environ | gpu.hidden() | {LOCK: lock_name(lock.name)},
        pass_fds=[lock.fileno()],
        stdin=subprocess.DEVNULL,
    )
    # Ctrl-C reaches Snakemake by the terminal; it waits for its jobs and reports.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    lock.truncate(0)
    lock.write(f"{process.pid}\n")
    lock.flush()
    with logged(study):
        code = process.wait()
    if code >= 0:
        lock.truncate(0)
        return code
    end_jobs(lock_name(lock.name))
    log.error("Snakemake was killed (signal %d); the same command goes on where it stopped", -code)
    return 128 - code


def main(arguments: list[str] | None = None) -> int:
    """Run Snakemake with `arguments`, or ``clean FOLDER ...``; 1 and one sentence if a study is running here."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        with locked_workspace() as lock:
            arguments = sys.argv[1:] if arguments is None else arguments
            return clean(arguments[1:], lock) if arguments[:1] == ["clean"] else run(arguments, lock)
    except InputProblem as problem:
        log.error("%s", problem)
        return 1


if __name__ == "__main__":
    sys.exit(main())
