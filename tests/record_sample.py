"""Execute the committed notebooks in place, and keep what the sample's trainings measured: `make notebooks`.

The record in tests/sample_runs/ lets nbval check every number of notebooks 05 to 15 without training, and `make verify`
compare what was trained anew. Of the networks it has those that notebooks run, without the time of their saving. The
pilot of the twin, hours of trainings, is recorded likewise, with its best network, if `make twin-pilot` was run here.
"""

import lib  # noqa: F401, I001  before NumPy
import shutil
import sys

import nbformat
from compared import PILOT, PILOT_SEAL, RECORD, SEAL, put_pilot
from nbclient import NotebookClient
from packed import networks_of_notebooks, pack

from lib.base.checksums import seal
from lib.base.paths import NOTEBOOKS, ROOT, workspace
from lib.measures.chosen import best_of_grid
from lib.run.runner import kernel_files
from lib.study import TRAINING, load, results

KEPT = ("metrics.json", "history.csv", "predictions.csv", "transfer_predictions*.csv")
NETWORK = "model.keras"


def copy_measures(training, kept) -> None:
    """Copy what one training measured from its folder into the folder `kept`."""
    kept.mkdir(parents=True, exist_ok=True)
    for file in (file for pattern in KEPT for file in training.glob(pattern)):
        shutil.copy(file, kept / file.name)


def copy_small_files(study, record) -> None:
    """Copy what every training of `study` measured into the folder `record`, which is made anew."""
    results.measures(study, study.trainings)  # says which one is not done, before anything is deleted
    shutil.rmtree(record, ignore_errors=True)
    for cell in study.trainings:
        copy_measures(study.training(cell), record / cell.run)


def record_runs() -> None:
    """Copy the small files of every training and the networks that notebooks read, and write their checksums."""
    study = load("sample")
    copy_small_files(study, RECORD)
    for cell in networks_of_notebooks(study):
        pack(study.training(cell) / NETWORK, RECORD / cell.run / NETWORK)
    seal(SEAL, RECORD.glob("*/*"))


def record_pilot() -> None:
    """Copy the small files of the pilot's trainings and its best network; if it was not run, use the recorded ones."""
    study = load("twin-pilot")
    if not study.runs(TRAINING).exists():
        put_pilot(workspace(), tables=False)
    else:
        copy_small_files(study, PILOT)
        best = best_of_grid(study)
        pack(study.training(best) / NETWORK, PILOT / best.run / NETWORK)


def seal_pilot() -> None:
    """Write the checksums of the pilot's record, tables and figures."""
    tables = (path for kind in ("tables", "figures") for path in (ROOT / kind / "twin-pilot").glob("*.csv"))
    seal(PILOT_SEAL, [*PILOT.glob("*/*"), *tables])


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
    record_pilot()
    for chosen in sys.argv[1:] or sorted(map(str, NOTEBOOKS.glob("*.ipynb"))):
        sys.stdout.write(f"{chosen}\n")
        execute(NOTEBOOKS / chosen.rpartition("/")[2])
    seal_pilot()
