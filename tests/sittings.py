"""Run a study that takes longer than one sitting: ``python tests/sittings.py keep twin``, and later ``put twin``.

`keep` copies what every finished training measured into ``tests/<study>_runs``, with the networks that notebooks read
and the checksums of the sequences. The newest checkpoint of a training that is not finished goes into
``tests/<study>_checkpoints``. `put` copies all of it back into a workspace whose sequences have these checksums. Then
`make` continues the trainings that were begun and runs those that are left.
"""

import lib  # noqa: F401, I001  before NumPy
import argparse
import logging
import shutil
import subprocess
import sys
from dataclasses import replace

from packed import networks_of_notebooks, pack
from record_sample import NETWORK, copy_measures

from lib.base.checksums import refuse_damaged, seal, seal_of
from lib.base.paths import ROOT, workspace
from lib.base.problems import InputProblem
from lib.measures.chosen import split_pair
from lib.run.repair import record as snakemakes_record
from lib.run.workflow import locked_workspace, snakemake
from lib.study import TRAINING, load

log = logging.getLogger("sittings")


def seal_of_record(record):
    """The file with the checksums of all that is kept in the folder `record`."""
    return record.with_name(f"{record.name}.checksums.json")


def seals_of_sequences(study, record):
    """Of each corpus, the checksums of the sequences in the workspace, and their copy in `record`."""
    made = {corpus: seal_of(study.sequences(corpus) / "sequences.csv") for corpus in study.corpora}
    return [(file, record / f"{corpus}_{file.name}") for corpus, file in made.items()]


def refuse_altered(record):
    """Raise InputProblem if a file in `record` is not as it was kept."""
    refuse_damaged(seal_of_record(record), "get it back from git (`git checkout`)")


def refuse_other_sequences(study, record):
    """Raise InputProblem if the workspace has other sequences than those of the kept trainings, or none."""
    for made, kept in seals_of_sequences(study, record):
        if not made.exists() or made.read_bytes() != kept.read_bytes():
            what = "is not that of the kept trainings" if made.exists() else "is not there"
            raise InputProblem(made, what, "make the sequences with the code that made those of the kept trainings")


def with_networks(study, done):
    """Of the trainings `done`, those whose networks notebooks read; the best of the grid is the best one so far."""
    grid = tuple(cell for cell in study.grid if cell in done)
    networks = networks_of_notebooks(replace(study, grid=grid)) if grid else split_pair(study) or ()
    return {*networks} & {*done}


def checkpoints_of(study, record):
    """The folder beside `record` with one checkpoint of every training that the next sitting continues."""
    return record.with_name(f"{study.name}_checkpoints")


def newest(folder):
    """The checkpoint of the latest epoch in `folder`, or None."""
    return max(folder.glob("epoch-*.npz"), default=None, key=lambda file: file.name)


def keep_checkpoints(study, record):
    """Keep the newest checkpoint of each unfinished training, or else of the finished one that it continues."""
    kept = checkpoints_of(study, record)
    done = [cell for cell in study.trainings if (record / cell.run / "metrics.json").exists()]
    wanted = set()
    for cell in (cell for cell in study.trainings if cell not in done):
        for source in filter(None, (cell, cell.continued(done))):
            # that of the workspace first: one of an earlier sitting may be of other code, and of a later epoch
            file = newest(study.training(source) / "checkpoints") or newest(kept / source.run)
            if file:
                to = kept / source.run / file.name
                to.parent.mkdir(parents=True, exist_ok=True)
                if file != to:
                    shutil.copy(file, to)
                wanted.add(to)
                break
    for old in {*kept.glob("*/*")} - wanted:
        old.unlink()
    for folder in kept.glob("*"):
        if not any(folder.iterdir()):
            folder.rmdir()
    return sorted(wanted)


def put_checkpoints(study, record):
    """Copy the kept checkpoints into the workspace, except where a training is further there."""
    kept = [(cell, newest(checkpoints_of(study, record) / cell.run)) for cell in study.trainings]
    begun = [(study.training(cell) / "checkpoints", file) for cell, file in kept if file]
    for folder, file in begun:
        there = newest(folder)
        if there is None or there.name < file.name:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder)
    return len(begun)


def keep(study, record):
    """Copy every training that is done into `record`, those that are there already stay; and the checkpoints."""
    if seal_of_record(record).exists():
        refuse_altered(record)
        refuse_other_sequences(study, record)
    done = [cell for cell in study.trainings if (study.training(cell) / "metrics.json").exists()]
    if not done and not any(newest(study.training(cell) / "checkpoints") for cell in study.trainings):
        raise InputProblem(study.runs(TRAINING), "has no training", f"run `make {study.name}` first")
    record.mkdir(parents=True, exist_ok=True)
    networks = with_networks(study, done)
    for cell in done:
        made, kept = study.training(cell), record / cell.run
        refuse_damaged(seal_of(made / "metrics.json"))
        copy_measures(made, kept)
        if cell in networks:
            pack(made / NETWORK, kept / NETWORK)
        else:
            (kept / NETWORK).unlink(missing_ok=True)
    for file, kept in seals_of_sequences(study, record):
        shutil.copy(file, kept)
    begun = keep_checkpoints(study, record)
    seal(seal_of_record(record), [*(path for path in record.rglob("*") if path.is_file()), *begun])
    log.info("%d of %d trainings are kept in %s", len(done), len(study.trainings), record)
    log.info("%d checkpoints are kept in %s", len(begun), checkpoints_of(study, record))


def put(study, record):
    """Copy the trainings in `record` into the workspace, and let Snakemake take them for done."""
    if not seal_of_record(record).exists():
        raise InputProblem(
            record, "has no checksums: no training was kept", f"keep some: sittings.py keep {study.name}"
        )
    refuse_altered(record)
    refuse_other_sequences(study, record)
    number = 0
    # shorter trainings first: a longer one may continue one of them
    for epochs in sorted({cell.epochs for cell in study.trainings}):
        marks = [copied(study, cell, record) for cell in study.trainings if cell.epochs == epochs]
        marks = [mark.relative_to(workspace()).as_posix() for mark in marks if mark]
        if marks:
            command = snakemake("--touch", "--cores", "1", "--forcerun", *marks, "--until", *marks)
            if subprocess.run([*command, "--config", f"study={study.name}"], check=False).returncode:
                raise InputProblem(workspace(), "Snakemake did not take over the trainings", "see its message above")
        number += len(marks)
    begun = put_checkpoints(study, record)
    log.info("%d trainings and %d checkpoints put into %s", number, begun, workspace())


def copied(study, cell, record):
    """Copy the training `cell` from `record`; its metrics.json, or None if it is not kept or was put there before."""
    kept, made = record / cell.run, study.training(cell)
    mark = made / "metrics.json"
    if not (kept / mark.name).exists() or (mark.exists() and snakemakes_record(mark).exists()):
        return None
    shutil.copytree(kept, made, dirs_exist_ok=True)
    (made / "notebook.ipynb").touch()  # that of the training is not kept
    seal(seal_of(mark), (made / file.name for file in kept.iterdir()))
    return mark


def main():
    """Keep or put; 1 and one sentence if something is missing or damaged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("keep", "put"))
    parser.add_argument("study")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        with locked_workspace():  # not while a study is running there
            {"keep": keep, "put": put}[chosen.what](load(chosen.study), ROOT / "tests" / f"{chosen.study}_runs")
    except InputProblem as problem:
        log.error("%s", problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
