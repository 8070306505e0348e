"""Training: the same bytes each time, also when continued or given a broken checkpoint (killed: test_faults.py)."""

import errno
import fcntl
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from lib.base.paths import CONFIG, ROOT
from lib.base.problems import InputProblem
from lib.study import load, publication
from lib.training import checkpoint, loop
from lib.training.backend import keras
from tests.portable.steps import digest

NUMERICS = os.environ.get("TEST_NUMERICS", "portable")
loop.configure(threads=1, numerics=NUMERICS)

EPOCHS = 5
CPU = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""


@pytest.fixture(scope="module")
def task():
    """A task that a tiny network can learn: the class is the brightness. 22 for training, 8 for validation."""
    rng = np.random.default_rng(5)
    labels = np.arange(30) % 3
    faces = (
        rng.integers(0, 60, (30, 75, 28, 28, 3), dtype=np.uint8)
        + (90 * labels).astype(np.uint8)[:, None, None, None, None]
    )
    settings = {name: assumption.value for name, assumption in publication.assumptions().items()}
    settings |= {"filters": [2, 2, 2], "lstm_units": 6, "dense_units": 5, "batch_norm_momentum": 0.9}
    return {
        "layers": 5,
        "learning_rate": 0.01,
        "batch": 8,
        "seed": 3,
        "sequences": faces,
        "labels": labels,
        "train": np.arange(22),
        "validation": np.arange(22, 30),
        "settings": settings,
        "progress": False,
    }


@pytest.fixture(scope="module")
def undisturbed(task, tmp_path_factory):
    """Folder of a training of `EPOCHS` epochs that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    loop.train(folder, epochs=EPOCHS, **task)
    return folder


def assert_equal(folder, reference):
    """Byte-equal: history, the last checkpoint (weights, best weights, optimizer), the network's weights."""
    for name in ("history.csv", f"checkpoints/epoch-{EPOCHS:04d}.npz"):
        assert (folder / name).read_bytes() == (reference / name).read_bytes(), name
    digests = {digest(*loop.load_model(f / "model.keras").get_weights()) for f in (folder, reference)}
    assert len(digests) == 1


def test_same_bytes_twice(task, undisturbed, tmp_path):
    history = loop.train(tmp_path, epochs=EPOCHS, **task)
    assert_equal(tmp_path, undisturbed)
    pd.testing.assert_frame_equal(history, pd.read_csv(tmp_path / "history.csv"), check_exact=True)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["epoch-0004.npz", "epoch-0005.npz", "lock"]


def test_another_seed_gives_other_numbers(task, undisturbed, tmp_path):
    history = loop.train(tmp_path, epochs=1, **task | {"seed": 4})
    assert history["train_loss"][0] != pd.read_csv(undisturbed / "history.csv")["train_loss"][0]


def test_longer_training_continues_a_shorter_one(task, undisturbed, tmp_path):
    short, long = tmp_path / "short", tmp_path / "long"
    loop.train(short, epochs=2, **task)
    before = (short / "checkpoints" / "epoch-0002.npz").read_bytes()
    (short / "checkpoints" / "epoch-0001.npz").unlink()
    loop.train(long, epochs=EPOCHS, continue_from=short, **task)
    assert_equal(long, undisturbed)
    assert (short / "checkpoints" / "epoch-0002.npz").read_bytes() == before


def test_another_training_is_not_continued(task, tmp_path, caplog):
    loop.train(tmp_path, epochs=3, **task)
    fresh = loop.train(tmp_path / "fresh", epochs=1, **task | {"learning_rate": 0.02})
    again = loop.train(tmp_path, epochs=1, **task | {"learning_rate": 0.02})
    pd.testing.assert_frame_equal(fresh, again, check_exact=True)
    assert "other parameters, data or code" in caplog.text
    left = sorted(path.name for path in (tmp_path / "checkpoints").glob("*.npz"))
    assert left == ["epoch-0001.npz"], "those of the other training must not push it out"


