"""The same bytes on another processor: what decides it, and, in `make test-all`, two emulated processors."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from lib.base import numerics
from lib.base.paths import CONFIG, ROOT
from lib.base.problems import InputProblem
from lib.run import verify
from lib.study import TRAINING, load
from lib.training import loop, network
from tests.portable import emulated

loop.configure(threads=1)


def test_no_library_uses_kernels_that_some_avx2_processors_lack():
    assert not numerics.processor_has("X86_V4") and not numerics.processor_has("AVX512_SPR")
    code = "import lib, cv2, threadpoolctl, numpy, scipy.linalg, json;"
    code += "print(json.dumps([cv2.ipp.useIPP(), [p.get('architecture') for p in threadpoolctl.threadpool_info()]]))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    uses_ipp, architectures = json.loads(done.stdout)
    assert not uses_ipp and set(architectures) - {None} == {"Haswell"}


def test_numpy_before_lib_is_refused_where_it_matters():
    environment = {k: v for k, v in os.environ.items() if k != "NPY_DISABLE_CPU_FEATURES"}
    code = "import numpy; from numpy._core._multiarray_umath import __cpu_features__ as f;"
    code += "print(f['X86_V4'], flush=True); import lib"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.stdout.startswith("True"):
        assert done.returncode and "import lib first" in done.stderr
    else:  # a processor without AVX-512 has nothing to hold back
        assert not done.returncode


def test_a_processor_without_avx2_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setattr(numerics, "processor_has", lambda feature: False)
    monkeypatch.setattr(numerics.platform, "machine", lambda: "x86_64")
    with pytest.raises(InputProblem, match="without AVX2 and FMA3"):
        numerics.check_processor()


def test_a_study_takes_no_other_word_than_portable_or_native(tmp_path):
    content = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({**content, "numerics": "native"}))
    assert load(tmp_path / "a.yaml").numerics == "native" and load("tiny").numerics == "portable"
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({**content, "numerics": "fast"}))
    with pytest.raises(InputProblem, match="numerics"):
        load(tmp_path / "b.yaml")


def test_the_recurrent_weights_start_orthonormal():
    weights = np.asarray(network.Orthogonal(3)((8, 32)))
    assert np.allclose(weights @ weights.T, np.eye(8), atol=1e-6)
    assert not np.allclose(weights, network.Orthogonal(4)((8, 32)))


@pytest.mark.parametrize(
    ("kernel", "strides"),
    [
        ((3, 3, 3), (1, 2, 2)),
        ((1, 3, 3), (1, 1, 1)),
        ((5, 3, 3), (1, 2, 2)),
        ((4, 2, 3), (1, 3, 1)),
        ((3, 1, 1), (1, 2, 2)),  # oneDNN's 2-D gradient ends the process here
    ],
)
def test_the_convolutions_gradients_are_those_of_keras(kernel, strides):
    from lib.training.backend import keras, tf

    x = tf.constant(np.random.default_rng(0).normal(size=(2, 9, 8, 8, 3)).astype("float32"))
    ours = network.FoldedConv3D(4, kernel, strides=strides, padding="same")
    plain = keras.layers.Conv3D(4, kernel, strides=strides, padding="same")
    ours.build(x.shape), plain.build(x.shape)
    plain.set_weights(ours.get_weights())
    gradients = []
    for layer in (ours, plain):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.sin(layer(x)))
        gradients.append(tape.gradient(loss, [x, *layer.trainable_variables]))
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_kernels_cannot_be_changed_after_the_first():
    loop.configure(1)
    with pytest.raises(RuntimeError, match="too late"):
        loop.configure(1, "native")


def test_verify_finds_a_changed_number(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    study = load("sample")
    for folder in ("tables", "figures"):
        shutil.copytree(ROOT / folder / "sample", tmp_path / folder / "sample")
    for run in verify.recorded_runs(study).iterdir():
        shutil.copytree(run, study.runs(TRAINING) / run.name)
    assert verify.report(study) == 0
    table = tmp_path / "tables/sample/table1_grid.csv"
    text = table.read_text()
    digit = next(i for i in range(text.index("\n"), len(text)) if text[i].isdigit())
    table.write_text(f"{text[:digit]}{(int(text[digit]) + 1) % 10}{text[digit + 1 :]}")
    count, differing = verify.compare(study)
    assert list(differing["file"]) == ["tables/sample/table1_grid.csv"] and count > 20
    table.unlink()
    assert verify.compare(study)[1]["largest difference"].tolist() == ["is missing"]


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    not shutil.which(emulated.QEMU), reason="qemu-user is not installed: no emulated processor to compare"
)
def test_emulated_processors_give_the_same_bytes():
    assert emulated.compare(emulated.SHORT, ("Haswell", "EPYC-Rome")) == []
