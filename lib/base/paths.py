"""Paths of the checkout, the workspace and the landmark models."""

from __future__ import annotations

import os
from pathlib import Path

#: The checkout: notebooks, configuration and what the paper states are read from here.
ROOT = Path(__file__).resolve().parents[2]

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
    """Folder of the two landmark model files, shared by all workspaces of a checkout."""
    return Path(os.environ.get("STUDY_MODELS") or ROOT / "data" / "models").resolve()


def in_workspace(path: str | os.PathLike) -> Path:
    """Resolve `path` against the workspace unless it is absolute."""
    return workspace() / os.path.expanduser(path)


def relative(path: str | os.PathLike) -> str:
    """`path` as messages show it: relative to the workspace or the checkout if it lies below one of them."""
    path = Path(os.path.realpath(path))  # unlike Path.resolve, it accepts a loop of links
    for base in (workspace(), ROOT):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return str(path)
