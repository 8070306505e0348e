"""The facts in the cards of `lib.report.cards`, read from the files that a study's runs wrote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from lib.base.emotions import EMOTIONS
from lib.base.paths import workspace
from lib.base.problems import InputProblem
from lib.corpora.cremad import UNKNOWN, in_order
from lib.sequences.cutting import read_table
from lib.sequences.splits import PARTS
from lib.study import Study, publication, results
from lib.study.cells import spelled
from lib.study.metrics import read_metrics

#: Accuracies that the metrics of a training state.
MEASURED = ("validation_accuracy", "test_accuracy", "transfer_accuracy")

#: Largest number of clips and files left out that a card lists one by one.
SHOWN = 20

# Columns that the tables of notebooks 06 and 10 must have.
_ACCURACY = ("accuracy", "low", "high")
_OF_PARTS = ("part", "sequences", "actors", *_ACCURACY, "UAR", "UAR low", "UAR high", "ECE")
_OF_GROUPS = ("group", "value", *_ACCURACY)

_LEVELS = {"XX": "XX (not specified)", "LO": "LO (low)", "MD": "MD (medium)", "HI": "HI (high)"}


def percent(value: float) -> str:
    """A fraction as text, in percent."""
    return "not defined" if pd.isna(value) else f"{100 * value:.1f} %"


def limits(low: float | None, high: float | None) -> str:
    """A 95 % interval of fractions as text, in percent."""
    return "none" if low is None or high is None or pd.isna(low) else f"{100 * low:.1f} to {100 * high:.1f}"


def _table(path: Path, *columns: str) -> pd.DataFrame:
    """A CSV that a step of the workflow wrote."""
    try:
        table = read_table(path)
    except FileNotFoundError:
        raise InputProblem(path, "is not there: this step is not done", "run `make reproduce` first") from None
    except (OSError, ValueError) as error:
        raise InputProblem(path, f"cannot be read ({error})", "delete it and run the study again") from None
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputProblem(path, f"has no column {missing[0]}", "delete it and run the study again")
    return table


def _metrics(study: Study, notebook: str, *keys: str) -> dict[str, Any]:
    folder = study.runs(notebook) / "default"
    return _having(read_metrics(folder), folder, *keys)


def _having(metrics: dict[str, Any], folder: Path, *keys: str) -> dict[str, Any]:
    missing = [key for key in keys if key not in metrics]
    if missing:
        problem = f"does not state {missing[0]}"
        raise InputProblem(folder / "metrics.json", problem, "delete it and run the study again")
    return metrics


def _where_done(study: Study, notebook: str) -> dict[str, Any] | None:
    """Metrics of `notebook`, or None if it was not run; the card then states that."""
    folder = study.runs(notebook) / "default"
    return read_metrics(folder) if (folder / "metrics.json").exists() else None


def _ages(ages: pd.Series) -> str:
    known = pd.to_numeric(ages, errors="coerce").dropna()
    if known.empty:
        return UNKNOWN
    text = f"{known.min():.0f} to {known.max():.0f}, median {known.median():.0f}"
    return text if len(known) == len(ages) else f"{text}; {len(ages) - len(known)} {UNKNOWN}"


def _people(clips: pd.DataFrame, actors: Iterable[int]) -> dict[str, Any]:
    """How many `actors` there are, of which sex and age."""
    people = clips.drop_duplicates("actor").set_index("actor").reindex(list(actors))
    sex = people["sex"].astype(object).fillna(UNKNOWN)
    counts = {name: int((sex == name).sum()) for name in ("female", "male", UNKNOWN)}
    return {
        "actors": len(people),
        "female": counts["female"],
        "male": counts["male"],
        "sex unknown": counts[UNKNOWN],
        "age": _ages(people["age"]),
    }


def _parts(table: pd.DataFrame, path: Path, run: dict[str, Any]) -> pd.DataFrame:
    """Notebook 06's table of the parts as the card shows it; InputProblem if the metrics `run` state other numbers."""
    for row in table.itertuples():
        stated = run[f"{row.part}_accuracy"]
        if abs(row.accuracy - stated) > 1e-5:
            problem = f"states an accuracy of {row.accuracy:.4f} ({row.part}), but the run's metrics.json {stated:.4f}"
            raise InputProblem(path, problem, "run notebook 06 again, or delete the run and train again")
    return pd.DataFrame(
        {
            "part": table["part"],
            "sequences": table["sequences"],
            "actors": table["actors"],
            "accuracy": table["accuracy"].map(percent),
            "95 % interval": _intervals(table, "low", "high"),
            "UAR": table["UAR"].map(percent),
            "UAR's interval": _intervals(table, "UAR low", "UAR high"),
            "ECE": table["ECE"].map("{:.3f}".format),
        }
    )


