"""Git-LFS pointers: the small files that a clone without git-lfs has in place of its videos."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lib.base.problems import InputProblem

#: More pointers than this are reported as one problem that names the first of them.
LISTED = 20
_REMEDY = "run `git lfs pull` in the clone, or download the corpus again with git-lfs installed"
_LONGEST = 1024  # bytes; the Git-LFS specification's upper limit
_PATTERN = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize (\d{1,18})\n?"
)


@dataclass(frozen=True)
class Pointer:
    """What a pointer states: the real file's SHA-256 (64 hexadecimal digits) and its size in `bytes`."""

    sha256: str
    bytes: int


def read_pointer(path: str | os.PathLike) -> Pointer | None:
    """Read the pointer in the file `path`; return None if it is a real file.

    Format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
    """
    with open(path, "rb") as file:
        start = file.read(_LONGEST + 1)
    match = _PATTERN.fullmatch(start) if len(start) <= _LONGEST else None
    return Pointer(match[1].decode(), int(match[2])) if match else None


def is_pointer(path: Path) -> bool:
    """Whether the file `path` is a pointer; False if it cannot be read."""
    try:
        return read_pointer(path) is not None
    except OSError:
        return False


def usable(files: Iterable[Path]) -> tuple[list[Path], list[InputProblem]]:
    """Split media `files` into those that can be opened and the problems of the others.

    Returns
    -------
    tuple
        The usable files in the given order; and a problem for each file that is a folder, unreadable, empty or a
        pointer. More than `LISTED` pointers are one problem that counts them.
    """
    good, problems, pointers = [], [], []
    for path in files:
        try:
            if not path.is_file():
                problems.append(InputProblem(path, "is not a file", "remove it or give the clip itself"))
            elif path.stat().st_size == 0:
                problems.append(InputProblem(path, "has zero bytes", "download it again"))
            elif read_pointer(path) is not None:
                pointers.append(path)
            else:
                good.append(path)
        except OSError as error:
            problems.append(InputProblem(path, f"cannot be read ({error.strerror})", "check its permissions"))
    if len(pointers) > LISTED:
        text = f"{len(pointers):,} of the files are Git-LFS pointers and no videos, {pointers[0].name} first"
        problems.append(InputProblem(pointers[0].parent, text, _REMEDY))
    else:
        problems += [InputProblem(path, "is a Git-LFS pointer and no video", _REMEDY) for path in pointers]
    return good, problems
