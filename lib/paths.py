"""Where things lie, and how a file is written so that a crash never leaves half of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


@contextmanager
def written_atomically(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends without an error.

    The temporary name keeps the suffix of `path`, since writers such as OpenCV and Keras choose the format
    by it. After an error nothing is left behind and an older `path` stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    temporary = folder / path.name
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` as UTF-8 to `path`, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
