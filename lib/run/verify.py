"""Compare tables and figures with the committed ones: ``python -m lib.run.verify --study sample``.

The bytes of every table and of every figure's CSV are compared with those of the last commit, and the results of every
recorded training with ``tests/<study>_runs``. Pictures are not compared, since they depend on the fonts. Of a
network the weights are compared, since its file names the time at which it was saved.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from lib.base.numerics import is_portable_machine
from lib.base.paths import ROOT, workspace
from lib.base.problems import InputProblem
from lib.study import TRAINING, Study, load
from lib.study.weights import ENDING, read_weights, same_weights

log = logging.getLogger("lib.run.verify")

SHOWN = 20  # rows of the table of differences


def recorded_runs(study: Study) -> Path:
    """Folder of the committed measurements of the study's trainings; it may not exist."""
    return ROOT / "tests" / f"{study.base}_runs"


def committed(path: Path) -> bytes:
    """The bytes of `path`, relative to the checkout, in the last commit.

    Raises
    ------
    lib.base.problems.InputProblem
        If this is no git checkout, or the commit does not hold the file.
    """
    done = subprocess.run(["git", "show", f"HEAD:{path.as_posix()}"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise InputProblem(ROOT / path, "is not in the last commit", "clone the repository with git to compare")
    return done.stdout


def pairs(study: Study) -> Iterator[tuple[str, Path, bytes]]:
    """Yield the name, the new file and the committed bytes of each file that is compared."""
    for folder in ("tables", "figures"):
        listing = subprocess.run(
            ["git", "ls-tree", "-r", "--name-only", "HEAD", f"{folder}/{study.name}/"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        for name in listing.stdout.split():
            if name.endswith(".csv"):
                yield name, workspace() / name, committed(Path(name))
    for file in sorted(recorded_runs(study).glob("*/*")):
        ours = study.runs(TRAINING) / file.parent.name / file.name
        yield f"{file.parent.name}/{file.name}", ours, file.read_bytes()


def _numbers(name: str, content: bytes) -> pd.Series:
    """All numbers of a file in their order; of a ``metrics.json`` by name, of a network its weights."""
    if name.endswith(ENDING):
        return pd.Series(np.concatenate([array.ravel() for array in read_weights(content, name).values()]), dtype=float)
    if name.endswith(".json"):
        entries = json.loads(content)
        return pd.Series({k: v for k, v in entries.items() if isinstance(v, int | float)}, dtype=float)
    return pd.Series(pd.read_csv(BytesIO(content)).select_dtypes("number").to_numpy().ravel(), dtype=float)


def difference(name: str, new: bytes, wanted: bytes) -> float:
    """The largest difference between two files' numbers; infinite if their forms differ, 0 if only text differs."""
    try:
        ours, theirs = _numbers(name, new), _numbers(name, wanted)
    except (ValueError, InputProblem):
        return math.inf
    if len(ours) != len(theirs):
        return math.inf
    return float((ours - theirs).abs().max()) if len(ours) else 0.0


def _equal(name: str, new: bytes, wanted: bytes) -> bool:
    """Whether two files are equal; two networks are if their weights are."""
    return new == wanted or (name.endswith(ENDING) and same_weights(new, wanted))


def compare(study: Study) -> tuple[int, pd.DataFrame]:
    """Number of files compared, and one row per file that differs: ``file``, ``largest difference``."""
    count, rows = 0, []
    for name, path, wanted in pairs(study):
        count += 1
        if not path.is_file():
            rows.append((name, "is missing"))
        elif not _equal(name, new := path.read_bytes(), wanted):
            rows.append((name, f"{difference(name, new, wanted):.6g}"))
    return count, pd.DataFrame(rows, columns=["file", "largest difference"])


def spread(study: Study) -> pd.DataFrame:
    """For each repeated network: mean and standard deviation of the committed test accuracies, and our mean.

    For machines whose bits cannot be equal (64-bit Arm, macOS, GPUs): ``inside`` is whether our mean lies within two
    standard deviations of the committed mean.
    """
    rows = []
    repeats = study.uncertainty
    for cell in repeats.cells if repeats else ():
        runs = [study.trained(cell, {"seed": seed}).run for seed in repeats.seeds] if repeats else []
        folders = [(recorded_runs(study) / run, study.runs(TRAINING) / run) for run in runs]
        values = [
            [json.loads((folder / "metrics.json").read_text())["test_accuracy"] for folder in pair]
            for pair in folders
            if all((folder / "metrics.json").is_file() for folder in pair)
        ]
        if len(values) > 1:
            recorded, ours = pd.DataFrame(values)[0], pd.DataFrame(values)[1]
            inside = abs(ours.mean() - recorded.mean()) <= 2 * recorded.std()
            rows.append((cell.label, len(values), recorded.mean(), recorded.std(), ours.mean(), inside))
    columns = ["network", "seeds", "committed mean", "committed sd", "mean here", "inside"]
    return pd.DataFrame(rows, columns=columns)


def report(study: Study) -> int:
    """Log the result of the comparison, in one line or as a table; return the exit code."""
    count, differing = compare(study)
    if not count:
        log.error("nothing of the study %s is committed, so there is nothing to compare", study.name)
        return 1
    if differing.empty:
        log.info("all %d files equal those committed", count)
        return 0
    log.info("%s", differing.head(SHOWN).to_string(index=False))
    if len(differing) > SHOWN:
        log.info("... and %d more", len(differing) - SHOWN)
    log.info("%d of %d files differ from those committed", len(differing), count)
    if is_portable_machine() and study.numerics == "portable":
        return 1
    judged = spread(study)
    log.info(
        "Equal bytes are not possible on this machine or with native kernels. Comparison by the spread between seeds:"
    )
    log.info("%s", judged.round(4).to_string(index=False))
    return 0 if len(judged) and judged["inside"].all() else 1


def main(arguments: list[str] | None = None) -> int:
    """Compare; return 0 if all files are as committed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m lib.run.verify", description=__doc__)
    parser.add_argument("--study", default="sample")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return report(load(chosen.study))
    except InputProblem as problem:
        log.error("%s", problem)
        return 1


if __name__ == "__main__":
    sys.exit(main())
