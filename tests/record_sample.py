"""Execute the committed notebooks in place, and keep what the sample's trainings measured: `make notebooks`.

The record in tests/sample_runs/ lets nbval check every number of notebooks 05 to 15 without training, and `make verify`
compare what was trained anew. Of the networks it has those that notebooks run, without the time of their saving.
"""

import shutil
import sys

import nbformat
from nbclient import NotebookClient

from lib.base.checksums import seal
from lib.base.paths import NOTEBOOKS, ROOT, in_workspace
from lib.measures.chosen import networks_of_notebooks
from lib.run.runner import kernel_files
from lib.study import load, results
from lib.study.weights import pack

RECORD = ROOT / "tests" / "sample_runs"
SEAL = ROOT / "tests" / "sample_runs.checksums.json"
TRIAL = ROOT / "tests" / "trial_runs"
TRIAL_SEAL = ROOT / "tests" / "trial_runs.checksums.json"
#: What notebook 13 reads of the trial in addition to its trainings.
TRIAL_TABLES = ("uncertainty_networks.csv", "baselines.csv")
KEPT = ("metrics.json", "history.csv", "predictions.csv", "transfer_predictions*.csv")
NETWORK = "model.keras"


def copy_small_files(study, record) -> None:
    """Copy what every training of `study` measured into the folder `record`, which is made anew."""
    results.measures(study, study.trainings)  # says which one is not done, before anything is deleted
    shutil.rmtree(record, ignore_errors=True)
    for cell in study.trainings:
        (record / cell.run).mkdir(parents=True)
        for kept in (file for pattern in KEPT for file in study.training(cell).glob(pattern)):
            shutil.copy(kept, record / cell.run / kept.name)


def record_runs() -> None:
    """Copy the small files of every training and the networks that notebooks read, and write their checksums."""
    study = load("sample")
    copy_small_files(study, RECORD)
    for cell in networks_of_notebooks(study):
        pack(study.training(cell) / NETWORK, RECORD / cell.run / NETWORK)
    seal(SEAL, RECORD.glob("*/*"))


def record_trial() -> None:
    """Copy the small files of the trainings of `make twin-try`, and the tables of its notebook 10."""
    study = load("twin-try")
    copy_small_files(study, TRIAL)
    for name in TRIAL_TABLES:
        (TRIAL / "tables").mkdir(exist_ok=True)
        shutil.copy(in_workspace(f"tables/{study.name}/{name}"), TRIAL / "tables" / name)
    seal(TRIAL_SEAL, TRIAL.glob("*/*"))


def execute(path) -> None:
    """Run a notebook with its defaults, where it lies, and store its outputs without times and versions."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    with kernel_files() as config:
        NotebookClient(notebook, timeout=1200, resources=where, config=config, coalesce_streams=True).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            # progress bars and a library's chatter are no result
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    record_runs()
    record_trial()
    for chosen in sys.argv[1:] or sorted(map(str, NOTEBOOKS.glob("*.ipynb"))):
        sys.stdout.write(f"{chosen}\n")
        execute(NOTEBOOKS / chosen.rpartition("/")[2])
