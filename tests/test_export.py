"""Portable networks: ONNX and LiteRT give what the network gives; the temperature; the run's description."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from lib.__main__ import main
from lib.base.checksums import sha256
from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.base.paths import ROOT
from lib.base.problems import InputProblem
from lib.measures.calibration import HIGHEST, LOWEST, calibrate, calibrated, fit_temperature, log_loss
from lib.prediction import export, portable
from lib.study import load, publication, results
from lib.training import loop

SETTINGS = {name: assumption.value for name, assumption in publication.assumptions().items()} | {"filters": [4, 8, 16]}
SAMPLE = ROOT / "tests/sample_runs" / load("sample").sensitivity.cell.run
FACES = np.random.default_rng(14).integers(0, 256, (6, 75, 28, 28, 3), dtype=np.uint8)


CASES = [(layers, {"downsampling": way}) for layers in (5, 6, 7) for way in ("stride", "pool")]
CASES += [(6, {"downsampling": "none", "lstm_layers": 2, "lstm_dropout_at": "output"})]


@pytest.mark.parametrize(("layers", "changes"), CASES, ids=lambda value: str(value))
def test_portable_files_give_the_networks_numbers(layers, changes, tmp_path, random_network):
    import onnxruntime

    loop.configure()
    model = random_network(layers, **SETTINGS | changes)
    wanted = loop.predict(model, FACES, np.arange(len(FACES)))
    assert np.ptp(wanted, axis=0).max() > 100 * export.TOLERANCE  # else a constant would do
    copy = export.plain(model)
    export.to_onnx(copy, tmp_path / portable.ONNX)
    export.to_litert(copy, tmp_path / portable.LITERT)
    session = onnxruntime.InferenceSession(tmp_path / portable.ONNX)
    (by_onnx,) = session.run(None, {session.get_inputs()[0].name: FACES})
    np.testing.assert_allclose(by_onnx, wanted, atol=export.TOLERANCE, rtol=0)
    description = {"run": "a", "trained_on": "noise", "face_backend": "mesh", "interpolation": "area"}
    description |= {"frames": 75, "minimum": 35, "trimmed": 110, "temperature": 1.0}
    description["sha256"] = {portable.LITERT: sha256(tmp_path / portable.LITERT)}
    (tmp_path / portable.DESCRIPTION).write_text(json.dumps(description))
    by_litert = portable.Network(tmp_path)
    for _ in range(2):  # an LSTM's state must not stay from one sequence to the next
        np.testing.assert_allclose([by_litert.raw(x) for x in FACES], wanted, atol=export.TOLERANCE, rtol=0)


def test_a_run_is_exported_with_what_its_use_needs(exported_run):
    assert sorted(path.name for path in (exported_run / "portable").iterdir()) == [
        portable.DESCRIPTION,
        portable.ONNX,
        portable.LITERT,
    ]
    description = portable.description_of(exported_run / "portable")
    assert description["trained_on"] == (
        "Trained on drawn faces (synthetic CREMA-D); on a filmed one its answer means nothing."
    )
    assert [description[name] for name in ("frames", "minimum", "trimmed")] == [75, 35, 110]
    assert description["face_backend"] == "mesh"
    before, after = description["log_loss_before_and_after"]["validation"]
    assert after <= before and description["sequences"]["validation"] == 89
    assert portable.is_current(exported_run)
    network = portable.Network(exported_run / "portable")
    np.testing.assert_allclose(network(FACES[0]), calibrated(network.raw(FACES[0]), description["temperature"]))


def test_the_line_on_the_training_follows_the_study():
    study = load("paper")
    line = export.trained_on(study)
    assert line.startswith("Trained on faces") and "(CREMA-D);" in line and "drawn" not in line
    openface = replace(study, settings=study.settings | {"face_backend": "openface"})
    assert "masked by OpenFace and not as here" in export.trained_on(openface)


def test_another_network_makes_the_files_stale(exported_run, tmp_path):
    other = tmp_path / exported_run.name
    shutil.copytree(exported_run, other)
    assert portable.is_current(other)
    (other / "model.keras").write_bytes(b"another")
    assert not portable.is_current(other)
    (other / "model.keras").unlink()  # the files handed on without it
    assert portable.is_current(other) and portable.is_current(other / "portable")


def test_a_description_without_an_entry_is_made_again(exported_run, tmp_path):
    other = tmp_path / exported_run.name
    shutil.copytree(exported_run, other)
    path = other / "portable" / portable.DESCRIPTION
    path.write_text(path.read_text().replace('"face_backend"', '"of an older version"'))
    assert not portable.is_current(other)


@pytest.mark.parametrize("largest", [KeyboardInterrupt(), [2 * export.TOLERANCE], [math.nan]])
def test_files_that_were_not_compared_or_differ_are_not_used(exported_run, tmp_path, monkeypatch, largest):
    run = tmp_path / exported_run.name
    shutil.copytree(exported_run, run, ignore=shutil.ignore_patterns("portable"))
    monkeypatch.setattr(export, "difference", Mock(side_effect=largest))
    with pytest.raises((KeyboardInterrupt, InputProblem)):
        export.export(run)
    assert not portable.is_current(run) and list((run / "portable").iterdir()) == []


@pytest.mark.parametrize("name", [portable.LITERT, portable.DESCRIPTION])
def test_damaged_files_are_named(exported_run, tmp_path, name):
    folder = tmp_path / "portable"
    shutil.copytree(exported_run / "portable", folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-40])
    with pytest.raises(InputProblem, match=name):
        portable.Network(folder)
    (folder / name).unlink()
    with pytest.raises(InputProblem, match=name):
        portable.Network(folder)


def test_a_portable_network_runs_without_tensorflow(exported_run):
    code = (
        "import sys, lib, numpy; from pathlib import Path; from lib.prediction.portable import Network; "
        f"print(Network(Path({str(exported_run / 'portable')!r}))(numpy.zeros((75, 28, 28, 3), 'uint8')).sum()); "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(1) and done.stderr == ""


def test_what_cannot_be_exported_is_said(exported_run, tmp_path, caplog):
    assert main(["export", "--run", str(tmp_path / "nowhere")]) == 1
    control = tmp_path / "control"
    shutil.copytree(exported_run, control)
    metrics = json.loads((control / "metrics.json").read_text())
    for changed in ({"changes": {"frame_order": "last"}}, {"numerics": "native"}):
        (control / "metrics.json").write_text(json.dumps(metrics | changed))
        assert main(["export", "--run", str(control)]) == 1
    (control / "metrics.json").write_text(json.dumps(metrics))
    (control / "predictions.csv").write_text("sequence,part\n1,test\n")
    assert main(["export", "--run", str(control)]) == 1
    for said in ("no folder of a training", "as a control", "trained with numerics: native", "has no column emotion"):
        assert said in caplog.text


def test_a_temperature_undoes_what_another_one_did():
    random = np.random.default_rng(3)
    honest = calibrated(random.dirichlet(np.ones(6), 4000), 1)
    labels = np.array([random.choice(6, p=p) for p in honest])
    for temperature in (0.5, 1, 3):
        found = fit_temperature(calibrated(honest, 1 / temperature), labels)
        assert found == pytest.approx(temperature, rel=0.08)
    assert LOWEST <= fit_temperature(np.eye(6), np.arange(6)) <= HIGHEST  # never wrong: yet not without doubt
    assert fit_temperature(np.empty((0, 6)), np.empty(0, int)) == 1


def test_calibration_keeps_the_order_and_helps_on_the_samples_test_part():
    table = pd.read_csv(SAMPLE / "predictions.csv").query("part == 'test'")
    probabilities = table[PROBABILITIES].to_numpy()
    described = calibrate({part: results.predictions(load("sample"), SAMPLE, part) for part in ("validation", "test")})
    cooler = calibrated(probabilities, described["temperature"])
    np.testing.assert_allclose(cooler.sum(axis=1), 1)
    assert (cooler.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    labels = table["emotion"].map(EMOTIONS.index).to_numpy()
    assert log_loss(cooler, labels) == pytest.approx(described["log_loss_before_and_after"]["test"][1], abs=1e-4)
