"""What a step left is verified by its readers, and what is not as it was left runs again; no study is run here."""

import json

import numpy as np
import pytest

from lib.base.checksums import damaged, refuse_damaged, seal, seal_of, sealed, verified
from lib.base.problems import InputProblem
from lib.run import repair, runner
from lib.sequences import actor_file, cutting
from lib.study import load, results
from lib.study.metrics import read_metrics, write_metrics
from lib.study.steps import stages, verify_results

LEFT = ("history.csv", "predictions.csv", "transfer_predictions.csv", "model.keras", "notebook.ipynb")


def flip(path, at=-2):
    """Change one byte, and neither the size nor the date."""
    content, status = bytearray(path.read_bytes()), path.stat()
    content[at] ^= 1
    path.write_bytes(content)
    assert path.stat().st_size == status.st_size


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A finished tiny study with a line of text in every file, checksums, and Snakemake's records."""
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    study = load("tiny")
    marks = [mark for stage in stages(study) for mark in stage]
    marks += [study.runs(name) / "default/metrics.json" for name in ("05_training_grid", "12_verdicts")]
    for mark in marks:
        others = {"metrics.json": LEFT, "faces.csv": ("faces/1001.npz",), "sequences.csv": ("sequences.npy",)}
        files = [mark, *(mark.parent / name for name in others.get(mark.name, ()))]
        if "05_training_grid" in mark.parts:
            files.append(tmp_path / "tables/tiny/table1_grid.csv")
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text('{"numerics": "portable"}\n' if file.suffix == ".json" else f"{file.name}\n1\n")
        seal(seal_of(mark), files)
    for corpus in study.corpora:
        marks.append(tmp_path / f"data/tiny/videos/{corpus}.rendered")
        marks[-1].parent.mkdir(parents=True, exist_ok=True)
        marks[-1].touch()
    for mark in marks:
        repair.record(mark).parent.mkdir(parents=True, exist_ok=True)
        repair.record(mark).write_text("{}")
    return study


def test_a_finished_study_has_nothing_to_repeat(tiny):
    assert repair.to_repeat(tiny) == ([], [], [])


def test_a_notebook_about_the_paper_that_was_only_opened_is_no_step(tiny):
    stray = tiny.runs("08_paper_audit") / "default" / "metrics.json"
    stray.parent.mkdir(parents=True)
    stray.write_text("{}")
    assert repair.to_repeat(tiny) == ([], [], [])
    verify_results(tiny)


@pytest.mark.parametrize("harm", ["flip", "shorten", "delete"])
def test_each_file_of_each_step_is_noticed_and_named_in_one_sentence(tiny, tmp_path, harm):
    files = [path for path in tmp_path.rglob("*") if path.is_file() and ".snakemake" not in path.parts]
    files = [path for path in files if path.suffix != ".rendered" and "checksums" not in path.name]
    assert len(files) > 50
    for path in files:
        before = path.read_bytes()
        if harm == "delete":
            path.unlink()
        else:
            flip(path) if harm == "flip" else path.write_bytes(before[:-1])
        repeated, (sentence,), broken = repair.to_repeat(tiny)
        assert len(repeated) == 1 and len(repeated[0]) == 1 and (repeated[0][0].parent in [path.parent, *path.parents]
                or path.parent.name == "tiny")  # fmt: skip
        what = "is gone" if harm == "delete" else "has changed since its step left it"
        assert sentence.endswith(f"{path.relative_to(tmp_path)}: {what}; its step runs again.")
        assert broken == ([] if harm == "delete" else [path])
        path.write_bytes(before)
    assert repair.to_repeat(tiny) == ([], [], [])


def test_a_whole_step_that_is_deleted_runs_again_in_a_finished_study_only(tiny):
    run = tiny.training(tiny.grid[1])
    for path in run.iterdir():
        path.unlink()
    assert repair.to_repeat(tiny)[0] == [[run / "metrics.json"]]
    (tiny.runs("12_verdicts") / "default/metrics.json").unlink()
    seal_of(tiny.runs("12_verdicts") / "default/metrics.json").unlink()
    assert repair.to_repeat(tiny)[0] == []


def test_a_training_that_was_never_made_is_not_said_to_be_gone(tiny):
    mark = tiny.training(tiny.grid[1]) / "metrics.json"
    for path in (*mark.parent.iterdir(), repair.record(mark)):
        path.unlink()
    assert repair.to_repeat(tiny) == ([], [], []), "a new cell of the grid: Snakemake trains it"


def test_without_snakemakes_records_every_step_runs_again(tiny, tmp_path):
    for path in (tmp_path / ".snakemake/metadata").rglob("*"):
        path.unlink(missing_ok=True)
    repeated, (sentence,), broken = repair.to_repeat(tiny)
    assert [len(stage) for stage in repeated] == [2] + [len(stage) for stage in stages(tiny)]
    assert "no record of its settings" in sentence and f"{sum(map(len, repeated)) - 1} more" in sentence
    assert broken == []


def test_steps_without_checksums_run_again(tiny, tmp_path):
    for path in tmp_path.rglob("*checksums.json"):
        path.unlink()
    repeated, (sentence,), broken = repair.to_repeat(tiny)
    assert repeated == stages(tiny) and "no checksums next to it" in sentence and broken == []


