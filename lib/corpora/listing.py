"""The table of clips of a study's corpus: the files in its folder, their checksums, and the clips left out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from lib.base.checksums import sha256
from lib.base.files import problem_table, write_table
from lib.base.paths import workspace
from lib.base.problems import InputProblem
from lib.corpora.records import RECORDS, committed
from lib.corpora.registry import CORPORA
from lib.corpora.twins import FINDINGS

MEMORY = "files.csv"
_COLUMNS = ["file", "bytes", "mtime_ns", "sha256"]


def listed(
    corpus: str, folder: Path, settings: Mapping[str, Any], data: Path, actors: int | None = None
) -> tuple[pd.DataFrame, list[InputProblem]]:
    """List the clips of a corpus, as in clips.csv, and every file that is not used.

    Parameters
    ----------
    corpus, folder
        A key of `lib.corpora.registry.CORPORA`, and the corpus' folder.
    settings
        The study's assumptions.
    data
        Folder of the files made from the corpus. It keeps the checksums, see `checksums`.
    actors
        Number of actors to list, from the first; None for all.

    Returns
    -------
    tuple
        The table of `Corpus.list_clips` without the clips whose finding is in ``leave_out``, and with the columns
        ``finding`` (``""`` for none) and ``sha256`` (of the video). Paths below the workspace are relative to it.
        And the problems, including the clips left out.

    Raises
    ------
    InputProblem
        If the folder has no clip, or a clip cannot be read to its end.
    """
    clips, problems = CORPORA[corpus].listed(folder, settings)
    clips = clips[clips["actor"].isin(sorted(set(clips["actor"]))[:actors])].reset_index(drop=True)
    clips, left_out = _set_findings(clips, _findings(folder), settings["leave_out"])
    sums = checksums(clips["path"], data / MEMORY, f"{CORPORA[corpus].title}: SHA-256")
    places = [_from_workspace(path) for path in clips["path"]]
    return clips.assign(path=places, sha256=sums), problems + left_out


def state(corpus: str, folder: Path, settings: Mapping[str, Any], data: Path, actors: int | None = None) -> str:
    """Digest of what `listed` returns: it changes when a file is added, removed or overwritten."""
    clips, problems = listed(corpus, folder, settings, data, actors)
    text = clips.to_csv(index=False) + problem_table(problems).to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _findings(folder: Path) -> pd.DataFrame:
    """Findings on single clips, indexed by clip: those of the records, or of the twin in `folder`."""
    own = folder / FINDINGS
    return pd.read_csv(own if own.exists() else committed("cremad_findings.csv", RECORDS)).set_index("clip")


def _set_findings(
    clips: pd.DataFrame, findings: pd.DataFrame, leave_out: list[str]
) -> tuple[pd.DataFrame, list[InputProblem]]:
    clips = clips.assign(finding=clips["clip"].map(findings["finding"]).fillna(""))
    out = clips["finding"].isin(leave_out)
    problems = [
        InputProblem(
            row.path,
            f"is left out as {row.finding} ({findings.at[row.clip, 'reason']})",
            f"take {row.finding} out of assumptions.leave_out in the study's file to use it",
        )
        for row in clips[out].itertuples()
    ]
    return clips[~out], problems


def _from_workspace(path: str) -> str:
    below = Path(path).is_relative_to(workspace())
    return Path(path).relative_to(workspace()).as_posix() if below else path


def checksums(files: Iterable[str], memory: str | os.PathLike, title: str) -> list[str]:
    """SHA-256 of each of `files`; a file with unchanged size and time is not read but looked up in `memory` (CSV)."""
    files = list(files)
    try:
        known = pd.read_csv(memory, dtype={"file": str, "sha256": str})[_COLUMNS]
        known = {(row[0], row[1], row[2]): row[3] for row in known.itertuples(index=False)}
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    try:
        statuses = [(status.st_size, status.st_mtime_ns) for status in map(os.stat, files)]
        keys = [(file, *status) for file, status in zip(files, statuses, strict=True)]
        new = [key for key in keys if key not in known]
        with ThreadPoolExecutor() as pool:
            bar = tqdm(pool.map(sha256, [key[0] for key in new]), title, len(new), unit="file", disable=len(new) < 500)
            known |= dict(zip(new, bar, strict=True))
    except OSError as error:
        remedy = "see that the corpus' disk is there, then run again"
        problem = f"cannot be read ({error.strerror})"
        raise InputProblem(error.filename or Path(files[0]).parent, problem, remedy) from None
    if new:
        write_table(pd.DataFrame([(*key, known[key]) for key in keys], columns=_COLUMNS), memory)
    return [known[key] for key in keys]