@pytest.mark.parametrize("changed", [(loop, "code_digest", lambda *_: "of other code"), (np, "__version__", "9.9.9")])
def test_a_training_by_other_code_or_another_numpy_is_not_continued(task, tmp_path, monkeypatch, caplog, changed):
    """Else the finished state of the old code would be the result of the new one."""
    loop.train(tmp_path, epochs=1, **task)
    monkeypatch.setattr(*changed)
    loop.train(tmp_path, epochs=1, **task)
    assert "other parameters, data or code" in caplog.text


def test_fingerprint_tells_parameters_and_data_apart(task):
    def fingerprint(parameters=None, **changes):
        names = ("sequences", "labels", "train", "validation")
        return loop._fingerprint(parameters or {"seed": 1}, *((task | changes)[name] for name in names))

    sequences = task["sequences"].copy()
    sequences[29, 74, 27, 27, 2] ^= 1
    others = [
        fingerprint({"seed": 2}),
        fingerprint(sequences=sequences),
        fingerprint(labels=(task["labels"] + 1) % 3),
        fingerprint(train=task["train"][::-1]),
        fingerprint(train=np.arange(21), validation=np.arange(21, 30)),
    ]
    assert len({fingerprint(), *others}) == 6
    assert fingerprint() == fingerprint()


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def without_member(path):
    with zipfile.ZipFile(path) as file:
        kept = {name: file.read(name) for name in file.namelist() if not name.startswith("optimizer-000")}
    with zipfile.ZipFile(path, "w") as file:
        for name, content in kept.items():
            file.writestr(name, content)


def empty(path):
    path.write_bytes(b"")


def state(epochs):
    arrays = [np.full((40, 50), epochs, np.float32), np.ones(3, np.float32)]
    return checkpoint.State("abc", np.full((epochs, 4), 0.5), arrays, arrays, [np.int64(epochs), *arrays])


