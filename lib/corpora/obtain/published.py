"""What is published of a corpus' files, for comparison with the files in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.corpora.obtain import cremad, ravdess
from lib.corpora.obtain.files import Remote
from lib.corpora.pointers import is_pointer


def _cremad(folder: Path) -> tuple[list[Remote], str]:
    pointers, unknown = cremad.published(folder)
    videos = folder / cremad.VIDEOS
    remotes = [Remote(videos / file, p.bytes, f"sha256:{p.sha256}") for file, p in pointers.items()]
    return remotes, f"{len(unknown)} clips" if unknown else ""


def _ravdess(folder: Path) -> tuple[list[Remote], str]:
    remotes = ravdess.Ledger(folder).remotes()
    return remotes, "" if remotes else "the clips (they were not fetched by `make data`)"


_OF = {"cremad": _cremad, "ravdess": _ravdess}


def published(corpus: str, folder: Path) -> tuple[list[Remote], str]:
    """Clips with their published size and checksum, and a text that names the clips without these.

    Raises
    ------
    lib.base.problems.InputProblem
        If the folder's list of them is damaged.
    """
    return _OF[corpus](folder) if corpus in _OF else ([], "the clips")


def altered_archives(corpus: str, folder: Path) -> list[str]:
    """Archives unpacked in `folder` that did not have the published checksum."""
    if corpus != "ravdess":
        return []
    verified = ravdess.Ledger(folder).verified(ravdess.load_published(folder))
    return [archive for archive, right in verified.items() if not right]


def count_pointers(corpus: str, folder: Path) -> int:
    """Number of videos of `corpus` in `folder` that are Git-LFS pointers."""
    return sum(map(is_pointer, (folder / cremad.VIDEOS).glob("*.flv"))) if corpus == "cremad" else 0


def obtain_options(corpus: str, settings: Mapping[str, Any]) -> str:
    """Options of ``python -m lib.corpora.obtain`` for the clips that a study with these `settings` uses."""
    return " --all-modalities" if corpus == "ravdess" and settings["transfer_modality"] == "02" else ""
