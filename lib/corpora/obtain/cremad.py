"""Download CREMA-D from its Git-LFS repository: first a clone with pointers and tables, then the videos.

Each pointer is replaced by its video, so an unfinished download is an ordinary clone with pointers, and the same
command completes a clone or a GitHub zip that a user already has. Every clip must have the size and SHA-256 of
CREMA-D's committed records, whatever its pointer states; ``pointers.csv`` lists the requested files. git-lfs is not
needed: its batch protocol is two requests (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md).
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from lib.base.files import write_table
from lib.base.problems import InputProblem
from lib.corpora.cremad import parse_name
from lib.corpora.obtain.files import Remote, check_space, gigabytes, locked_folder, verify
from lib.corpora.obtain.lfs import Store
from lib.corpora.obtain.transfer import RETRIES, Retries, download
from lib.corpora.pointers import Pointer, read_pointer
from lib.corpora.records import RECORDS, committed

log = logging.getLogger(__name__)

#: Repositories that hold the corpus, by the name of ``--mirror``. The mirror has no ``processedResults``.
REPOSITORIES = {
    "github": "https://github.com/CheyneyComputerScience/CREMA-D.git",
    "gitlab": "https://gitlab.com/cs-cooper-lab/crema-d-mirror.git",
}

TERMS = """\
CREMA-D, Crowd-sourced Emotional Multimodal Actors Dataset: 7,442 clips of 91 actors
  Licence  Open Database License (ODbL) 1.0, its contents under the Database Contents License (DbCL) 1.0:
           name the source, keep the licence, offer altered databases under the same licence
  Cite     Cao, Cooper, Keutmann, Gur, Nenkova, Verma (2014), CREMA-D: Crowd-sourced emotional multimodal actors
           dataset, IEEE Transactions on Affective Computing 5(4), 377-390, doi:10.1109/TAFFC.2014.2336244
  Source   https://github.com/CheyneyComputerScience/CREMA-D
"""

MANIFEST = "pointers.csv"
VIDEOS = "VideoFlash"
_FOLDERS = [VIDEOS, "processedResults"]
_CLONE_BYTES = 150_000_000  # two small files on disk for each of 7,442 clips, and the tables


def obtain(
    folder: Path,
    *,
    repositories: Sequence[str] = tuple(REPOSITORIES.values()),
    lfs: Sequence[str] | None = None,
    actors: Iterable[int] | None = None,
    parallel: int = 4,
    retries: Retries = RETRIES,
    progress: bool = True,
) -> list[InputProblem]:
    """Download CREMA-D's videos and tables into `folder`, or complete what is there.

    Parameters
    ----------
    repositories
        Addresses for git; if one fails, the next is used.
    lfs
        Addresses of their Git-LFS servers; by default derived from `repositories`, as git-lfs does.
    actors
        Actors whose videos are wanted; all by default.

    Returns
    -------
    list of InputProblem
        One for each clip that is missing or does not have the size and SHA-256 of the records.

    Raises
    ------
    InputProblem
        If no repository can be cloned, the disk is full, or no server has the videos.
    """
    with locked_folder(folder):
        if not (folder / VIDEOS).is_dir():
            check_space(folder, _CLONE_BYTES)
            _clone(folder, repositories)
        manifest, problems = read_manifest(folder)
        chosen = None if actors is None else set(actors)
        wanted = [
            Remote(folder / VIDEOS / name, pointer.bytes, f"sha256:{pointer.sha256}")
            for name, pointer in manifest.items()
            if chosen is None or parse_name(Path(name).stem)["actor"] in chosen
        ]
        if not wanted:
            raise InputProblem(folder / VIDEOS, "holds no pointer of a wanted clip", "check --actors and the folder")
        missing = verify(wanted, title="CREMA-D: verified", progress=progress)
        size = sum(remote.bytes or 0 for remote in missing)
        log.info(
            "CREMA-D: %d of %d clips are there; %d to fetch, %s", len(wanted) - len(missing), len(wanted),
            len(missing), gigabytes(size),
        )  # fmt: skip
        check_space(folder, size - sum(r.part.stat().st_size for r in missing if r.part.exists()))
        if missing:
            store = Store(lfs or [f"{url}/info/lfs" for url in repositories], missing, retries)
            problems += download(
                missing, store.locate, title="CREMA-D", parallel=parallel, retries=retries, progress=progress
            )
    return problems


def published(folder: Path) -> tuple[dict[str, Pointer], list[Path]]:
    """Pointer of every video by file name, and the videos for which no pointer is known.

    For CREMA-D's clips it is taken from the committed records (`lib.corpora.records`), so that no mirror decides what
    the data is; for other clips in CREMA-D's layout from the pointer in `folder`, else from the folder's manifest.
    Files whose name does not follow CREMA-D's scheme are ignored.
    """
    recorded = _recorded()
    known = load_manifest(folder / MANIFEST) | recorded
    unknown, others = [], 0
    for file in sorted((folder / VIDEOS).glob("*.flv")):
        try:
            parse_name(file.stem)
            pointer = read_pointer(file) if file.is_file() else None
        except ValueError:
            continue
        if file.name in recorded:
            others += pointer not in (None, recorded[file.name])
        elif pointer is not None:
            known[file.name] = pointer
        elif file.name not in known:
            unknown.append(file)
    if others:
        log.warning("CREMA-D: %d pointers name other videos than CREMA-D's records; the records count", others)
    return dict(sorted(known.items())), unknown


def _recorded() -> dict[str, Pointer]:
    """Pointers of the 7,442 clips by file name, as the committed records state them."""
    table = pd.read_csv(committed("cremad_clips.csv", RECORDS))
    columns = zip(table["clip"], table["flv_sha256"], table["flv_bytes"], strict=True)
    return {f"{clip}.flv": Pointer(sha256, int(size)) for clip, sha256, size in columns}


def read_manifest(folder: Path) -> tuple[dict[str, Pointer], list[InputProblem]]:
    """Update the folder's ``pointers.csv`` from `published`; return its pointers, and videos without one."""
    manifest, unknown = published(folder)
    if manifest != load_manifest(folder / MANIFEST):
        rows = [(name, pointer.sha256, pointer.bytes) for name, pointer in manifest.items()]
        write_table(pd.DataFrame(rows, columns=["file", "sha256", "bytes"]), folder / MANIFEST)
    text = "is no pointer, and no pointer of it is known, so it cannot be verified"
    return manifest, [InputProblem(file, text, "delete it, or keep it at your own risk") for file in unknown]


