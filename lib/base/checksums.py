"""SHA-256 of files, of code, and of all results of a step, which its readers verify.

The last file that a step writes is a small JSON file: ``checksums.json`` next to a run's metrics.json, else
``<name>.checksums.json`` next to ``<name>.csv`` (or ``.md``), the file that marks the step as done. Readers refuse a
file that has changed since its step wrote it, and `lib.run.repair` lets the step run again.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.base.files import write_text
from lib.base.problems import InputProblem

NAME = "checksums.json"
AGAIN = "run the study again: the step is made anew"


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(*files: str | os.PathLike) -> str:
    """SHA-256 of the code in Python `files`, without comments, docstrings and layout."""
    trees = [_plain(ast.parse(Path(file).read_bytes())) for file in files]
    return hashlib.sha256(json.dumps(trees).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 of the names, sizes and times of the files and folders in `folder`; it reads none of them.

    The time of a folder changes when a file is added to it or removed. A `folder` that is missing counts as empty.
    """
    entries = []
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            status = path.stat()
            entries.append((path.name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def _plain(node: Any) -> Any:
    """A syntax tree as lists, without docstrings and parts that differ between versions of Python."""
    if isinstance(node, list):
        return [_plain(entry) for entry in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
        fields["body"] = node.body[1:]
    return [type(node).__name__, *([name, _plain(value)] for name, value in fields.items())]


def seal_of(mark: Path) -> Path:
    """Path of the checksums of the step that `mark` marks as done."""
    return mark.with_name(NAME if mark.name == "metrics.json" else f"{mark.stem}.{NAME}")


def seal(path: str | os.PathLike, files: Iterable[str | os.PathLike]) -> None:
    """Write the checksums of `files` to `path`, the last file of a step.

    Raises
    ------
    lib.base.problems.InputProblem
        If one of `files` is not there.
    """
    path, sums = Path(path), {}
    for file in sorted({os.path.abspath(file) for file in files} - {os.path.abspath(path)}):
        try:
            sums[os.path.relpath(file, path.parent)] = f"{sha256(file)} {os.path.getsize(file)}"
        except OSError as error:
            problem = f"was not left by its step ({error.strerror})"
            raise InputProblem(file, problem, "run the same command again") from None
    write_text(path, json.dumps(sums, indent=1) + "\n")


def sealed(path: str | os.PathLike) -> dict[Path, str]:
    """Read the checksums in `path`: SHA-256 and bytes by file; InputProblem if it cannot be read."""
    path = Path(path)
    try:
        sums = json.loads(path.read_text(encoding="utf-8"))
        if not all(re.fullmatch(r"[0-9a-f]{64}( \d+)?", value) for value in sums.values()):
            raise ValueError("it holds something else than checksums")
        return {Path(os.path.abspath(path.parent / name)): value for name, value in sums.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputProblem(path, f"is damaged ({reason})", AGAIN) from None


def damaged(seal: str | os.PathLike) -> Iterator[tuple[Path, str]]:
    """Yield each file in `seal` that has changed since its step wrote it, with what is wrong with it.

    Raises
    ------
    lib.base.problems.InputProblem
        If `seal` itself cannot be read.
    """
    for path, expected in sealed(seal).items():
        try:
            if not _is(path, expected):
                yield path, "has changed since its step left it"
        except FileNotFoundError:
            yield path, "is gone"
        except OSError as error:
            yield path, f"cannot be read ({error.strerror})"


def refuse_damaged(seal: str | os.PathLike, remedy: str = AGAIN) -> None:
    """Raise InputProblem for a file in `seal` that its step wrote differently; do nothing if `seal` does not exist."""
    if Path(seal).exists():
        for path, what in damaged(seal):
            raise InputProblem(path, what, remedy)


def verified(path: str | os.PathLike, seal: str | os.PathLike | None = None) -> Path:
    """Return `path` if the file is as its step wrote it.

    Parameters
    ----------
    path
        A file that a step wrote.
    seal
        The step's checksums; by default ``<name>.checksums.json`` next to it, else its folder's ``checksums.json``.
        If there are none, as for a notebook that was executed by hand, nothing is verified.

    Raises
    ------
    lib.base.problems.InputProblem
        If the file has changed since its step wrote it, or does not belong to that step.
    """
    path = Path(path)
    own = path.with_name(f"{path.stem}.{NAME}")
    seal = Path(seal) if seal else own if own.exists() else path.with_name(NAME)
    if not seal.exists() or not path.exists():  # the caller reports what is missing
        return path
    expected = sealed(seal).get(Path(os.path.abspath(path)))
    if expected is None or not _is(path, expected):
        problem = "is not of the step next to it" if expected is None else "has changed since its step left it"
        raise InputProblem(path, problem, AGAIN)
    return path


def _is(path: Path, expected: str) -> bool:
    """Whether `path` has the size and the SHA-256 in `expected`, a value of `sealed`; the size is compared first."""
    checksum, _, size = expected.partition(" ")
    status = path.stat()
    if size and status.st_size != int(size):
        return False
    return _known(path, status.st_ino, status.st_size, status.st_mtime_ns) == checksum


@lru_cache(maxsize=4096)
def _known(path: Path, *status: int) -> str:
    """SHA-256 of `path`, computed once for each `status` of the file."""
    return sha256(path)
