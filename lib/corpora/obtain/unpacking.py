"""Unpack the clips of an actor's archive, and nothing else that may be in it."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from hashlib import sha256
from pathlib import Path

from lib.base.files import written_atomically
from lib.base.problems import InputProblem
from lib.corpora.ravdess import MODALITIES, parse_name

CLIPS_PER_ACTOR = 60  # of each modality
_LARGEST_CLIP = 200_000_000  # bytes; the real ones have a few MB


def unpack(
    archive: Path, folder: Path, modalities: tuple[str, ...] = ("01",)
) -> tuple[list[tuple[str, int, str]], list[InputProblem]]:
    """Unpack an actor's speech clips into ``folder/Actor_NN``.

    Only entries whose names follow RAVDESS' scheme and belong to the archive's actor are written, to paths composed
    here; each entry's CRC is checked.

    Returns
    -------
    tuple
        ``(file, bytes, sha256)`` of each clip, and the problems after which the archive can still be used.

    Raises
    ------
    InputProblem
        If the archive cannot be read, or has an entry that points outside its folder or is a link.
    """
    remedy = "delete it and fetch it again from https://zenodo.org/records/1188976"
    match = re.fullmatch(r"Video_Speech_Actor_(\d\d)\.zip", archive.name)
    if match is None:
        raise InputProblem(archive, "is none of RAVDESS' archives of speech videos", "keep the record's names")
    actor = f"Actor_{match[1]}"
    rows, strange = [], []
    try:
        with zipfile.ZipFile(archive) as content:
            entries = content.infolist()
            for entry in entries:
                parts = entry.filename.replace("\\", "/").split("/")
                if ".." in parts or entry.filename.startswith(("/", "\\")) or ":" in entry.filename:
                    text = f"holds {entry.filename[:80]!r}, which points outside its folder"
                    raise InputProblem(archive, text, remedy)
                if stat.S_ISLNK(entry.external_attr >> 16):
                    raise InputProblem(archive, f"holds {entry.filename[:80]!r}, which is a link", remedy)
            for entry in entries:
                *folders, name = entry.filename.split("/")
                if entry.is_dir():
                    continue
                if folders not in ([], [actor]) or not _belongs(name, match[1]) or entry.file_size > _LARGEST_CLIP:
                    strange.append(entry.filename)
                elif name[:2] in modalities:
                    rows.append((f"{actor}/{name}", *_write(content, entry, folder / actor / name)))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        text = f"cannot be unpacked ({' '.join(str(error).split())[:200]})"
        raise InputProblem(archive, text, remedy) from None
    problems = []
    if strange:
        text = f"holds {len(strange)} entries that are none of the actor's clips, {strange[0][:80]!r} first"
        problems.append(InputProblem(archive, text, "nothing to do; they were left in it"))
    for modality in modalities:
        count = sum(Path(file).name.startswith(modality) for file, *_ in rows)
        if count != CLIPS_PER_ACTOR:
            text = f"holds {count} {MODALITIES[modality]} clips instead of {CLIPS_PER_ACTOR}"
            problems.append(InputProblem(archive, text, "compare it with the record; the others are used"))
    return rows, problems


def _belongs(name: str, actor: str) -> bool:
    try:
        clip = parse_name(name.removesuffix(".mp4"))
    except ValueError:
        return False
    return name.endswith(".mp4") and clip["channel"] == "01" and f"{clip['actor']:02d}" == actor


def _write(content: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> tuple[int, str]:
    """Write the clip to `path`; return its size and SHA-256."""
    sum_ = sha256()
    with written_atomically(path) as temporary:
        with content.open(entry) as source, open(temporary, "wb") as file:
            while piece := source.read(1 << 20):
                sum_.update(piece)
                file.write(piece)
        size = temporary.stat().st_size
    return size, sum_.hexdigest()