def load_manifest(path: Path) -> dict[str, Pointer]:
    """Read ``pointers.csv``: pointers by file name, empty if there is no file; InputProblem if it is damaged."""
    if not path.exists():
        return {}
    try:
        table = pd.read_csv(path, dtype={"file": str, "sha256": str, "bytes": "int64"}, keep_default_na=False)
        for name, sha256, size in table[["file", "sha256", "bytes"]].itertuples(index=False):
            parse_name(name.removesuffix(".flv"))
            if len(bytes.fromhex(sha256)) != 32 or not name.endswith(".flv") or size < 0:
                raise ValueError(f"line of {name!r}")
        rows = table[["file", "sha256", "bytes"]].itertuples(index=False)
        return {row.file: Pointer(row.sha256, int(row.bytes)) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        text = f"is not the list of pointers it was written as ({' '.join(str(error).split())[:200]})"
        raise InputProblem(path, text, "restore it, or delete the folder and run `make data` again") from None


def _clone(folder: Path, repositories: Sequence[str]) -> None:
    """Clone pointers and tables, without the audio, from the first repository that answers, into `folder`."""
    git = shutil.which("git")
    if git is None:
        raise InputProblem(folder, "git is not installed, which fetches CREMA-D's tables", "install git")
    # Switch off an installed git-lfs and password prompts.
    environment = {**os.environ, "GIT_LFS_SKIP_SMUDGE": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    for left in folder.glob(".clone.*"):  # by a killed run
        shutil.rmtree(left, ignore_errors=True)
    reasons = []
    for repository in repositories:
        with tempfile.TemporaryDirectory(prefix=".clone.", dir=folder) as temporary:
            clone = Path(temporary) / "clone"
            commands = [
                # Symbolic links are checked out as text files, so that nothing is written through one.
                [
                    "clone",
                    "--quiet",
                    "--config=core.symlinks=false",
                    "--depth=1",
                    "--no-checkout",
                    "--no-tags",
                    "--",
                    repository,
                    str(clone),
                ],
                ["-C", str(clone), "sparse-checkout", "set", "--cone", *_FOLDERS],
                ["-C", str(clone), "checkout", "--quiet"],
            ]
            log.info("CREMA-D: cloning pointers and tables of %s", repository)
            for command in commands:
                result = subprocess.run(
                    [git, *command], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                    errors="replace",
                )  # fmt: skip
                if result.returncode:
                    reasons.append((result.stderr.strip().splitlines() or ["git failed"])[-1])
                    log.warning("CREMA-D: %s cannot be cloned: %s", repository, reasons[-1])
                    break
            else:
                if (clone / VIDEOS).is_dir():
                    for entry in sorted(clone.iterdir(), key=lambda path: path.name == VIDEOS):  # videos last
                        target = folder / entry.name
                        if not target.exists():
                            entry.rename(target)
                    return
                reasons.append(f"{repository} holds no folder {VIDEOS}")
    remedy = "check the connection, or name another repository with --mirror"
    raise InputProblem(folder, f"CREMA-D could not be cloned ({'; '.join(reasons)})", remedy)
