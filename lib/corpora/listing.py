"""The table of clips of a study's corpus: what lies in its folder, which files they are, what is left out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from lib.base.checksums import sha256
from lib.base.files import problem_table, write_table
from lib.base.paths import workspace
from lib.base.problems import InputProblem
from lib.corpora import cremad, ravdess
from lib.corpora.records import RECORDS
from lib.study import Study

ADAPTERS = {"cremad": cremad, "ravdess": ravdess}
MEMORY = "files.csv"
_COLUMNS = ["file", "bytes", "mtime_ns", "sha256"]


def listed(study: Study, corpus: str) -> tuple[pd.DataFrame, list[InputProblem]]:
    """Clips of a study's corpus as clips.csv holds them, and every file that is not used.

    Returns
    -------
    tuple
        The adapter's table, less the clips that ``leave_out`` names, with the columns ``finding`` (``""`` where
        none) and ``sha256`` of the video, whose path is relative to the workspace where it lies below it; and the
        problems, among them those clips.

    Raises
    ------
    InputProblem
        If the folder holds no clip, or one cannot be read to its end.
    """
    options = {"modality": study.settings["transfer_modality"]} if corpus == "ravdess" else {}
    clips, problems = ADAPTERS[corpus].list_clips(study.corpora[corpus]["folder"], **options)
    clips, left_out = _set_findings(clips, study.settings["leave_out"])
    sums = checksums(clips["path"], study.data(corpus) / MEMORY, f"{study.name_of(corpus)}: SHA-256")
    places = [_from_workspace(path) for path in clips["path"]]
    return clips.assign(path=places, sha256=sums), problems + left_out


def state(study: Study, corpus: str) -> str:
    """Digest of all that `listed` gives: another one as soon as a file is added, removed or overwritten."""
    clips, problems = listed(study, corpus)
    text = clips.to_csv(index=False) + problem_table(problems).to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _set_findings(clips: pd.DataFrame, leave_out: list[str]) -> tuple[pd.DataFrame, list[InputProblem]]:
    findings = pd.read_csv(RECORDS / "cremad_findings.csv").set_index("clip")
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
    path = Path(path)
    return path.relative_to(workspace()).as_posix() if path.is_relative_to(workspace()) else str(path)


def checksums(files: Iterable[str], memory: str | os.PathLike, title: str) -> list[str]:
    """SHA-256 of each of `files`; those with the size and time of the last call come from the table `memory`."""
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
