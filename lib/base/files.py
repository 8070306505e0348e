"""Write files so that a crash never leaves a half-written one."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from lib.base.locks import locked
from lib.base.problems import InputProblem
from lib.base.tables import pd

PROBLEM_COLUMNS = ["file", "problem", "remedy"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def telling_unwritable(path: str | os.PathLike) -> Iterator[None]:
    """Raise lib.base.problems.InputProblem if the block cannot write `path`: a full disk, a read-only folder."""
    path = Path(path)
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            remedy = "free some space and start again: what is finished is kept"
            raise InputProblem(path, "cannot be written, no space is left", remedy) from error
        at_fault = Path(error.filename or path)
        if error.errno in _CLOSED and (at_fault.is_relative_to(path.parent) or path.is_relative_to(at_fault)):
            remedy = "make its folder writable, or choose another, and start again"
            raise InputProblem(path, f"cannot be written ({error.strerror})", remedy) from error
        raise


@contextmanager
def written_atomically(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path next to `path`; rename it to `path` when the block ends without an error.

    The temporary name keeps the suffix of `path`, since writers such as OpenCV and Keras choose the format
    by it. After an error the temporary file is removed and an older `path` stays as it was. If the process is
    killed, the next process that writes the same file removes the temporary one.

    Raises
    ------
    lib.base.problems.InputProblem
        If the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    folder: Path | None = None
    lock: int | None = None
    try:
        with telling_unwritable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            folder, lock = temporary_folder(path)
            temporary = folder / path.name
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        if folder is not None and lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def temporary_folder(path: Path) -> tuple[Path, int]:
    """Make a folder next to `path`, locked while this process lives; remove those that no process locks any more.

    Returns
    -------
    tuple
        The folder, and the open descriptor that is its lock.
    """
    clear_temporary(path)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # another process has just removed it as an abandoned one
            continue
        with suppress(OSError):  # some network disks have no locks: then no folder is removed either
            locked(descriptor)
        if folder.exists():
            return folder, descriptor
        os.close(descriptor)


def clear_temporary(path: Path) -> None:
    """Remove the temporary folders of `path` that killed processes have left."""
    for left in path.parent.glob(f".{escape(path.name)}.*/"):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY)
            try:
                if locked(descriptor):
                    shutil.rmtree(left)
            finally:
                os.close(descriptor)


def write_table(table: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write `table` as CSV without its index to `path`, atomically."""
    with written_atomically(path) as temporary:
        table.to_csv(temporary, index=False)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def problem_table(problems: Iterable[InputProblem]) -> pd.DataFrame:
    """Table of `problems` with the columns ``file, problem, remedy``, sorted by file."""
    rows = [(p.file, p.problem, p.remedy) for p in problems]
    return pd.DataFrame(rows, columns=PROBLEM_COLUMNS).sort_values(PROBLEM_COLUMNS, ignore_index=True)


def write_problems(problems: Iterable[InputProblem], path: str | os.PathLike) -> pd.DataFrame:
    """Write the table of `problems` to `path` (CSV, also if there are none) and return it."""
    table = problem_table(problems)
    write_table(table, path)
    return table
