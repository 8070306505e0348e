"""The whole study at a tiny size, as a user runs it: Snakemake, papermill, files on disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import sittings
import yaml

from lib.base.paths import CONFIG, NOTEBOOKS, ROOT, models_dir
from lib.base.problems import InputProblem
from lib.measures.evaluation import accuracy
from lib.run import repair
from lib.study import load, results
from lib.study.choices import REHEARSAL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
TINY = load("tiny")
RUNS = [cell.run for cell in TINY.grid]
TRAININGS = [cell.run for cell in TINY.trainings]
GRID = "papermill_runs/tiny/05_training_grid/default/metrics.json"


def snakemake(workspace: Path, *arguments: str, study: str = "tiny") -> list[str]:
    profile = ["--profile", str(ROOT / "workflow/profiles/default"), "--snakefile", str(ROOT / "workflow/Snakefile")]
    command = [sys.executable, "-m", "snakemake", *profile, "--directory", str(workspace)]
    return [*command, *arguments, "--config", f"study={study}"]


def run(workspace: Path, *arguments: str, study: str = "tiny") -> subprocess.CompletedProcess:
    environment = {**os.environ, "STUDY_WORKSPACE": str(workspace), "STUDY_MODELS": str(models_dir())}
    command = snakemake(workspace, *arguments, study=study)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3000, check=False)


def jobs(dry: subprocess.CompletedProcess) -> dict[str, int]:
    """Number of jobs by rule, as a dry run lists them."""
    rows = [line.split() for line in (dry.stdout + dry.stderr).splitlines() if line]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def metrics(workspace: Path) -> dict[str, bytes]:
    folder = workspace / "papermill_runs" / "tiny"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/*/metrics.json"))}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    done = run(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return folder


def test_every_run_leaves_what_the_readme_says(workspace):
    for name in TRAININGS:
        folder = workspace / "papermill_runs/tiny/04_training_run" / name
        expected = ["history.csv", "predictions.csv", "transfer_predictions.csv", "model.keras", "log.txt"]
        assert {*expected, "notebook.ipynb", "params.yaml", "metrics.json"} <= {p.name for p in folder.iterdir()}
        notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)
        assert any("injected-parameters" in cell.metadata.get("tags", []) for cell in notebook.cells)


def test_the_tables_hold_what_the_runs_measured(workspace):
    table = pd.read_csv(workspace / "tables/tiny/table1_grid.csv")
    assert len(table) == len(RUNS)
    for row, name in zip(table.itertuples(), RUNS, strict=True):
        folder = workspace / "papermill_runs/tiny/04_training_run" / name
        test = pd.read_csv(folder / "predictions.csv").query("part == 'test'")
        recomputed = accuracy(test["emotion"], test["predicted"])
        assert json.loads((folder / "metrics.json").read_text())["test_accuracy"] == pytest.approx(recomputed, abs=1e-6)
        assert row.test_accuracy == pytest.approx(recomputed, abs=5e-4)
    matrices = pd.read_csv(workspace / "figures/tiny/fig5_confusion_cremad.csv", index_col="true")
    ours = matrices[matrices["source"].str.startswith("ours")].drop(columns="source")
    assert ours.to_numpy().sum() == len(test)


def test_every_figure_has_its_numbers_and_says_sample(workspace):
    pictures = sorted((workspace / "figures/tiny").glob("*.png"))
    assert {"fig1_emotions", "fig2_masking", "fig4_curves", "fig5_confusion_cremad", "fig6_confusion_ravdess"} <= {
        picture.stem for picture in pictures
    }
    for picture in pictures:
        assert picture.with_suffix(".csv").stat().st_size > 20
        assert picture.with_suffix(".pdf").stat().st_size > 1000


def test_clips_in_are_sequences_or_listed(workspace):
    data = workspace / "data/tiny/cremad"
    clips, faces = (pd.read_csv(data / name, dtype={"clip": str}) for name in ("clips.csv", "faces.csv"))
    used = set(pd.read_csv(data / "sequences.csv", dtype={"clip": str})["clip"])
    short = set(faces.loc[faces["frames"] < 35, "clip"])
    listed = set(faces.loc[faces["problem"].notna(), "clip"])
    assert used | short | listed == set(clips["clip"]) and short
    assert len(clips) == TINY.render["cremad"]["clips"]


def test_a_second_call_finds_nothing_to_do(workspace):
    again = run(workspace)
    assert again.returncode == 0 and "Nothing to be done" in again.stdout + again.stderr


def test_a_copy_with_other_dates_finds_nothing_to_do(workspace):
    copy = workspace.parent / "copied"  # a sibling, as the checkout is named from the workspace
    shutil.copytree(workspace, copy, symlinks=True, copy_function=shutil.copyfile)
    again = run(copy)
    assert again.returncode == 0 and "Nothing to be done" in again.stdout + again.stderr


def make(workspace: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the study as `make` does."""
    environment = {**os.environ, "STUDY_WORKSPACE": str(workspace), "STUDY_MODELS": str(models_dir())}
    command = [sys.executable, "-m", "lib.run.workflow", "--cores", "all", *arguments, "--config", "study=tiny"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3000, check=False)


