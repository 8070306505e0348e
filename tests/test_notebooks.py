"""nbval over every committed notebook: each runs, and each checked number is the committed one."""

import hashlib
import os
import shutil
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from compared import RECORD, altered_runs, put_pilot, unequal

from lib.base.paths import NOTEBOOKS, ROOT, models_dir

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
SERIES = sorted(NOTEBOOKS.glob("*.ipynb"))
#: The notebooks that take longest: they come first, so that none is left over at the end.
LONGEST = ("15", "04", "14", "09", "03")
CORES = os.cpu_count() or 1
#: Jobs at once. Where tests run in several processes, `test_workflow.py` needs the cores at the same time.
AT_ONCE = max(1, CORES // 2) if "PYTEST_XDIST_WORKER" in os.environ else CORES


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """A workspace with the sample up to its sequences, which all notebooks read and none may change."""
    workspace = tmp_path_factory.mktemp("sample")
    if "Nothing to be done" in make_sequences(ROOT, "--dry-run").stdout:  # today's code made them in `make reproduce`
        shutil.copytree(ROOT / "data/sample", workspace / "data/sample")
    else:
        done = make_sequences(workspace)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return variables(workspace)


def variables(workspace):
    """The environment in which a process works in `workspace`."""
    return {**os.environ, "STUDY_WORKSPACE": str(workspace), "STUDY_MODELS": str(models_dir())}


def make_sequences(workspace, *options):
    """Run the workflow up to the sample's sequences in `workspace`."""
    targets = [f"data/sample/{corpus}/sequences.csv" for corpus in ("cremad", "ravdess")]
    command = [sys.executable, "-m", "snakemake", "--profile", str(ROOT / "workflow/profiles/default")]
    command += ["--snakefile", str(ROOT / "workflow/Snakefile"), "--directory", str(workspace), *targets, *options]
    command += ["--cores", str(AT_ONCE)]
    return subprocess.run(
        [*command, "--config", "study=sample"], env=variables(workspace), capture_output=True, text=True
    )


def contents(folder):
    """Digest of every file below `folder`, by name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and ".snakemake" not in path.parts)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def own_workspace(path, environment):
    """A workspace of the notebook's own: the shared data, and a copy of the recorded runs that it may replace."""
    shared = Path(environment["STUDY_WORKSPACE"])
    workspace = shared.parent / f"{path.stem}-{uuid.uuid4().hex[:8]}"
    workspace.mkdir()
    (workspace / "data").symlink_to(shared / "data")
    shutil.copytree(RECORD, workspace / "papermill_runs/sample/04_training_run")
    put_pilot(workspace)
    return workspace


def nbval(path, environment):
    """Run nbval as a user's CI does; the notebook's unchecked cells must run, its checked ones must be equal."""
    workspace = own_workspace(path, environment)
    # no other plugins: they take longer to import than a short notebook to run
    environment = {**environment, "STUDY_WORKSPACE": str(workspace), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "lib", "-p", "nbval.plugin", "--nbval-lax", "--nbval-current-env"]
    options = ["-x", "-q", str(path), "-p", "no:cacheprovider", "--nbval-cell-timeout", "900", "-o", "addopts="]
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
    return done, workspace


@pytest.fixture(scope="session")
def checked(environment):
    """What nbval says of every notebook, and what it changed of the files that all read."""
    data = Path(environment["STUDY_WORKSPACE"]) / "data"
    before = contents(data) | contents(RECORD)
    ordered = sorted(SERIES, key=lambda path: not path.stem.startswith(LONGEST))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = dict(zip(ordered, pool.map(lambda path: nbval(path, environment), ordered), strict=True))
    after = contents(data) | contents(RECORD)
    return results, sorted(name for name in before | after if before.get(name) != after.get(name))


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_the_notebook_gives_its_committed_numbers(path, checked):
    results, _ = checked
    done, _ = results[path]
    assert done.returncode == 0, done.stdout[-6000:]


def test_the_notebooks_write_the_committed_tables_from_the_recorded_runs(checked):
    results, _ = checked
    assert altered_runs() == []
    assert unequal([workspace for _, workspace in results.values()]) == []


def test_no_notebook_changes_what_another_one_reads(checked):
    _, changed = checked
    assert changed == []


def test_a_changed_number_fails(environment, tmp_path):
    """The check is alive: one digit of one checked output altered, and nbval fails."""
    notebook = nbformat.read(NOTEBOOKS / "06_confusion_matrices.ipynb", as_version=4)
    checked = next(cell for cell in notebook.cells if "nbval-check-output" in cell.metadata.get("tags", []))
    text = checked.outputs[0]["text"]
    digit = next(i for i, letter in enumerate(text) if letter.isdigit())
    checked.outputs[0]["text"] = f"{text[:digit]}{(int(text[digit]) + 1) % 10}{text[digit + 1 :]}"
    path = tmp_path / "changed.ipynb"
    nbformat.write(notebook, path)
    done, _ = nbval(path, environment)
    assert done.returncode == 1 and "mismatch" in done.stdout.lower()
