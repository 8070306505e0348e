"""Downloaded files: what is published of each, its verification, and the disk space needed."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from lib.base import locks
from lib.base.problems import InputProblem

log = logging.getLogger(__name__)

_RESERVE = 100_000_000  # bytes kept free on the disk for other programs


@dataclass(frozen=True)
class Remote:
    """A file to download: its path, and what is published about it.

    Attributes
    ----------
    path
        Where it is saved.
    bytes
        Its size, or None if not published.
    checksum
        ``sha256:...`` or ``md5:...``, or None if not published.
    """

    path: Path
    bytes: int | None = None
    checksum: str | None = None

    @property
    def part(self) -> Path:
        """Path of the unfinished download."""
        return self.path.with_name(f".{self.path.name}.part")


def digest(path: Path, algorithm: str) -> str:
    """``algorithm:hex`` of a file's content."""
    with open(path, "rb") as file:
        total = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return f"{algorithm}:{total.hexdigest()}"


def holds(path: Path, remote: Remote) -> bool:
    """Whether `path` is a file with the published size and checksum, as far as they are published."""
    if not path.is_file() or remote.bytes not in (None, path.stat().st_size):
        return False
    return remote.checksum is None or digest(path, remote.checksum.split(":")[0]) == remote.checksum


def gigabytes(count: float) -> str:
    """`count` bytes as text, e.g. ``2.4 GB``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def check_space(folder: Path, needed: float) -> None:
    """Raise InputProblem if the disk of `folder` has less than `needed` bytes and 100 MB free."""
    place = next(parent for parent in [folder, *folder.absolute().parents] if parent.exists())
    free = shutil.disk_usage(place).free
    log.info("Disk space needed: %s; free: %s", gigabytes(needed), gigabytes(free))
    if needed and free < needed + _RESERVE:
        missing = gigabytes(needed + _RESERVE - free)
        text = f"needs {gigabytes(needed)}, and {gigabytes(free)} are free"
        raise InputProblem(folder, text, f"free another {missing} or name another folder with --to")


def locked_folder(folder: Path) -> AbstractContextManager[None]:
    """Lock `folder` against a second download into it."""
    return locks.locked_folder(folder, ".obtain.lock", "another download into this folder is running")


def verify(remotes: Iterable[Remote], *, title: str, progress: bool = True, parallel: int = 4) -> list[Remote]:
    """Return those of `remotes` that are missing or do not have the published size and checksum."""
    remotes = list(remotes)
    with ThreadPoolExecutor(parallel) as pool:
        results = tqdm(
            pool.map(lambda remote: holds(remote.path, remote), remotes),
            total=len(remotes), desc=title, unit="file", disable=not progress,
        )  # fmt: skip
        return [remote for remote, right in zip(remotes, results, strict=True) if not right]
