"""Write portable files of a trained network: ONNX and LiteRT, equal to the network to 1e-5.

Our layers are Keras' layers with other kernels, which the converters do not support. So an equal network of Keras' own
layers is built, takes the weights, and is converted.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from lib.base.checksums import sha256
from lib.base.emotions import EMOTIONS
from lib.base.files import written_atomically
from lib.base.problems import InputProblem
from lib.base.quiet import stderr_shut
from lib.measures.calibration import calibrate
from lib.prediction.portable import DESCRIPTION, FOLDER, LITERT, ONNX, Network
from lib.study import Study, load, results
from lib.study.metrics import read_metrics
from lib.training import loop, network
from lib.training.backend import keras, tf

#: Largest allowed difference of a probability from the network's own.
TOLERANCE = 1e-5

#: Number of sequences on which `export` compares them.
COMPARED = 8

log = logging.getLogger("lib.prediction.export")


class FramewisePooling(keras.layers.MaxPooling3D):
    """Keras' MaxPooling3D with windows of one frame, as 2-D pooling: LiteRT has no 3-D pooling."""

    def call(self, inputs):
        """Pool `inputs`, float32 ``(batch, frames, rows, columns, channels)``."""
        pictures = tf.reshape(inputs, (-1, *inputs.shape[2:]))
        pooled = tf.nn.max_pool2d(pictures, self.pool_size[1:], self.strides[1:], self.padding.upper())
        return tf.reshape(pooled, (-1, inputs.shape[1], *pooled.shape[1:]))


def plain(model: keras.Model) -> keras.Model:
    """Copy `model` to a network of Keras' own layers, all in float32, with the same weights."""

    def keras_layer(layer: keras.Layer) -> keras.Layer:
        kind: Any = next(c for c in type(layer).__mro__ if c.__module__.startswith("keras"))
        if issubclass(kind, keras.layers.MaxPooling3D) and layer.pool_size[0] == layer.strides[0] == 1:
            kind = FramewisePooling
        return kind.from_config(layer.get_config() | {"dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=keras_layer)
    copy.set_weights(model.get_weights())
    return copy


def to_onnx(model: keras.Model, path: Path) -> None:
    """Write `model`, of Keras' own layers, as ONNX. Its input is any number of sequences, uint8."""
    with written_atomically(path) as temporary, stderr_shut(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tf2onnx, about NumPy
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        model.export(temporary, format="onnx", verbose=False, input_signature=[_signature(model, None)])


def to_litert(model: keras.Model, path: Path) -> None:
    """Write `model`, of Keras' own layers, for LiteRT. Its input is one sequence, uint8.

    The batch is fixed to one sequence, because otherwise the LSTM's loop has no fixed shapes and cannot be converted.
    """
    with tempfile.TemporaryDirectory() as folder, stderr_shut():
        model.export(folder, format="tf_saved_model", verbose=False, input_signature=[_signature(model, 1)])
        content = tf.lite.TFLiteConverter.from_saved_model(folder).convert()
    with written_atomically(path) as temporary:
        temporary.write_bytes(content)


def _signature(model: keras.Model, sequences: int | None):
    """Input of `model`: `sequences` sequences, or any number for None."""
    return tf.TensorSpec((sequences, *model.input_shape[1:]), tf.uint8, name="sequence")


def trained_on(study: Study) -> str:
    """One sentence on what a network of `study` was trained on. It is part of every output."""
    corpus = study.name_of(study.training_corpus)
    if study.render is not None:
        return f"Trained on drawn faces ({corpus}); on a filmed one its answer means nothing."
    by = "" if study.settings["face_backend"] != "openface" else ", masked by OpenFace and not as here"
    return (
        f"Trained on faces, 28 pixels wide, of actors who were asked to show an emotion ({corpus}){by}; "
        "its answer says nothing about what a person feels."
    )


def study_of(run: Path, name: str) -> Study:
    """The study that the run's ``params.yaml`` names, else `name`, with the run's changes."""
    with suppress(OSError, yaml.YAMLError, KeyError, TypeError):
        name = yaml.safe_load((run / "params.yaml").read_text(encoding="utf-8"))["study"]
    return load(name).changed(read_metrics(run).get("changes", {}))


def export(run: Path, name: str = "sample") -> Path:
    """Write the portable files of the training in the folder `run`; return their folder.

    Parameters
    ----------
    run
        Folder of a run of notebook 04.
    name
        Name of its study, used if the run does not name it.

    Raises
    ------
    InputProblem
        If the run is not done, its network cannot be read, or a portable file gives other probabilities.
    """
    run = Path(run)
    if not run.is_dir():
        raise InputProblem(run, "is no folder of a training", "name one below papermill_runs/STUDY/04_training_run")
    study = study_of(run, name)
    if (order := study.settings["frame_order"]) != "filmed":
        raise InputProblem(run, f"was trained on frames in the order {order!r}, as a control", "name another run")
    metrics = results.run_metrics(study, run)
    described = calibrate({part: results.predictions(study, run, part) for part in ("validation", "test")})
    loop.configure(1, study.numerics)
    model = loop.load_model(run / "model.keras")
    copy, folder = plain(model), run / FOLDER
    description = {
        "run": run.resolve().name,
        "study": study.name,
        "trained_on": trained_on(study),
        "emotions": list(EMOTIONS),
        "layers": metrics["layers"],
        "face_backend": study.settings["face_backend"],
        "interpolation": study.settings["face_interpolation"],
        "frames": study.settings["window_frames"],
        "minimum": study.settings["window_minimum_frames"],
        "trimmed": study.settings["window_trimmed_frames"],
        **described,
    }
    with written_atomically(folder / DESCRIPTION) as temporary:  # which moves it last: without it no file is used
        onnx, litert = (temporary.with_name(name) for name in (ONNX, LITERT))
        to_onnx(copy, onnx)
        to_litert(copy, litert)
        files = {path.name: sha256(path) for path in (run / "model.keras", onnx, litert)}
        temporary.write_text(json.dumps(description | {"sha256": files}, indent=1) + "\n", encoding="utf-8")
        # the files compute in 32 bits, also if the network was trained in 16
        largest = difference(model if study.settings["precision"] == "float32" else copy, temporary.parent)
        if not largest <= TOLERANCE:
            problem = f"differs from the network by {largest:.2g} where {TOLERANCE:g} is allowed"
            raise InputProblem(folder / LITERT, problem, "please report it with the run's metrics.json")
        (folder / DESCRIPTION).unlink(missing_ok=True)  # an older one is not that of the files that come now
        for path in (onnx, litert):
            path.replace(folder / path.name)
    log.info("%s: temperature %.2f; LiteRT differs by at most %.1g", run.name, described["temperature"], largest)
    return folder


def difference(model: keras.Model, folder: Path) -> float:
    """Largest difference of a probability between `model` and the LiteRT file, on random pictures."""
    shape = (COMPARED, *network.INPUT_SHAPE)
    sequences = np.random.default_rng(COMPARED).integers(0, 256, shape, dtype=np.uint8)
    ours = loop.predict(model, sequences, np.arange(COMPARED))
    portable = Network(folder)
    return float(max(abs(portable.raw(s) - p).max() for s, p in zip(sequences, ours, strict=True)))