def test_committed_cards_of_a_clone_are_no_reason_to_run_anything(tiny, tmp_path):
    card = tmp_path / "cards/tiny/model_card.md"
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        if path != card:
            path.unlink() if path.is_file() else path.rmdir() if not card.is_relative_to(path) else None
    assert repair.to_repeat(tiny) == ([], [], [])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": "0"}', "null", "\x00"])
def test_damaged_checksums_are_a_sentence_and_their_step_runs_again(tiny, text):
    mark = tiny.training(tiny.grid[0]) / "metrics.json"
    seal_of(mark).write_text(text)
    with pytest.raises(InputProblem, match="is damaged"):
        sealed(seal_of(mark))
    repeated, (sentence,), broken = repair.to_repeat(tiny)
    assert repeated == [[mark]] and "checksums.json: is damaged" in sentence and broken == [seal_of(mark)]


@pytest.mark.parametrize("name", ["metrics.json", *LEFT])
def test_readers_refuse_a_run_of_which_one_file_has_changed(tiny, name):
    cell = tiny.grid[0]
    assert read_metrics(tiny.training(cell))
    flip(tiny.training(cell) / name)
    for read in (lambda: read_metrics(tiny.training(cell)), lambda: results.predictions(tiny, cell),
                 lambda: results.history(tiny, cell), lambda: results.measures(tiny, [cell])):  # fmt: skip
        with pytest.raises(InputProblem, match=f"{name}: has changed since its step left it; run the study again"):
            read()
    with pytest.raises(InputProblem, match=name):
        verify_results(tiny)


def test_readers_refuse_changed_tables_of_clips_faces_and_sequences(tiny):
    data = tiny.data("cremad")
    for name in ("clips.csv", "faces.csv", "sequences.csv"):
        cutting.read_table(data / name)
        flip(data / name)
        with pytest.raises(InputProblem, match=f"{name}: has changed since"):
            cutting.read_table(data / name)
    flip(data / "faces/1001.npz")
    with pytest.raises(InputProblem, match=r"1001\.npz: has changed since"):
        actor_file.read(data / "faces/1001.npz", "faces")


def test_a_changed_face_in_the_array_is_refused(tmp_path):
    np.save(tmp_path / "sequences.npy", np.zeros((2, 3, 4, 4, 3), np.uint8))
    (tmp_path / "sequences.csv").write_text("sequence,clip\n0,a\n1,b\n")
    seal(tmp_path / "sequences.checksums.json", [tmp_path / "sequences.npy", tmp_path / "sequences.csv"])
    assert len(cutting.load(tmp_path)[1]) == 2
    flip(tmp_path / "sequences.npy")
    with pytest.raises(InputProblem, match=r"sequences\.npy: has changed since"):
        cutting.load(tmp_path)


def test_what_no_step_sealed_is_read_as_it_is(tmp_path):
    (tmp_path / "a.csv").write_text("a\n")
    assert verified(tmp_path / "a.csv") == tmp_path / "a.csv"
    assert verified(tmp_path / "missing.csv") == tmp_path / "missing.csv"
    refuse_damaged(tmp_path / "checksums.json")
    seal(tmp_path / "checksums.json", [])
    with pytest.raises(InputProblem, match="is not of the step next to it"):
        verified(tmp_path / "a.csv")


def test_checksums_name_files_elsewhere_and_a_lacking_one_is_refused(tmp_path):
    for name in ("runs/x/metrics.json", "tables/t.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1\n")
    mark = tmp_path / "runs/x/metrics.json"
    seal(seal_of(mark), [mark, tmp_path / "tables/t.csv"])
    assert set(json.loads(seal_of(mark).read_text())) == {"metrics.json", "../../tables/t.csv"}
    assert list(damaged(seal_of(mark))) == []
    with pytest.raises(InputProblem, match=r"u\.csv: was not left by its step"):
        seal(seal_of(mark), [mark, tmp_path / "tables/u.csv"])


def test_a_notebook_executed_by_hand_over_a_finished_run_is_read_again(tiny):
    run = tiny.training(tiny.grid[0])
    (run / "predictions.csv").write_text("sequence\n2\n")
    write_metrics(run, numerics="portable", accuracy=0.5)
    assert read_metrics(run)["accuracy"] == 0.5 and repair.to_repeat(tiny)[0] == []


def test_a_run_that_leaves_less_than_it_should_is_refused(tmp_path, monkeypatch):
    def execute(notebook, output, parameters, log_file):
        output.write_text("{}")
        (tmp_path / "run/metrics.json").write_text("{}\n")

    monkeypatch.setattr(runner, "_execute", execute)
    monkeypatch.setattr(runner, "check_parameters", lambda *_: None)
    table = tmp_path / "table.csv"
    with pytest.raises(InputProblem, match=r"table\.csv: was not left by its step"):
        runner.run(tmp_path / "n.ipynb", tmp_path / "run", {}, [table])
    table.write_text("a\n")
    runner.run(tmp_path / "n.ipynb", tmp_path / "run", {}, [table])
    assert {path.name for path in sealed(tmp_path / "run/checksums.json")} == {
        "metrics.json", "notebook.ipynb", "params.yaml", "table.csv"
    }  # fmt: skip
