"""Every number that a reader sees is under a check: hundreds are altered, one at a time, and each must be noticed.

Nothing is executed here. The checks are those of `tests/test_notebooks.py`: nbval's own comparison of a cell's output,
and the comparisons of `tests/compared.py`.
"""

import copy
import json
import re
import shutil

import nbformat
import numpy as np
import pytest
from compared import (
    CHECKED,
    PILOT,
    PILOT_SEAL,
    RECORD,
    SEAL,
    altered_runs,
    checked_text,
    committed_tables,
    copy_of_record,
    unequal,
    unshown,
)

from lib.base.checksums import sealed
from lib.base.paths import NOTEBOOKS, PAPER, ROOT
from lib.measures.evaluation import accuracy, uar
from lib.study.weights import ENDING

SERIES = sorted(NOTEBOOKS.glob("*.ipynb"))
NUMBER = re.compile(r"\d+(?:\.\d+)?")
#: Calls that show text; a cell with one of them is checked.
SHOWS = re.compile(r"^\s*(?:print|show|finding|display|announce|Markdown)\(", flags=re.MULTILINE)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def texts(outputs):
    """Each text that a reader sees of a cell's outputs, with where it lies; a picture has its CSV."""
    for place, output in enumerate(outputs):
        if "text" in output:
            yield (place, "text"), output["text"]
        kinds = output.get("data", {})
        if not any(kind.startswith("image/") for kind in kinds):
            for kind, text in kinds.items():
                yield (place, "data", kind), text


def numbers(text, kind=""):
    """Start of each number that a reader sees in `text`: of HTML, what stands between tags."""
    seen = re.sub(r"<style.*?</style>|<[^>]*>", lambda m: " " * len(m[0]), text, flags=re.S) if "html" in kind else text
    return [match.start() for match in NUMBER.finditer(seen)]


def altered(text, start):
    """`text` with one digit changed."""
    return f"{text[:start]}{(int(text[start]) + 1) % 10}{text[start + 1 :]}"


def spread(places, count):
    """`count` of `places`, evenly."""
    return [places[i] for i in np.unique(np.linspace(0, len(places) - 1, count).astype(int))]


