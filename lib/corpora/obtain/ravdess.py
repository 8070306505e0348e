"""Download RAVDESS from its Zenodo record: one archive per actor, verified, unpacked and removed.

``record.csv`` has what Zenodo publishes about the archives, ``files.csv`` which file was unpacked from which archive.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import requests

from lib.base.files import write_table
from lib.base.paths import relative
from lib.base.problems import InputProblem
from lib.corpora.obtain.files import Remote, check_space, digest, gigabytes, locked_folder, verify
from lib.corpora.obtain.transfer import RETRIES, Retries, Unrecoverable, ask, download
from lib.corpora.obtain.unpacking import unpack

log = logging.getLogger(__name__)

ZENODO = "https://zenodo.org"
RECORD = "1188976"
ACTORS = range(1, 25)

TERMS = """\
RAVDESS, Ryerson Audio-Visual Database of Emotional Speech and Song: the speech videos of 24 actors
  Licence  Creative Commons Attribution-NonCommercial-ShareAlike 4.0 (CC BY-NC-SA 4.0): name the source,
           no commercial use, share what you derive under the same licence
  Cite     Livingstone, Russo (2018), The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS),
           PLoS ONE 13(5): e0196391, doi:10.1371/journal.pone.0196391
  Source   https://zenodo.org/records/1188976
"""

FILES, PUBLISHED = "files.csv", "record.csv"
_ARCHIVES = ".archives"
_ARCHIVE_BYTES = 560_000_000  # of an actor's archive, about; used if the record cannot be read
_UNPACKED = 0.55  # share of the audio-video clips in an archive's size
_COLUMNS = ["file", "bytes", "sha256", "archive", "archive_md5"]


def archive_name(actor: int) -> str:
    """Name of an actor's archive of speech videos in the record."""
    return f"Video_Speech_Actor_{actor:02d}.zip"


def obtain(
    folder: Path,
    *,
    zenodo: str = ZENODO,
    actors: Iterable[int] | None = None,
    all_modalities: bool = False,
    keep_archives: bool = False,
    parallel: int = 2,
    retries: Retries = RETRIES,
    progress: bool = True,
) -> list[InputProblem]:
    """Download RAVDESS' speech videos into ``folder/Actor_NN``, or complete what is there.

    An archive that is already in `folder` is used and kept; a downloaded one is removed once unpacked.

    Parameters
    ----------
    zenodo
        Address of Zenodo, or of a server with the same interface.
    actors
        Actors wanted, 1 to 24; all by default.
    all_modalities
        Unpack the video-only clips too; they show the same takes.
    keep_archives
        Keep downloaded archives, in `folder`.

    Returns
    -------
    list of InputProblem
        One for each archive that could not be downloaded, is not the published one, or cannot be verified.

    Raises
    ------
    InputProblem
        If the disk is full, or `folder` cannot be written. Archives that were downloaded are kept.
    """
    modalities = ("01", "02") if all_modalities else ("01",)
    wanted = sorted(set(ACTORS if actors is None else actors))
    if not set(wanted) <= set(ACTORS):
        raise InputProblem(folder, "RAVDESS' actors are 1 to 24", "correct --actors")
    with locked_folder(folder):
        ledger = Ledger(folder)
        record = publish(folder, zenodo, retries)
        altered = {archive for archive, right in ledger.verified(record).items() if right is False}
        here = ledger.complete(modalities, progress) - altered
        names = [archive_name(actor) for actor in wanted]
        missing = [name for name in names if name not in here]
        remotes = [
            Remote(_place(folder, name), *record.get(name, (None, None)))
            for name in missing
        ]  # fmt: skip
        sizes = [remote.bytes or _ARCHIVE_BYTES for remote in remotes]
        log.info(
            "RAVDESS: %d of %d actors are there; %d archives to fetch and unpack, %s", len(names) - len(missing),
            len(names), len(missing), gigabytes(sum(sizes)),
        )  # fmt: skip
        kept = sum(sizes) if keep_archives else sum(sorted(sizes)[-parallel:])
        check_space(folder, kept + sum(sizes) * _UNPACKED * len(modalities))

        problems: list[InputProblem] = []

        def unpack_it(remote: Remote, keep: bool = keep_archives) -> list[InputProblem]:
            try:
                return ledger.add(remote.path, modalities, keep=keep)
            except InputProblem as problem:
                if problem.file != relative(remote.path):  # a clip cannot be written: nor can those of other archives
                    raise Unrecoverable(folder, problem.problem, problem.remedy) from problem
                if remote not in given:
                    remote.path.unlink(missing_ok=True)  # else the next run would use it and fail again
                raise

        given = [remote for remote in remotes if remote.path.parent == folder]
        for remote in given:
            if remote.checksum and digest(remote.path, "md5") != remote.checksum:
                text = "is not the archive that the record publishes: another checksum"
                problems.append(InputProblem(remote.path, text, "delete it; it is then fetched again"))
            else:
                try:
                    problems += unpack_it(remote, keep=True)
                except Unrecoverable:
                    raise
                except InputProblem as problem:
                    problems.append(problem)
        problems += download(
            [remote for remote in remotes if remote not in given],
            lambda remote, _: (f"{zenodo}/records/{RECORD}/files/{remote.path.name}?download=1", {}),
            title="RAVDESS", parallel=parallel, retries=retries, progress=progress, done=unpack_it,
        )  # fmt: skip
        if not any((folder / _ARCHIVES).glob("*")):
            shutil.rmtree(folder / _ARCHIVES, ignore_errors=True)
        verified = ledger.verified(record)
        text = "is not verified: the record with its checksum could not be read"
        remedy = "run `make data` again when zenodo.org answers; nothing is fetched twice"
        problems += [InputProblem(folder / name, text, remedy) for name in names if verified.get(name, True) is None]
    return problems


