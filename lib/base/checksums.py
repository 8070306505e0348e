"""SHA-256: of a file, of code, and of all that a step leaves, which its readers verify.

The last thing that a step writes is a small JSON beside its results: ``checksums.json`` in a folder of its own, else
``<name>.checksums.json`` beside ``<name>.csv``. A file that is no longer what its step left is never read as a
result: readers refuse it in one sentence, and `set_aside` renames it before the workflow starts, which makes it anew.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from lib.base.files import write_text
from lib.base.problems import InputProblem

NAME = "checksums.json"

Status = tuple[int, int, int]


def sha256(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content, as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_digest(*files: str | os.PathLike) -> str:
    """SHA-256 of what Python `files` do: their comments, docstrings and layout do not count."""
    trees = [_plain(ast.parse(Path(file).read_bytes())) for file in files]
    return hashlib.sha256(json.dumps(trees).encode()).hexdigest()


def _plain(node: Any) -> Any:
    """A syntax tree as lists, without docstrings and without what differs between versions of Python."""
    if isinstance(node, list):
        return [_plain(entry) for entry in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
        fields["body"] = node.body[1:]
    return [type(node).__name__, *([name, _plain(value)] for name, value in fields.items())]


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
            sums[os.path.relpath(file, path.parent)] = sha256(file)
        except OSError as error:
            problem = f"was not left by its step ({error.strerror})"
            raise InputProblem(file, problem, "run the same command again") from None
    write_text(path, json.dumps(sums, indent=1) + "\n")


def sealed(path: str | os.PathLike) -> dict[Path, str]:
    """What the checksums in `path` say: SHA-256 by file; InputProblem if it cannot be read."""
    path = Path(path)
    try:
        sums = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(value, str) and len(value) == 64 for value in sums.values()):
            raise ValueError("it holds something else than checksums")
        return {Path(os.path.normpath(path.parent / name)): value for name, value in sums.items()}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputProblem(path, f"is damaged ({reason})", "run the study again: the step is made anew") from None


def verified(path: str | os.PathLike, seal: str | os.PathLike | None = None) -> Path:
    """Give `path` if it holds what its step left.

    Parameters
    ----------
    path
        A file that a step left.
    seal
        The step's checksums; by default ``<name>.checksums.json`` beside it, else its folder's ``checksums.json``.
        Where there are none, as beside a notebook that was executed by hand, nothing is verified.

    Raises
    ------
    lib.base.problems.InputProblem
        If the file has changed since its step left it, or does not belong to that step.
    """
    path = Path(path)
    own = path.with_name(f"{path.stem}.{NAME}")
    seal = Path(seal) if seal else own if own.exists() else path.with_name(NAME)
    if not seal.exists() or not path.exists():  # the caller says what it lacks
        return path
    expected = sealed(seal).get(Path(os.path.abspath(path)))
    if expected is None or _known(str(path), _status(path)) != expected:
        problem = "is not of the step beside it" if expected is None else "has changed since its step left it"
        raise InputProblem(path, problem, "run the study again: the step is made anew")
    return path


def _status(path: Path) -> Status:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=4096)
def _known(path: str, status: Status) -> str:
    """SHA-256 of `path`, read once for each `status` of the file."""
    return sha256(path)


def damaged(seal: Path, memory: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Give each file of `seal` that is not what its step left, with what is wrong with it.

    Parameters
    ----------
    memory
        SHA-256 by file, each with the file's status when it was read; brought up to date.
    """
    for path, expected in sealed(seal).items():
        try:
            status = list(_status(path))
            found = memory.get(str(path), {})
            if found.get("status") != status:
                found = memory[str(path)] = {"status": status, "sha256": sha256(path)}
            if found["sha256"] != expected:
                yield path, "has changed since its step left it"
        except FileNotFoundError:
            yield path, "is gone"
        except OSError as error:
            yield path, f"cannot be read ({error.strerror})"


def set_aside(seals: Iterable[Path], memory: dict[str, Any]) -> list[str]:
    """Rename what is damaged to ``<name>.damaged`` and remove its step's checksums, so that the step is made anew.

    Returns
    -------
    list of str
        One sentence for each file.
    """
    said = []
    for seal in seals:
        try:
            broken = list(damaged(seal, memory))
        except InputProblem as problem:
            said.append(f"{problem.file}: {problem.problem}; its step is made anew.")
            seal.unlink(missing_ok=True)
            continue
        for path, what in broken:
            remedy = "it is made anew"
            if path.exists():
                os.replace(path, path.with_name(f"{path.name}.damaged"))
                remedy = f"it is kept as {path.name}.damaged and made anew"
            said.append(str(InputProblem(path, what, remedy)))
        if broken:
            seal.unlink()
    return said