def contents(workspace: Path) -> dict[str, object]:
    """What a study leaves, by file: bytes, a network's weights; not pictures, logs and executed notebooks."""
    paths = [path for folder in ("data", "papermill_runs", "tables", "figures", "cards")
             for path in sorted((workspace / folder).rglob("*")) if "checkpoints" not in path.parts]  # fmt: skip
    found: dict[str, object] = {}
    for path in paths:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as file:
                found[str(path.relative_to(workspace))] = file.read("model.weights.h5")
        elif path.name == "files.csv":  # remembers the dates of the videos
            continue
        elif path.suffix in (".csv", ".npy", ".npz", ".md") or path.name == "metrics.json":
            found[str(path.relative_to(workspace))] = path.read_bytes()
    return found


def test_what_is_deleted_or_damaged_is_noticed_named_and_made_again_with_equal_bytes(workspace):
    copy = workspace.parent / "damaged"
    shutil.copytree(workspace, copy, symlinks=True)
    run, *others = (f"papermill_runs/tiny/04_training_run/{name}" for name in RUNS)
    faces = sorted(path.relative_to(copy).as_posix() for path in (copy / "data/tiny/cremad/faces").glob("*.npz"))
    flipped = ["data/tiny/cremad/clips.csv", faces[0], "data/tiny/ravdess/sequences.npy", "tables/tiny/table1_grid.csv"]
    flipped += [f"{run}/predictions.csv", f"{run}/model.keras", "figures/tiny/eq1_padding.csv"]
    deleted = [faces[1], "data/tiny/ravdess/sequences.csv", f"{run}/history.csv", f"{others[0]}/metrics.json"]
    deleted += [f"{others[0]}/transfer_predictions.csv", "cards/tiny/data_sheet.md", "figures/tiny/fig4_curves.csv"]
    for name in flipped:
        content = bytearray((copy / name).read_bytes())
        content[len(content) // 2] ^= 1
        (copy / name).write_bytes(content)
    for name in deleted:
        (copy / name).unlink()
    environment = {**os.environ, "STUDY_WORKSPACE": str(copy)}
    command = [sys.executable, "-m", "lib", "summarise", "--study", "tiny"]
    refused = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1 and "run the study again" in refused.stderr and "Traceback" not in refused.stderr

    repaired = make(copy)
    assert repaired.returncode == 0, repaired.stdout[-3000:] + repaired.stderr[-6000:]
    for name in flipped:
        assert repaired.stderr.count(f"{name}: has changed since its step left it; its step runs again.") == 1
    for name in deleted:
        assert repaired.stderr.count(f"{name}: is gone; its step runs again.") == 1
    assert repaired.stderr.count("its step runs again.") == len(flipped) + len(deleted)
    assert contents(copy) == contents(workspace)
    kept = [name for name in TRAININGS if name not in (RUNS[0], RUNS[1])]
    for name in kept:  # contents are equal, so what depends on them stays
        path = f"papermill_runs/tiny/04_training_run/{name}/notebook.ipynb"
        assert (copy / path).stat().st_mtime_ns == (workspace / path).stat().st_mtime_ns, name
    again = make(copy)
    assert again.returncode == 0 and "Nothing to be done" in again.stdout + again.stderr
    assert "runs again" not in again.stderr


def test_a_result_without_snakemakes_record_of_its_settings_is_made_again(workspace):
    copy = workspace.parent / "forgotten"
    shutil.copytree(workspace, copy, symlinks=True)
    shutil.rmtree(copy / ".snakemake")
    planned = make(copy, "--dry-run")
    assert planned.returncode == 0, planned.stderr[-4000:]
    assert "data/tiny/videos/cremad.rendered: has no record of its settings" in planned.stderr
    for rule in ("render_corpus", "list_clips", "mask_faces", "cut_sequences", "train_cell", "judge_claims"):
        assert rule in planned.stdout + planned.stderr


def test_a_study_goes_on_in_another_sitting_with_the_trainings_that_were_kept(workspace, monkeypatch):
    """What a first sitting has trained is kept; a second one makes the data anew, and trains what is left."""
    first, second, record = (workspace.parent / name for name in ("first_sitting", "second_sitting", "tiny_runs"))
    longer, last = TRAININGS[3], TRAININGS[-1]  # not begun, and ended after its first epoch
    shutil.copytree(workspace, first, symlinks=True, ignore=shutil.ignore_patterns(longer, last))
    trainings = "papermill_runs/tiny/04_training_run"
    checkpoint = f"{trainings}/{last}/checkpoints/epoch-0001.npz"
    (first / checkpoint).parent.mkdir(parents=True)
    shutil.copy(workspace / checkpoint, first / checkpoint)
    monkeypatch.setenv("STUDY_WORKSPACE", str(first))
    for _ in range(2):  # keeping again changes nothing
        sittings.keep(load("tiny"), record)
        assert {path.name for path in record.iterdir() if path.is_dir()} == {*TRAININGS} - {longer, last}
        begun = sittings.checkpoints_of(load("tiny"), record)
        kept = {path.relative_to(begun).as_posix() for path in begun.rglob("*.npz")}
        assert kept == {f"{TRAININGS[2]}/epoch-0001.npz", f"{last}/epoch-0001.npz"}
        shutil.rmtree(first / trainings / last, ignore_errors=True)

    for name in ("data", ".snakemake"):
        shutil.copytree(workspace / name, second / name, symlinks=True)
    monkeypatch.setenv("STUDY_WORKSPACE", str(second))
    tiny = load("tiny")
    for cell in tiny.trainings:
        repair.record(tiny.training(cell) / "metrics.json").unlink()
    sittings.put(tiny, record)
    planned = jobs(make(second, "--dry-run", "--until", "train_cell"))
    assert planned == {"train_cell": 2, "total": 2}
    assert (second / checkpoint).read_bytes() == (workspace / checkpoint).read_bytes()
    assert (second / trainings / TRAININGS[2] / "checkpoints/epoch-0001.npz").exists()
    for cell in (cell for cell in tiny.trainings if cell.run not in (longer, last)):
        left = json.loads((workspace / "papermill_runs/tiny/04_training_run" / cell.run / "metrics.json").read_text())
        assert results.run_metrics(tiny, cell) == left
        assert len(results.predictions(tiny, cell)) == left["sequences"]["test"]

    (second / "data/tiny/ravdess/sequences.checksums.json").write_text("{}")
    for step in (sittings.keep, sittings.put):
        with pytest.raises(InputProblem, match="ravdess/sequences.checksums.json: is not that of the kept trainings"):
            step(tiny, record)

    kept = record / TRAININGS[0] / "metrics.json"
    kept.write_text(kept.read_text().replace("1", "2", 1))
    for step in (sittings.keep, sittings.put):
        with pytest.raises(InputProblem, match="has changed since its step left it; get it back from git"):
            step(tiny, record)


def test_changing_a_cell_runs_that_cell_and_what_depends_on_it(workspace, tmp_path):
    content = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    content["grid"][0]["learning_rate"] = 0.002
    changed = tmp_path / "changed.yaml"
    changed.write_text(yaml.safe_dump(content))
    planned = jobs(run(workspace, "--dry-run", study=str(changed)))
    assert planned["train_cell"] == 1
    assert {"tabulate_grid", "draw_confusion", "transfer_to_ravdess"} <= set(planned)
    assert not {"render_corpus", "list_clips", "mask_faces", "cut_sequences", "audit_corpora"} & set(planned)


def test_another_title_or_name_of_a_corpus_shows_in_every_figure(workspace, tmp_path):
    content = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    changed = tmp_path / "changed.yaml"
    for renamed in (
        {"title": "renamed"},
        {"corpora": content["corpora"] | {"cremad": {**content["corpora"]["cremad"], "name": "renamed"}}},
    ):
        changed.write_text(yaml.safe_dump(content | renamed))
        planned = jobs(run(workspace, "--dry-run", study=str(changed)))
        assert planned["train_cell"] == len(TRAININGS)  # whose notebooks show it; none is trained again
        assert {"audit_corpora", "draw_confusion", "measure_uncertainty", "write_cards"} <= set(planned)
        assert not {"audit_paper", "ask_humans", "render_corpus", "list_clips", "mask_faces"} & set(planned)


def test_what_goes_beyond_the_grid_is_there(workspace):
    for name in ("uncertainty_networks", "baselines", "sensitivity", "verdicts"):
        assert len(pd.read_csv(workspace / f"tables/tiny/{name}.csv")) > 2
    networks = pd.read_csv(workspace / "tables/tiny/uncertainty_networks.csv")
    assert dict(zip(networks["protocol"], networks["seeds"], strict=True)) == TINY.uncertainty.protocols
    card = (workspace / "cards/tiny/model_card.md").read_text()
    trained = metrics(workspace)[f"04_training_run/{RUNS[0]}/metrics.json"]
    assert all(str(actor) in card for actor in json.loads(trained)["actors"]["train"])


def test_one_line_runs_a_cell_of_the_grid_under_another_protocol(workspace, tmp_path):
    content = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    content["assumptions"]["split_protocol"] = "actor"
    (tmp_path / "actor.yaml").write_text(yaml.safe_dump(content))
    folder = tmp_path / "workspace"
    shutil.copytree(workspace / "data", folder / "data")
    done = run(
        folder, f"papermill_runs/tiny/04_training_run/{RUNS[0]}/metrics.json", study=str(tmp_path / "actor.yaml")
    )
    assert done.returncode == 0, done.stderr[-4000:]
    actors = json.loads(metrics(folder)[f"04_training_run/{RUNS[0]}/metrics.json"])["actors"]
    assert not set(actors["train"]) & set(actors["test"]) and not set(actors["train"]) & set(actors["validation"])


def test_the_site_of_the_study_is_built(workspace):
    environment = {**os.environ, "STUDY_WORKSPACE": str(workspace)}
    command = [sys.executable, "-m", "lib.report.site", "--study", "tiny"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Tiny synthetic sample" in (workspace / "site/index.html").read_text(encoding="utf-8")
    asked = {path.stem for path in NOTEBOOKS.glob("*.ipynb")} - {*TINY.not_asked} | {REHEARSAL}  # as committed
    assert {path.stem for path in (workspace / "site/notebooks").glob("[01]*.html")} == asked


def test_a_study_killed_on_the_way_ends_with_the_same_numbers(workspace, tmp_path):
    """Snakemake is killed while cells train, as by `kill -9`; its jobs end by themselves, the second call finishes."""
    folder = tmp_path / "killed"
    shutil.copytree(workspace / "data", folder / "data")
    environment = {**os.environ, "STUDY_WORKSPACE": str(folder), "STUDY_MODELS": str(models_dir())}
    command = [sys.executable, "-m", "lib.run.workflow", "--cores", "all", GRID, "--config", "study=tiny"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    runs = folder / "papermill_runs/tiny/04_training_run"
    deadline = time.monotonic() + 900
    while not list(runs.glob("*/history.csv")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    os.kill(int((folder / ".snakemake/study.lock").read_text()), signal.SIGKILL)
    assert "the same command goes on where it stopped" in process.communicate()[1]
    assert len(list(runs.glob("*"))) > 0 and len(metrics(folder)) < len(metrics(workspace))
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3000)
    assert finished.returncode == 0, finished.stderr[-4000:]
    undisturbed = metrics(workspace)
    assert len(metrics(folder)) > len(RUNS)
    assert {name: undisturbed[name] for name in metrics(folder)} == metrics(folder)


def one_epoch(layers, *rates):
    """Rows of a grid, or the networks that are repeated: one epoch of a network at each of the learning rates."""
    return [{"layers": layers, "learning_rate": rate, "epochs": 1} for rate in rates]


#: What a study's file may say and no study of `config/` says.
UNUSUAL = {
    "a grid of one training at the rate 1, and nothing else": {
        "grid": one_epoch(6, 1),
        "uncertainty": None,
        "sensitivity": None,
    },
    "frames out of order, one seed of one protocol, no change": {
        "assumptions": {
            "batch": 4096,
            "downsampling": "pool",
            "face_interpolation": "cubic",
            "frame_order": "shuffled",
            "leave_out": [],
            "selection": "validation_accuracy",
            "split_protocol": "actor",
            "window_face_share": 1.0,
            "window_minimum_frames": 1,
            "window_rule": "first",
        },
        "grid": one_epoch(5, 0.001),
        "uncertainty": {"cells": one_epoch(5, 0.001), "seeds": [1], "protocols": {"clip": 1}},
        "sensitivity": {"cell": one_epoch(5, 0.001)[0], "transfer_rules": [], "changes": []},
    },
    "nothing is padded, and the parts are too small for all emotions": {
        "assumptions": {
            "batch": 1,
            "kernel": [3, 1, 1],
            "l2": 0,
            "leave_out": ["mixed", "bad", "suspicious"],
            "lstm_dropout_at": "output",
            "lstm_layers": 2,
            "seed": 4294967295,
            "split_sizes": [1, 1, 1],
            "transfer_window_rule": "middle",
            "window_minimum_frames": 75,
            "window_rule": "last",
            "window_trimmed_frames": 400,
        },
        "grid": one_epoch(7, 0.01, 0.001),
        "uncertainty": {
            "cells": one_epoch(7, 0.01),
            "seeds": [4294967295, 5],
            "protocols": {"random": 2, "clip": 2, "actor": 2},
            "controls": {"layers": 7, "take-5": 2, "last": 1},
        },
        "sensitivity": {
            "cell": one_epoch(7, 0.01)[0],
            "transfer_rules": ["windows", "split_at_150"],
            "changes": [{"window_minimum_frames": 1}, {"downsampling": "pool", "lstm_layers": 1}],
        },
    },
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_study_runs_from_its_videos_to_its_cards(name, tmp_path):
    content = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    assumptions = content["assumptions"] | UNUSUAL[name].get("assumptions", {})
    content = {key: value for key, value in (content | UNUSUAL[name]).items() if value is not None}
    (tmp_path / "unusual.yaml").write_text(yaml.safe_dump(content | {"assumptions": assumptions}))
    done = run(tmp_path / "workspace", "--keep-going", study=str(tmp_path / "unusual.yaml"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert (tmp_path / "workspace/cards/tiny/model_card.md").is_file()