def _place(folder: Path, name: str) -> Path:
    """Path of an archive: in `folder` if the user put it there, else in the folder of downloaded archives."""
    return folder / name if (folder / name).is_file() else folder / _ARCHIVES / name


def publish(folder: Path, zenodo: str, retries: Retries) -> dict[str, tuple[int, str]]:
    """Size and checksum (``md5:...``) of each archive from Zenodo's record, or from ``record.csv`` if that fails."""
    path = folder / PUBLISHED
    try:
        with requests.Session() as session:
            short = replace(retries, attempts=min(3, retries.attempts))  # the download can go on without it
            answer = ask(session, "GET", f"{zenodo}/api/records/{RECORD}", short).json()
        rows = [
            (str(file["key"]), int(file["size"]), str(file["checksum"]))
            for file in answer["files"]
            if re.fullmatch(r"md5:[0-9a-f]{32}", str(file["checksum"])) and int(file["size"]) > 0
        ]
        if not rows:
            raise ValueError("it lists no file")
        write_table(pd.DataFrame(rows, columns=["archive", "bytes", "checksum"]), path)
    except (requests.RequestException, ValueError, KeyError, TypeError, OverflowError) as error:
        known = "the saved record.csv is used" if path.exists() else "its archives stay unverified, sizes are estimates"
        log.warning("RAVDESS: the record cannot be read (%s); %s", type(error).__name__, known)
    return load_published(folder)


def load_published(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and checksum of each archive from ``record.csv``; empty if that is missing or damaged."""
    try:
        table = pd.read_csv(folder / PUBLISHED, dtype={"archive": str, "bytes": "int64", "checksum": str})
        rows = table[["archive", "bytes", "checksum"]].dropna().itertuples(index=False)
        return {row.archive: (int(row.bytes), row.checksum) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return {}


class Ledger:
    """The list of files unpacked into a folder, saved as its ``files.csv``."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        try:
            types = {"file": str, "bytes": "int64", "sha256": str, "archive": str, "archive_md5": str}
            table = pd.read_csv(folder / FILES, dtype=types)[_COLUMNS].dropna()
            self.table = table[table["file"].str.fullmatch(r"Actor_\d\d/[\d-]{20}\.mp4")]
        except FileNotFoundError:
            self.table = pd.DataFrame(columns=_COLUMNS)
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            log.warning("RAVDESS: %s is broken; its archives are fetched again", folder / FILES)
            self.table = pd.DataFrame(columns=_COLUMNS)

    def remotes(self) -> list[Remote]:
        """The unpacked files, with size and SHA-256."""
        rows = self.table.itertuples()
        return [Remote(self.folder / row.file, int(row.bytes), f"sha256:{row.sha256}") for row in rows]

    def verified(self, record: dict[str, tuple[int, str]]) -> dict[str, bool | None]:
        """Whether each unpacked archive had the checksum in `record`; None if `record` has none."""
        unpacked = self.table[["archive", "archive_md5"]].drop_duplicates().itertuples()
        return {
            row.archive: row.archive_md5 == record[row.archive][1] if row.archive in record else None
            for row in unpacked
        }  # fmt: skip

    def complete(self, modalities: tuple[str, ...], progress: bool = False) -> set[str]:
        """Archives of which all files, in all of `modalities`, are there and unaltered."""
        remotes = self.remotes()
        altered = {remote.path for remote in verify(remotes, title="RAVDESS: verified", progress=progress)}
        whole = set()
        for archive, files in self.table.groupby("archive")["file"]:
            kinds = {Path(file).name[:2] for file in files}
            if kinds >= set(modalities) and not altered & {self.folder / file for file in files}:
                whole.add(archive)
        return whole

    def add(self, archive: Path, modalities: tuple[str, ...], *, keep: bool) -> list[InputProblem]:
        """Unpack `archive`, list its files, and remove it unless `keep` is set."""
        rows, problems = unpack(archive, self.folder, modalities)
        md5 = digest(archive, "md5")
        with self._lock:
            mine = [(*row, archive.name, md5) for row in rows]
            others = self.table[self.table["archive"] != archive.name]
            new = pd.DataFrame(mine, columns=_COLUMNS)
            self.table = new if others.empty else pd.concat([others, new], ignore_index=True)
            write_table(self.table.sort_values("file"), self.folder / FILES)
        if not keep:
            archive.unlink()
        elif archive.parent != self.folder:
            archive.replace(self.folder / archive.name)
        return problems
