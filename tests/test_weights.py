"""The weights in a network's file: read without TensorFlow, compared, stored without a date."""

import json
import math
import shutil
import time
import zipfile

import numpy as np
import pytest
from compared import PILOT, RECORD, put_pilot
from packed import networks_of_notebooks, pack

from lib.base.problems import InputProblem
from lib.measures.chosen import best_of_grid, split_pair
from lib.measures.evaluation import best_three
from lib.run import verify
from lib.study import load, results, weights
from lib.training import loop


@pytest.fixture(scope="module")
def saved(tmp_path_factory, random_network):
    """A network and its file, as a training leaves it."""
    model = random_network(6, **load("sample").settings)
    path = tmp_path_factory.mktemp("network") / "model.keras"
    model.save(path, include_optimizer=False)
    return model, path


def test_the_weights_are_those_of_keras(saved):
    model, path = saved
    found = weights.read_weights(path.read_bytes())
    assert sorted(array.tobytes() for array in found.values()) == sorted(a.tobytes() for a in model.get_weights())


def test_a_packed_network_is_read_by_keras_and_smaller(saved, tmp_path):
    model, path = saved
    pack(path, tmp_path / "packed.keras")
    read = loop.load_model(tmp_path / "packed.keras")
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), read.get_weights(), strict=True))
    assert (tmp_path / "packed.keras").stat().st_size < 0.8 * path.stat().st_size
    pictures = np.random.default_rng(0).integers(0, 256, (2, 75, 28, 28, 3), dtype=np.uint8)
    assert np.array_equal(loop.predict(model, pictures, [0, 1]), loop.predict(read, pictures, [0, 1]))


def test_the_same_network_made_and_saved_twice_is_packed_to_the_same_bytes(saved, random_network, tmp_path):
    _, path = saved
    time.sleep(1.1)  # the date has seconds
    random_network(6, **load("sample").settings).save(tmp_path / "later.keras", include_optimizer=False)
    written = [json.loads(zipfile.ZipFile(p).read("config.json")) for p in (path, tmp_path / "later.keras")]
    assert written[0] != written[1]  # Keras writes places in memory, which differ
    assert (tmp_path / "later.keras").read_bytes() != path.read_bytes()
    pack(path, tmp_path / "a.keras")
    pack(tmp_path / "later.keras", tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    pack(tmp_path / "a.keras", tmp_path / "c.keras")  # and a packed one stays as it is
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "c.keras").read_bytes()


def test_networks_are_equal_if_their_weights_are(saved, tmp_path):
    model, path = saved
    pack(path, tmp_path / "packed.keras")
    made, wanted = path.read_bytes(), (tmp_path / "packed.keras").read_bytes()
    assert weights.same_weights(made, wanted)
    changed = [array.copy() for array in model.get_weights()]
    changed[0].flat[0] += 0.5
    other = load_copy(model, changed, tmp_path / "other.keras")
    assert not weights.same_weights(other, wanted)
    assert verify.difference("run/model.keras", other, wanted) == pytest.approx(0.5, abs=1e-6)
    assert not weights.same_weights(b"no network", wanted)
    assert verify.difference("run/model.keras", b"no network", wanted) == math.inf


def load_copy(model, changed, path):
    """Bytes of a network like `model` with the weights `changed`."""
    kept = model.get_weights()
    model.set_weights(changed)
    model.save(path, include_optimizer=False)
    model.set_weights(kept)
    return path.read_bytes()


def damaged_copies(path):
    """Broken network files, by what is wrong with them."""
    content = path.read_bytes()
    yield "no archive", b"text"
    yield "empty", b""
    yield "cut short", content[: len(content) // 2]
    middle = len(content) // 2
    yield "one byte changed", content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    for what, replaced in {"other weights": b"weights", "no weights": b"", "half the weights": None}.items():
        copy = path.with_name("copy.zip")
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(copy, "w") as target:
            for name in source.namelist():
                entry = source.read(name)
                if name.endswith(".h5"):
                    entry = entry[: len(entry) // 2] if replaced is None else replaced
                target.writestr(name, entry)
        yield what, copy.read_bytes()
    with zipfile.ZipFile(copy, "w") as target:
        target.writestr("metadata.json", json.dumps({}))
    yield "entries are missing", copy.read_bytes()


def test_a_damaged_network_is_one_sentence(saved, tmp_path):
    count = 0
    for what, content in damaged_copies(saved[1]):
        count += 1
        path = tmp_path / "broken.keras"
        path.write_bytes(content)
        for read in (lambda path=path: weights.read_weights(path.read_bytes(), path),
                     lambda path=path: pack(path, tmp_path / "to.keras")):  # fmt: skip
            with pytest.raises(InputProblem) as problem:
                read()
            assert "\n" not in str(problem.value) and "broken.keras" in str(problem.value), what
        assert not weights.same_weights(content, saved[1].read_bytes())
    assert count == 8 and not (tmp_path / "to.keras").exists()


def test_a_missing_network_is_one_sentence(tmp_path):
    with pytest.raises(InputProblem, match="model.keras"):
        pack(tmp_path / "model.keras", tmp_path / "to.keras")


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """The sample with its recorded trainings."""
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    shutil.copytree(RECORD, tmp_path / "papermill_runs/sample/04_training_run")
    return load("sample")


def best_by_table(study):
    """The best network by the rule that notebooks apply to Table 1; `make predict` applies its own, without pandas."""
    return best_three(results.measures(study, study.grid), study.settings["selection"])["run"][0]


def test_the_best_of_the_grid_has_the_highest_accuracy(recorded):
    best = best_of_grid(recorded)
    table = {cell: json.loads((recorded.training(cell) / "metrics.json").read_text()) for cell in recorded.grid}
    assert table[best]["test_accuracy"] == max(entry["test_accuracy"] for entry in table.values())
    assert best.run == best_by_table(recorded)


def test_of_equal_accuracies_the_smaller_network_is_the_best(recorded):
    for cell in recorded.grid:
        (recorded.training(cell) / "checksums.json").unlink(missing_ok=True)
        (recorded.training(cell) / "metrics.json").write_text('{"test_accuracy": 0.5}')
    best = best_of_grid(recorded)
    assert best.layers == min(cell.layers for cell in recorded.grid) and best.run == best_by_table(recorded)


def test_the_pair_differs_in_its_split_only(recorded):
    pair = split_pair(recorded)
    assert pair.apart.changed == {**pair.random.changed, "split_protocol": "actor"}
    assert (pair.random.layers, pair.random.epochs) == (pair.apart.layers, pair.apart.epochs)


def test_the_record_holds_the_networks_that_notebooks_read_in_three_megabytes(recorded):
    files = [RECORD / cell.run / "model.keras" for cell in networks_of_notebooks(recorded)]
    assert sorted(files) == sorted(RECORD.glob("*/*.keras"))
    assert sum(path.stat().st_size for path in files) < 3e6


def test_the_record_of_the_pilot_holds_its_best_network(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    put_pilot(tmp_path, tables=False)
    best = PILOT / best_of_grid(load("twin-pilot")).run
    assert [path.parent for path in PILOT.glob("*/*.keras")] == [best]
    path = best / "model.keras"
    trained = sum(array.size for array in weights.read_weights(path.read_bytes()).values())
    assert path.stat().st_size < 5e6 and trained == json.loads((best / "metrics.json").read_text())["parameters"]
