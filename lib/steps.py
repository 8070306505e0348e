"""The steps of the workflow that are not notebooks; ``python -m lib`` runs one."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np

from lib.base.checksums import seal, seal_of, verified
from lib.base.files import write_problems, write_table
from lib.base.paths import relative
from lib.base.problems import InputProblem
from lib.corpora.listing import listed
from lib.corpora.registry import CORPORA
from lib.faces.corpus import mask_corpus
from lib.sequences import cutting
from lib.study import TRAINING, Study, results
from lib.study.steps import verify_results
from lib.synthetic import plan, render_corpus

log = logging.getLogger("lib")


def check(study: Study) -> None:
    """Raise InputProblem if a study's file asks for clips that cannot be rendered."""
    for corpus in study.corpora:
        if (wanted := study.rendering(corpus)) is not None:
            try:
                plan(corpus, **wanted)
            except ValueError as error:
                raise InputProblem(study.config, f"at render.{corpus}: {error}", "take fewer clips") from None


def render(study: Study, corpus: str, cores: int) -> None:
    """Render the synthetic corpus, in the layout of the real one."""
    check(study)
    if (wanted := study.rendering(corpus)) is None:
        raise InputProblem(study.config, "has no corpora to render", "name a study that has render")
    render_corpus(corpus, study.corpora[corpus]["folder"], **wanted, processes=cores)


def list_clips(study: Study, corpus: str, cores: int) -> None:
    """Write clips.csv, and problems_clips.csv with every file that is not used and the reason.

    Every file of CREMA-D is in one of the two; more than 20 Git-LFS pointers are one row that counts them.
    """
    place, mark = study.corpora[corpus], study.data(corpus) / "clips.csv"
    seal_of(mark).unlink(missing_ok=True)
    clips, problems = listed(corpus, place["folder"], study.settings, study.data(corpus), place.get("actors"))
    write_problems(problems, study.data(corpus) / "problems_clips.csv")
    write_table(clips, mark)
    seal(seal_of(mark), [mark, mark.with_name("problems_clips.csv")])
    log.info("%s: %d clips listed, %d problems", study.name_of(corpus), len(clips), len(problems))


def mask_faces(study: Study, corpus: str, cores: int) -> None:
    """Write the masked faces of every actor, and faces.csv."""
    clips, mark = cutting.read_table(study.data(corpus) / "clips.csv"), study.faces(corpus) / "faces.csv"
    seal_of(mark).unlink(missing_ok=True)
    table = mask_corpus(
        clips,
        study.faces(corpus) / "faces",
        backend=study.settings["face_backend"],
        openface_folder=study.openface_folder,
        interpolation=study.settings["face_interpolation"],
        processes=cores,
    )
    write_table(table, mark)
    seal(seal_of(mark), [mark, *(mark.parent / "faces" / f"{actor}.npz" for actor in clips["actor"].unique())])
    without = table[table["problem"].notna() & (table["problem"] != "")]
    for row in without.itertuples():
        log.warning("%s: %s", row.clip, row.problem)
    log.info("%s: %d clips masked, %d with a problem", study.name_of(corpus), len(table), len(without))


def cut_sequences(study: Study, corpus: str, cores: int) -> None:
    """Write sequences.npy and sequences.csv."""
    rule = study.settings[CORPORA[corpus].window_rule]
    clips = cutting.read_table(study.data(corpus) / "clips.csv")
    faces, folder = study.faces(corpus), study.sequences(corpus)
    masked = cutting.read_table(faces / "faces.csv")
    seal_of(folder / "sequences.csv").unlink(missing_ok=True)
    table = cutting.cut(clips, masked, faces / "faces", folder / "sequences.npy", study.settings, rule)
    write_table(table, folder / "sequences.csv")
    seal(seal_of(folder / "sequences.csv"), [folder / n for n in ("sequences.csv", "sequences.npy", cutting.LEFT_OUT)])
    log.info("%s: %d sequences from %d clips", study.name_of(corpus), len(table), table["clip"].nunique())
    if left_out := len(cutting.read_table(folder / cutting.LEFT_OUT)):
        log.warning("%d windows show too few faces, see %s", left_out, relative(folder / cutting.LEFT_OUT))


def predict_transfer(study: Study, run: str) -> None:
    """Predict the second corpus with the network of `run`, on windows by ``transfer_window_rule``, as notebook 04."""
    from lib.training import loop  # which loads TensorFlow

    loop.configure(1, study.numerics)
    array, table = cutting.load(study.sequences(study.transfer_corpus))
    ordered: Any = cutting.in_order(array, study.settings["frame_order"], study.settings["seed"])
    folder = study.runs(TRAINING) / run
    model = loop.load_model(verified(folder / "model.keras"))
    mark = folder / f"transfer_predictions_{study.settings['transfer_window_rule']}.csv"
    seal_of(mark).unlink(missing_ok=True)
    predicted = loop.predictions(model, ordered, table, np.arange(len(table)), study.settings["batch"])
    write_table(predicted, mark)
    seal(seal_of(mark), [mark])


def summarise(study: Study) -> None:
    """Print where the tables and figures are, and Table 1; InputProblem if something has changed since it was made."""
    verify_results(study)
    tables, figures = (Path(p) / study.name for p in ("tables", "figures"))
    table = results.saved_table(study, "table1_grid")
    title = f"Table 1, {study.title}" if study.title else "Table 1"
    sys.stdout.write(f"\n{title} (best-validation checkpoint of each training):\n\n")
    sys.stdout.write(table.to_string(index=False, formatters={"learning_rate": "{:g}".format}) + "\n\n")
    sys.stdout.write(f"tables:    {tables}/\nfigures:   {figures}/\ncards:     cards/{study.name}/\n")
    sys.stdout.write(f"notebooks: {relative(study.runs(''))}/\n")