def _intervals(table: pd.DataFrame, low: str, high: str) -> list[str]:
    return [limits(*pair) for pair in zip(table[low], table[high], strict=True)]


def _groups(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For each grouping in `table`, the accuracies of its groups, as the card shows them; of emotions, the recall."""
    shown = {}
    for name, rows in table.groupby("group", sort=False):
        shown[str(name)] = pd.DataFrame(
            {
                str(name): rows["value"].astype(str).replace(_LEVELS),
                "sequences": rows["sequences"],
                "recall" if name == "emotion" else "accuracy": rows["accuracy"].map(percent),
                "95 % interval": _intervals(rows, "low", "high"),
                **({"precision": rows["precision"].map(percent)} if name == "emotion" else {}),
            }
        )
    return shown


def _people_read(study: Study) -> dict[str, pd.DataFrame]:
    """Notebook 10's accuracies by age and race under the study's own split, as far as the corpus states them."""
    path = workspace() / f"tables/{study.name}/by_group.csv"
    table = _table(path, "protocol", *_OF_GROUPS, "tests")
    of_people = (table["protocol"] == study.settings["split_protocol"]) & table["group"].isin(["age", "race"])
    return _groups(table[of_people].rename(columns={"tests": "sequences"}))


def _differing(study: Study) -> pd.DataFrame:
    """The assumptions that differ from ``paper/assumptions.yaml``, and the face backend if it is not OpenFace."""
    stated = publication.assumptions()
    names = [name for name in stated if study.settings[name] != stated[name].value]
    if study.settings["face_backend"] != "openface":  # the paper's, which not every machine has
        names.append("face_backend")
    rows = [
        {
            "setting": f"`{name}`",
            "in the paper": "stated" if stated[name].stated else "open",
            "this study": spelled(study.settings[name]),
            "for the paper": "openface" if name == "face_backend" else spelled(stated[name].value),
            "reason": stated[name].reason,
        }
        for name in dict.fromkeys(names)
    ]
    return pd.DataFrame(rows)


def model_facts(study: Study) -> dict[str, Any]:
    """What the model card says of the study's best network.

    Raises
    ------
    lib.base.problems.InputProblem
        If a run that it needs is missing, damaged or does not belong to its predictions.
    """
    grid = _metrics(study, "05_training_grid", "best_run", "best_by_validation")
    confusion = _metrics(study, "06_confusion_matrices", "hardest", "calibration")
    transfer = _metrics(study, "07_ravdess_transfer", "by_layers")
    cells = {cell.run: cell for cell in study.grid}
    if grid["best_run"] not in cells:
        at_fault = study.runs("05_training_grid") / "default" / "metrics.json"
        raise InputProblem(at_fault, f"names {grid['best_run']}, no cell of the grid", "run `make reproduce` first")
    cell = cells[grid["best_run"]]
    folder = study.training(cell)
    run = _having(results.run_metrics(study, cell), folder, "actors", "sequences", *MEASURED)
    clips = _table(study.data(study.training_corpus) / "clips.csv", "clip", "actor", "sex", "age", "race")
    tables = workspace() / "tables" / study.name
    parts = _table(tables / "best_network.csv", *_OF_PARTS)
    groups = _table(tables / "best_network_groups.csv", "part", *_OF_GROUPS, "sequences", "precision")
    uncertainty = _where_done(study, "10_uncertainty")
    people = [
        {"part": part, **_people(clips, run["actors"][part]), "sequences": run["sequences"][part]} for part in PARTS
    ]
    return {
        "cell": cell,
        "run": run,
        "cells": len(study.grid),
        "by_validation": cells.get(grid["best_by_validation"]),
        "hardest": confusion["hardest"],
        "by_layers": transfer["by_layers"],
        "measured": _parts(parts, tables / "best_network.csv", run),
        "groups": _groups(groups[groups["part"] == "test"]),
        "transferred": _groups(groups[groups["part"] == "transfer"]),
        "people_read": _people_read(study) if uncertainty else {},
        "people": pd.DataFrame(people),
        "calibrated": confusion["calibration"],
        "known": len(set(run["actors"]["train"]) & set(run["actors"]["test"])),
        "differing": _differing(study),
        "uncertainty": uncertainty,
        "sensitivity": _where_done(study, "11_sensitivity"),
    }


def corpus_facts(study: Study, corpus: str) -> dict[str, Any]:
    """What the data sheet says of `corpus`: who and what is in it, and what became of every clip.

    Raises
    ------
    lib.base.problems.InputProblem
        If a table that a step of the workflow writes is missing or damaged.
    """
    data = study.data(corpus)
    clips = _table(data / "clips.csv", "clip", "actor", "emotion", "level", "sentence", "sex", "age", "race")
    problems = _table(data / "problems_clips.csv", "file", "problem")
    faces = _table(study.faces(corpus) / "faces.csv", "clip", "frames", "frames_with_face")
    cut = _table(study.sequences(corpus) / "sequences.csv", "clip", "frames", "padded")
    lost = clips[~clips["clip"].isin(cut["clip"])].merge(faces, on="clip", how="left")
    short = lost["frames"].lt(study.settings["window_minimum_frames"])
    why = short.map(
        {True: f"fewer than {study.settings['window_minimum_frames']} frames", False: "too few faces found"}
    )
    why = why.where(lost["frames_with_face"].gt(0), "no face found")
    dropped = pd.DataFrame({"clip": lost["clip"], "frames": lost["frames"].fillna(0).astype(int), "reason": why})
    listed = pd.DataFrame({"file": problems["file"].map(lambda name: Path(name).name), "reason": problems["problem"]})
    people = clips.drop_duplicates("actor")
    races = people["race"].astype(object).fillna(UNKNOWN).value_counts().rename_axis("race").reset_index(name="actors")
    levels = pd.crosstab(in_order(clips["level"]), clips["emotion"]).reindex(columns=EMOTIONS, fill_value=0)
    with_finding = clips[clips["finding"] != ""] if "finding" in clips else clips[:0]
    return {
        "name": study.name_of(corpus),
        "clips": len(clips),
        "actors": clips["actor"].nunique(),
        "people": pd.DataFrame([_people(clips, people["actor"])]),
        "races": races if (races["race"] != UNKNOWN).any() else None,
        "sentences": clips["sentence"].nunique(),
        "levels": levels.rename(index=_LEVELS).rename_axis(index="level").reset_index(),
        "findings": with_finding.groupby("finding").size().to_dict(),
        "unused": len(listed),
        "unused_named": listed[:SHOWN],
        "dropped": len(dropped),
        "dropped_by": dropped.groupby("reason").size().to_dict(),
        "dropped_named": dropped[:SHOWN],
        "shown": SHOWN,
        "frames": int(faces["frames"].sum()),
        "frames_with_face": int(faces["frames_with_face"].sum()),
        "sequences": len(cut),
        "used": cut["clip"].nunique(),
        "padded": int((cut["padded"] > 0).sum()),
        "shortest": int(cut["frames"].min()),
    }