@pytest.fixture(scope="module")
def nbval_cells():
    """The cells of all notebooks as nbval collects them for the test suite."""

    class Keep:
        items = ()

        def pytest_collection_finish(self, session):
            self.items = list(session.items)

    keep = Keep()
    options = ["--collect-only", "-q", "-q", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider"]
    assert pytest.main([*options, "-p", "no:xdist", "-o", "addopts=", *map(str, SERIES)], plugins=[keep]) == 0
    for item in keep.items:
        item.format_output_compare = lambda key, left, right: None  # how a difference is printed takes seconds
    return keep.items


def test_nbval_notices_every_altered_number_of_an_output(nbval_cells):
    places = [
        (item, where, start)
        for item in nbval_cells
        for where, text in texts(item.cell.outputs)
        for start in numbers(text, where[-1])
    ]
    assert {item.path for item, _, _ in places} == set(SERIES)
    missed = []
    chosen = spread(places, 600)
    for item, where, start in chosen:
        reference = copy.deepcopy(item.cell.outputs)
        *way, last = where
        holder = reference
        for step in way:
            holder = holder[step]
        holder[last] = altered(holder[last], start)
        if not item.options["check"] or item.compare_outputs(item.cell.outputs, reference):
            missed.append(f"{item.path.name}, {item.name}, {where}, {start}")
    assert len(chosen) > 500 and missed == []
    # and what was not altered is no difference
    assert all(item.compare_outputs(item.cell.outputs, item.cell.outputs) for item in nbval_cells)


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_every_cell_that_shows_text_is_checked(path):
    for cell in code_cells(path):
        shown = "".join(text for _, text in texts(cell.outputs))
        if SHOWS.search(cell.source) or re.search(r"\d", shown):
            assert CHECKED in cell.metadata.get("tags", []), f"{path.name}, cell {cell.id}: {cell.source[:80]}"


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_a_checked_output_is_the_same_in_every_run(path):
    for cell in code_cells(path):
        for _, text in texts(cell.outputs):
            assert not re.search(r"\bat 0x[0-9a-f]+", text), f"{path.name}, cell {cell.id}: {text[:80]}"


def test_what_is_committed_of_the_pilot_is_as_it_was_recorded():
    assert altered_runs(PILOT_SEAL) == []
    tables = {path for kind in ("tables", "figures") for path in (ROOT / kind / "twin-pilot").glob("*.csv")}
    assert set(sealed(PILOT_SEAL)) == tables | {*PILOT.glob("*/*")}, "run `make notebooks`: it records the checksums"


def test_every_altered_number_of_a_recorded_run_is_noticed(tmp_path):
    assert altered_runs() == []
    assert set(sealed(SEAL)) == set(RECORD.glob("*/*")), "run `make notebooks`: it records the checksums"
    seal = copy_of_record(tmp_path)
    assert altered_runs(seal) == []
    files = sorted((tmp_path / RECORD.name).glob("*/*"))
    for path in (path for path in files if path.suffix == ENDING):
        content = path.read_bytes()
        for place in spread(range(len(content)), 3):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert altered_runs(seal) == [f"{path.parent.name}/{path.name}"]
        path.write_bytes(content)
    for path in (path for path in files if path.suffix != ENDING):
        text = path.read_text(encoding="utf-8")
        for start in spread(numbers(text), 3):
            path.write_text(altered(text, start), encoding="utf-8")
            assert altered_runs(seal) == [f"{path.parent.name}/{path.name}"]
        path.write_text(text, encoding="utf-8")
    assert len(files) > 40


@pytest.mark.parametrize("run", [*sorted(RECORD.iterdir()), *sorted(PILOT.iterdir())], ids=lambda run: run.name)
def test_the_measures_of_a_recorded_run_follow_from_its_predictions_and_its_history(run):
    """A record whose checksums were made after an alteration is noticed where the numbers do not fit each other."""
    import pandas as pd

    measured = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    predicted = pd.read_csv(run / "predictions.csv")
    transferred, history = (pd.read_csv(run / name) for name in ("transfer_predictions.csv", "history.csv"))
    for part, table in [*predicted.groupby("part"), ("transfer", transferred)]:
        assert measured[f"{part}_accuracy"] == round(accuracy(table["emotion"], table["predicted"]), 6), part
        assert measured["sequences"][part] == len(table)
        if part != "transfer":
            assert measured["actors"][part] == sorted(table["actor"].unique())
    test = predicted[predicted["part"] == "test"]
    assert measured["test_uar"] == round(uar(test["emotion"], test["predicted"]), 6)
    best = history.loc[history["validation_accuracy"].idxmax()]
    assert measured["best_epoch"] == best["epoch"]
    assert measured["validation_accuracy"] == pytest.approx(best["validation_accuracy"], abs=1e-6)


def test_every_altered_number_of_a_table_is_noticed(tmp_path):
    written, kept = tmp_path / "written", tmp_path / "kept"
    for name in committed_tables():
        for folder in (written, kept):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    assert unequal([written], kept) == []
    count = 0
    for name in committed_tables():
        text = (ROOT / name).read_text(encoding="utf-8")
        for start in spread(numbers(text), 3) if numbers(text) else []:
            (kept / name).write_text(altered(text, start), encoding="utf-8")
            assert name in unequal([written], kept)
            count += 1
        (kept / name).write_text(text, encoding="utf-8")
    assert count > 120
    (written / "tables/sample/table1_grid.csv").unlink()
    assert unequal([written], kept) == ["tables/sample/table1_grid.csv"]


def test_every_altered_number_of_the_papers_data_is_noticed(tmp_path):
    text = checked_text("08_paper_audit")
    assert unshown(text) == []
    folder = tmp_path / "paper"
    folder.mkdir()
    for path in PAPER.glob("*.csv"):
        shutil.copy(path, folder)
    count = 0
    for path in sorted(folder.glob("*.csv")):
        content = path.read_text(encoding="utf-8")
        for start in spread(numbers(content), 20):
            path.write_text(altered(content, start), encoding="utf-8")
            assert unshown(text, folder) == [path.name]
            count += 1
        path.write_text(content, encoding="utf-8")
    assert count > 80
