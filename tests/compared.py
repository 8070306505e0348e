"""What a check of the committed numbers compares, shared by the tests that execute notebooks and that alter numbers.

- `unequal`: the tables, and the CSV behind each figure, that notebooks write, with those committed;
- `altered_runs`: the recorded runs with the checksums of `make notebooks`;
- `unshown`: the paper's files with what notebook 08 shows of them under nbval, and with the table that it writes.
"""

import shutil

import nbformat
import pandas as pd

from lib.base.checksums import damaged
from lib.base.paths import NOTEBOOKS, PAPER, ROOT

RECORD = ROOT / "tests" / "sample_runs"
SEAL = ROOT / "tests" / "sample_runs.checksums.json"
#: The trainings of `make twin-pilot`, and the checksums of all that is committed of it.
PILOT = ROOT / "tests" / "twin-pilot_runs"
PILOT_SEAL = ROOT / "tests" / "twin-pilot_runs.checksums.json"
CHECKED = "nbval-check-output"
#: Written by `make simulate-rules`, in minutes; notebook 12 reads it and writes it as the sample's.
COPIED = {"tables/paper/rule_errors.csv": "tables/sample/rule_errors.csv"}


def committed_tables(root=ROOT):
    """Names of the tables, and of the CSV behind figures, that the committed notebooks write."""
    patterns = ("sample/*.csv", "paper/*.csv", "twin-pilot/rehearsal_*.csv")
    paths = (path for kind in ("tables", "figures") for pattern in patterns for path in root.glob(f"{kind}/{pattern}"))
    return sorted(path.relative_to(root).as_posix() for path in paths)


def unequal(workspaces, root=ROOT):
    """Names of committed tables that no notebook wrote in `workspaces`, or that one wrote with other bytes."""
    names = []
    for name in committed_tables(root):
        written = [path for path in (workspace / COPIED.get(name, name) for workspace in workspaces) if path.exists()]
        if not written or any(path.read_bytes() != (root / name).read_bytes() for path in written):
            names.append(name)
    return names


def altered_runs(seal=SEAL):
    """Files of the recorded runs that are not what was recorded, as ``run/file``."""
    return [f"{path.parent.name}/{path.name}" for path, _ in damaged(seal)]


def put_pilot(workspace, tables=True):
    """Copy the recorded trainings of the pilot into `workspace`, and the tables that its notebook 13 reads."""
    shutil.copytree(PILOT, workspace / "papermill_runs/twin-pilot/04_training_run")
    if tables:
        ignored = shutil.ignore_patterns("rehearsal_*")
        shutil.copytree(ROOT / "tables/twin-pilot", workspace / "tables/twin-pilot", ignore=ignored)


def copy_of_record(folder):
    """Copy the recorded runs and their checksums into `folder`; the checksums' path."""
    shutil.copytree(RECORD, folder / RECORD.name)
    return shutil.copy(SEAL, folder / SEAL.name)


def checked_text(name):
    """All text of a notebook that nbval compares."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    outputs = [output for cell in cells if CHECKED in cell.metadata.get("tags", []) for output in cell.outputs]
    return "\n".join(output.get("text", "") for output in outputs)


def unshown(text, folder=PAPER, root=ROOT):
    """Names of the paper's files whose content is not in `text`, the checked text of notebook 08, as it is printed."""
    names = []
    for path in sorted(folder.glob("*.csv")):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if path.name == "claims.csv":  # long: the notebook shows four columns, and its table has them all
            written = pd.read_csv(root / "tables/paper/audit_claims.csv", dtype=str, keep_default_na=False)
            known = table.equals(written)
        else:
            known = table.to_string(index=False) in text
        if not known:
            names.append(path.name)
    return names
