"""nbval over every committed notebook: each runs, and each checked number is the committed one."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from lib.base.paths import NOTEBOOKS, ROOT, models_dir

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
RECORD = ROOT / "tests" / "sample_runs"
SERIES = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """A workspace with the sample up to its sequences, and the recorded runs of its grid."""
    workspace = tmp_path_factory.mktemp("sample")
    variables = {**os.environ, "STUDY_WORKSPACE": str(workspace), "STUDY_MODELS": str(models_dir())}
    targets = [f"data/sample/{corpus}/sequences.csv" for corpus in ("cremad", "ravdess")]
    command = [sys.executable, "-m", "snakemake", "--profile", str(ROOT / "workflow/profiles/default")]
    command += ["--snakefile", str(ROOT / "workflow/Snakefile"), "--directory", str(workspace), *targets]
    done = subprocess.run([*command, "--config", "study=sample"], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    shutil.copytree(RECORD, workspace / "papermill_runs/sample/04_training_run")
    return variables


def nbval(path, environment):
    """Run nbval as a user's CI does; the notebook's unchecked cells must run, its checked ones must be equal."""
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-x", "-q", str(path)]
    options = ["-p", "no:cacheprovider", "--nbval-cell-timeout", "900", "-o", "addopts=", "--timeout", "0"]
    return subprocess.run([*command, *options], env=environment, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.fixture(scope="session")
def checked(environment):
    """What nbval says of every notebook, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(SERIES, pool.map(lambda path: nbval(path, environment), SERIES), strict=True))


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_the_notebook_gives_its_committed_numbers(path, checked):
    assert checked[path].returncode == 0, checked[path].stdout[-6000:]


def test_a_changed_number_fails(environment, tmp_path):
    """The check is alive: one digit of one checked output altered, and nbval fails."""
    notebook = nbformat.read(NOTEBOOKS / "06_confusion_matrices.ipynb", as_version=4)
    checked = next(cell for cell in notebook.cells if "nbval-check-output" in cell.metadata.get("tags", []))
    text = checked.outputs[0]["text"]
    digit = next(i for i, letter in enumerate(text) if letter.isdigit())
    checked.outputs[0]["text"] = f"{text[:digit]}{(int(text[digit]) + 1) % 10}{text[digit + 1 :]}"
    path = tmp_path / "changed.ipynb"
    nbformat.write(notebook, path)
    done = nbval(path, environment)
    assert done.returncode == 1 and "mismatch" in done.stdout.lower()