@pytest.mark.parametrize("harm", [truncate, flip, without_member, empty])
def test_broken_checkpoint_gives_way_to_the_one_before(tmp_path, caplog, harm):
    for epochs in (1, 2, 3):
        checkpoint.save(state(epochs), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-0002.npz", "epoch-0003.npz"]
    assert checkpoint.newest(tmp_path, state(0), epochs=9).epoch == 3
    assert checkpoint.newest(tmp_path, state(0), epochs=2).epoch == 2
    harm(tmp_path / "epoch-0003.npz")
    found = checkpoint.newest(tmp_path, state(0), epochs=9)
    assert found.epoch == 2
    assert all(np.array_equal(a, b) for a, b in zip(found.optimizer, state(2).optimizer, strict=True))
    assert "epoch-0003.npz cannot be read" in caplog.text
    harm(tmp_path / "epoch-0002.npz")
    assert checkpoint.newest(tmp_path, state(0), epochs=9) is None


def test_training_goes_on_after_a_broken_checkpoint(task, undisturbed, tmp_path):
    loop.train(tmp_path, epochs=3, **task)
    truncate(tmp_path / "checkpoints" / "epoch-0003.npz")
    loop.train(tmp_path, epochs=EPOCHS, **task)
    assert_equal(tmp_path, undisturbed)


def test_two_processes_do_not_train_in_one_folder(task, tmp_path):
    with (
        checkpoint.locked_folder(tmp_path / "checkpoints"),
        pytest.raises(InputProblem, match="another process is training here"),
    ):
        loop.train(tmp_path, epochs=1, **task)


def test_a_training_goes_on_where_the_disk_has_no_locks(task, tmp_path, monkeypatch):
    """Some shared disks of clusters have none."""

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert len(loop.train(tmp_path, epochs=1, **task)) == 1


def test_network_learns(task, tmp_path):
    steady = task["settings"] | {"spatial_dropout": 0.0, "lstm_dropout": 0.0}  # two filters learn little with dropout
    history = loop.train(tmp_path, epochs=30, **task | {"seed": 2, "settings": steady})
    assert history["train_loss"].iloc[-1] < 0.6 * history["train_loss"].iloc[0]
    model = loop.load_model(tmp_path / "model.keras")
    measured = loop.evaluate(model, task["sequences"], task["labels"], task["validation"], batch=3)
    assert measured["accuracy"] == history["validation_accuracy"].max() >= 0.85
    probabilities = loop.predict(model, task["sequences"], task["validation"], batch=5)
    assert probabilities.dtype == np.float32
    assert (probabilities.argmax(axis=1) == task["labels"][task["validation"]]).mean() == measured["accuracy"]


def test_losses_are_what_keras_reports(task, undisturbed):
    model = loop.load_model(undisturbed / "model.keras")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    faces, labels = task["sequences"][task["validation"]], task["labels"][task["validation"]]
    loss, accuracy = model.evaluate(faces, labels, verbose=0)
    history = pd.read_csv(undisturbed / "history.csv")
    best = history.loc[history["validation_accuracy"].idxmax()]
    assert best["validation_loss"] == pytest.approx(loss, rel=1e-5)
    assert best["validation_accuracy"] == pytest.approx(accuracy)


def test_best_is_the_first_epoch_of_the_highest_accuracy():
    def best(loss, accuracy):
        return checkpoint.best_epoch(np.column_stack([loss, accuracy, loss, accuracy]))

    assert best([3, 2, 1, 0.5], [0.2, 0.6, 0.6, 0.4]) == 2
    assert best([np.nan, 2, np.nan], [0.9, 0.1, 0.9]) == 2
    assert best([np.nan, np.nan], [0.1, 0.9]) == 1


def test_loss_that_is_no_number_is_recorded(task, tmp_path, caplog):
    history = loop.train(tmp_path, epochs=2, **task | {"learning_rate": 1e30})
    assert len(history) == 2
    assert history["validation_loss"].isna().all()
    assert "not a number" in caplog.text
    assert (tmp_path / "model.keras").exists()


def test_an_empty_part_is_refused(task, tmp_path):
    with pytest.raises(ValueError, match="0 validation sequences"):
        loop.train(tmp_path, epochs=1, **task | {"validation": []})


def test_broken_model_files_are_named(undisturbed, tmp_path):
    whole = undisturbed / "model.keras"
    path = tmp_path / "model.keras"
    with pytest.raises(InputProblem, match="no such model file"):
        loop.load_model(path)
    for content in (b"", b"PK\x03\x04", whole.read_bytes()[:5000], b"version https://git-lfs.github.com/spec/v1"):
        path.write_bytes(content)
        with pytest.raises(InputProblem, match="cannot be read as a Keras model"):
            loop.load_model(path)
    inputs = keras.Input((3,))
    keras.Model(inputs, keras.layers.Dense(6)(inputs)).save(path)
    with pytest.raises(InputProblem, match="not one from 75 faces"):
        loop.load_model(path)
    keras.Sequential([inputs, keras.layers.Lambda(lambda x: x)]).save(path)
    with pytest.raises(InputProblem, match="cannot be read as a Keras model"):
        loop.load_model(path)


@pytest.mark.parametrize(("precision", "needed"), [("mixed_bfloat16", "avx512bw"), ("mixed_float16", "avx512_fp16")])
def test_mixed_precision_learns_too(task, undisturbed, tmp_path, precision, needed):
    if NUMERICS != "native":
        pytest.skip("16-bit convolutions have no portable kernels; test_mixed_precision_with_native_numerics runs this")
    if needed not in CPU:
        pytest.skip(f"this processor has no convolutions in {precision} ({needed})")
    mixed = task | {"settings": task["settings"] | {"precision": precision}}
    history = loop.train(tmp_path, epochs=EPOCHS, **mixed)
    exact = pd.read_csv(undisturbed / "history.csv")
    assert not history.equals(exact)
    # the same dropout, so the same course but for rounding
    np.testing.assert_allclose(history["train_loss"], exact["train_loss"], rtol=0.1)
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    model = loop.load_model(tmp_path / "model.keras")
    assert loop.predict(model, task["sequences"], task["validation"]).dtype == np.float32


def test_mixed_precision_with_native_numerics():
    """The tests above that need the processor's own kernels, in a process that has them."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "mixed_precision_learns"]
    environment = {**os.environ, "TEST_NUMERICS": "native"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_sixteen_bits_need_native_numerics(tmp_path):
    content = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    content["assumptions"]["precision"] = "mixed_bfloat16"
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputProblem, match="numerics: native"):
        load(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({**content, "numerics": "native"}))
    assert load(tmp_path / "b.yaml").settings["precision"] == "mixed_bfloat16"
