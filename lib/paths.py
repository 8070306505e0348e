"""Where things lie, and how a file is written so that a crash never leaves half of it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: The checkout: notebooks, configuration and what the paper states are read from here.
ROOT = Path(__file__).resolve().parents[1]

PAPER = ROOT / "paper"
CONFIG = ROOT / "config"
NOTEBOOKS = ROOT / "notebooks"


def workspace() -> Path:
    """Folder that holds everything a study makes: ``data``, ``papermill_runs``, ``figures``, ``tables``.

    The checkout itself, or the folder that the environment variable ``STUDY_WORKSPACE`` names (a scratch
    disk, a test's temporary folder).
    """
    return Path(os.environ.get("STUDY_WORKSPACE") or ROOT).resolve()


def models_dir() -> Path:
    """Folder of the two landmark model files; shared by all workspaces of a checkout."""
    return Path(os.environ.get("STUDY_MODELS") or ROOT / "data" / "models").resolve()


def in_workspace(path: str | os.PathLike) -> Path:
    """Resolve `path` against the workspace unless it is absolute."""
    return workspace() / Path(path).expanduser()


def relative(path: str | os.PathLike) -> str:
    """`path` as a reader should see it: relative to the workspace or the checkout where it lies below one."""
    path = Path(path).resolve()
    for base in (workspace(), ROOT):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return str(path)


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def telling_unwritable(path: str | os.PathLike) -> Iterator[None]:
    """Raise lib.problems.InputProblem if the block cannot write `path`: a full disk, a folder that is closed."""
    path = Path(path)
    try:
        yield
    except OSError as error:
        from lib.problems import InputProblem  # which needs this module

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
    """Give a temporary path beside `path`; rename it to `path` when the block ends without an error.

    The temporary name keeps the suffix of `path`, since writers such as OpenCV and Keras choose the format
    by it. After an error nothing is left behind and an older `path` stays as it was; what a killed process
    left is cleared by the next one that writes the same file.

    Raises
    ------
    lib.problems.InputProblem
        If the disk is full, or the folder cannot be written.
    """
    path = Path(path)
    folder = lock = None
    try:
        with telling_unwritable(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            folder, lock = _temporary_folder(path)
            temporary = folder / path.name
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _temporary_folder(path: Path) -> tuple[Path, int]:
    """A new folder beside `path`, locked while this process lives; those that nobody locks any more are removed."""
    for left in path.parent.glob(f".{escape(path.name)}.*/"):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(descriptor)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:  # another process has just taken it for one that was left
            continue
        with suppress(OSError):  # some network disks cannot lock a folder: then none is removed either
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if folder.exists():
            return folder, descriptor
        os.close(descriptor)


def write_table(table: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write `table` as CSV without its index to `path`, atomically."""
    with written_atomically(path) as temporary:
        table.to_csv(temporary, index=False)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
