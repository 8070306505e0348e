"""Find results that Snakemake takes for up to date, although they are deleted, damaged or without recorded settings."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from lib.base.checksums import damaged, seal_of
from lib.base.paths import relative, workspace
from lib.base.problems import InputProblem
from lib.study import Study
from lib.study.steps import finished, stages

#: What a whole step can lack; reported once for all steps.
NO_CHECKSUMS = "has no checksums next to it"
NO_RECORD = "has no record of its settings in .snakemake/metadata"


def record(mark: Path) -> Path:
    """Path of Snakemake's record of the settings that `mark` was made with."""
    folder = workspace() / ".snakemake" / "metadata"
    name = urlsafe_b64encode(mark.relative_to(workspace()).as_posix().encode()).decode()
    longest = os.pathconf(workspace(), "PC_NAME_MAX") - 1
    parts = [name[i : i + longest] for i in range(0, len(name), longest)]
    return folder.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])


def to_repeat(study: Study) -> tuple[list[list[Path]], list[str], list[Path]]:
    """List the steps that must run again although Snakemake may take them for up to date; nothing is changed.

    Returns
    -------
    tuple
        The marks of the steps, one list for each stage with any; one sentence for each file at fault, or for all steps
        that lack the same; the damaged files.
    """
    repeated, sentences, broken = [], [], []
    incomplete: dict[str, list[Path]] = defaultdict(list)
    done, (*before, cards) = finished(study), stages(study)
    if study.render:
        before.insert(0, [study.data(corpus).parent / "videos" / f"{corpus}.rendered" for corpus in study.corpora])
    for marks in [*before, cards]:
        again = []
        for mark in marks:
            faults, lack = _faults(mark), ""
            if not faults and not mark.exists():  # without a record it was never made, and Snakemake makes it
                faults = [(mark, "is gone")] if done and record(mark).exists() else []
            elif not faults and (done or marks is not cards):  # a clone has committed cards before its first run
                sealed = mark.suffix == ".rendered" or seal_of(mark).exists()
                lack = NO_CHECKSUMS if not sealed else "" if record(mark).exists() else NO_RECORD
            if faults or lack:
                again.append(mark)
            if lack:
                incomplete[lack].append(mark)
            sentences += [f"{relative(path)}: {what}; its step runs again." for path, what in faults]
            broken += [path for path, _ in faults if path.exists()]
        repeated += [again] if again else []
    for lack, marks in incomplete.items():
        more = f" (and so have {len(marks) - 1} more)" if len(marks) > 1 else ""
        sentences.append(f"{relative(marks[0])}: {lack}{more}; its step runs again.")
    return repeated, sentences, broken


def _faults(mark: Path) -> list[tuple[Path, str]]:
    """Files of a step that have changed since it wrote them, with what is wrong; empty if it has no checksums."""
    seal = seal_of(mark)
    if not seal.exists():
        return []
    try:
        return list(damaged(seal))
    except InputProblem as problem:
        return [(seal, problem.problem)]


def remove(files: list[Path]) -> None:
    """Delete damaged `files`, since a step that resumes would keep them."""
    for path in files:
        with suppress(FileNotFoundError):
            path.unlink()
