"""The folder of a notebook's run, and the ``metrics.json`` that ends it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from lib.base.checksums import NAME, refuse_damaged, seal, sealed
from lib.base.files import write_text
from lib.base.paths import in_workspace
from lib.base.problems import InputProblem
from lib.study import Study


def run_folder(study: Study, notebook: str, out: str, run: str = "default") -> Path:
    """Folder of a run, made if needed: `out`, or the workflow's folder if `out` is empty."""
    folder = in_workspace(out) if out else study.runs(notebook) / run
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _plain(value: Any) -> Any:
    """Convert NumPy's numbers to Python's, and NaN to None, which JSON can represent."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def write_metrics(folder: Path, **metrics: Any) -> None:
    """Write `metrics` as ``metrics.json``. It marks the run as done, so it is always in a notebook's last cell."""
    write_text(folder / "metrics.json", json.dumps(_plain(metrics), indent=1, allow_nan=False) + "\n")
    checksums = folder / NAME
    if checksums.exists():  # the runner deletes them: so the notebook was executed by hand, over a finished run
        seal(checksums, [file for file in sealed(checksums) if file.exists()])


def read_metrics(folder: str | os.PathLike) -> dict[str, Any]:
    """Read the ``metrics.json`` of a run.

    Raises
    ------
    lib.base.problems.InputProblem
        If the run is not done, its file is damaged, or anything that the run left has changed.
    """
    path = Path(folder) / "metrics.json"
    refuse_damaged(path.with_name(NAME))
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputProblem(path, "is not there: the run is not done", "run `make reproduce` first") from None
    except ValueError as error:
        raise InputProblem(path, f"is damaged ({error})", "delete it and run the study again") from None
