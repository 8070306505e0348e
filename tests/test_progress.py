"""How much of a study is done, from the files that are there, and how long the rest takes."""

import logging
import time

import pytest

from lib.run import progress
from lib.study import load


@pytest.fixture
def twin(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    return load("twin")


def train(study, cell, epochs=None):
    """Leave what a training leaves: its metrics, or the checkpoint of its last whole epoch."""
    folder = study.training(cell)
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    if epochs is None:
        (folder / "metrics.json").write_text("{}")
    else:
        (folder / "checkpoints" / f"epoch-{epochs:04d}.npz").write_bytes(b"")


def test_a_study_grows_to_its_whole_with_what_is_there(twin):
    done, total = progress.work(twin)
    assert done == 0 and 15 * 3600 < total < 30 * 3600  # a night on two cores
    cell = twin.grid[0]
    train(twin, cell, 25)
    half = progress.work(twin)[0]
    train(twin, cell)
    assert 0 < half < progress.work(twin)[0] < 2.2 * half
    for cell in twin.trainings:
        train(twin, cell)
    assert 0.8 < progress.work(twin)[0] / total < 0.95, "videos and faces are not there"
    for corpus in twin.corpora:
        folder = twin.faces(corpus) / "faces"
        folder.mkdir(parents=True)
        for actor in range(91):
            (folder / f"{actor}.npz").write_bytes(b"")
    assert 0.95 < progress.work(twin)[0] / total < 1


def test_the_masking_of_a_study_of_two_actors_ends_with_these(twin):
    study = load("paper-try")
    for corpus in study.corpora:
        folder = study.faces(corpus) / "faces"
        folder.mkdir(parents=True)
        for actor in (1, 2):
            (folder / f"{actor}.npz").write_bytes(b"")
    for cell in study.trainings:
        train(study, cell)
    done, total = progress.work(study)
    assert done == pytest.approx(total)


def test_the_rest_takes_as_long_as_what_was_done_since_the_start(twin):
    assert progress.line(twin, 0, 100) == "twin: 0 % done"
    before = 0.0
    for cell in twin.trainings[:8]:
        train(twin, cell)
    done, total = progress.work(twin)
    left = (total - done) / 2 / 3600  # two cores
    assert progress.line(twin, before, done / 2) == f"twin: {100 * done / total:.0f} % done, about {left:.1f} h left"
    train(twin, twin.trainings[8])
    more = progress.work(twin)[0]
    assert f"about {(total - more) / 3600:.1f} h left" in progress.line(twin, done, more - done), "a resumed run"


def test_it_is_logged_while_a_run_lasts_and_never_ends_one(twin, caplog, monkeypatch):
    caplog.set_level(logging.WARNING)
    with progress.logged(twin, interval=0.05):
        for _ in range(300):
            if caplog.text:
                break
            time.sleep(0.1)
    assert "twin: 0 % done" in caplog.text

    def unreadable(study):
        raise OSError("the disk is gone")

    monkeypatch.setattr(progress, "work", unreadable)
    with progress.logged(twin, interval=0.01):
        time.sleep(0.1)
