"""A network as portable files, ``network.onnx`` and ``network.tflite``, which `lib.prediction.export` writes.

`Network` runs the latter on LiteRT. ``network.json`` has what is needed to use them: how faces are found and cut out,
the windows, the temperature of the probabilities, what the network was trained on, and the files' SHA-256. Nothing here
loads TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from lib.base.checksums import sha256
from lib.base.emotions import EMOTIONS
from lib.base.problems import InputProblem
from lib.base.quiet import stderr_shut
from lib.measures.calibration import calibrated

#: Folder of the portable files, in the folder of a run.
FOLDER = "portable"
LITERT, ONNX, DESCRIPTION = "network.tflite", "network.onnx", "network.json"

#: Entries of `DESCRIPTION` that a prediction needs, and their types.
_NEEDED = {
    "run": str,
    "trained_on": str,
    "face_backend": str,
    "interpolation": str,
    "frames": int,
    "minimum": int,
    "trimmed": int,
    "temperature": float,
    "sha256": dict,
}


def portable_folder(run: Path) -> Path:
    """Folder of the portable files of the run `run`, or `run` itself if it has them."""
    return run if (run / DESCRIPTION).is_file() else run / FOLDER


def is_current(run: Path) -> bool:
    """Whether the portable files of `run` are there and complete and, if its network is there, were made from it."""
    folder = portable_folder(run)
    try:
        description = description_of(folder)
        model = run / "model.keras"
        return (folder / LITERT).is_file() and (
            not model.is_file() or sha256(model) == description["sha256"][model.name]
        )
    except (InputProblem, OSError, KeyError):
        return False


def description_of(folder: Path) -> dict[str, Any]:
    """Read ``network.json`` in `folder`.

    Raises
    ------
    InputProblem
        If it is missing or damaged, or lacks an entry.
    """
    path, remedy = folder / DESCRIPTION, "run `make export RUN=...` again"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputProblem(path, "is not there: the network has not been exported", remedy) from None
    except (OSError, ValueError) as error:
        raise InputProblem(path, f"cannot be read ({error})", remedy) from None
    for name, kind in _NEEDED.items():
        if not isinstance(description, dict) or not isinstance(description.get(name), kind):
            raise InputProblem(path, f"does not say {name}", remedy)
    return description


class Network:
    """A network on LiteRT, with one thread.

    Parameters
    ----------
    folder
        Folder with ``network.tflite`` and ``network.json``.

    Raises
    ------
    InputProblem
        If a file is missing or damaged, or the network is not the one that ``network.json`` describes.
    """

    def __init__(self, folder: Path):
        from ai_edge_litert.interpreter import Interpreter

        self.description = description_of(folder)
        path, remedy = folder / LITERT, "run `make export RUN=...` again"
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputProblem(path, f"cannot be read ({error.strerror})", remedy) from None
        if hashlib.sha256(content).hexdigest() != self.description["sha256"].get(LITERT):
            raise InputProblem(path, f"is not the file that {DESCRIPTION} describes", remedy)
        try:
            with stderr_shut():
                self._interpreter = Interpreter(model_content=content, num_threads=1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputProblem(path, f"cannot be read by LiteRT ({error})", remedy) from None
        (inputs,), (outputs,) = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._input, self._output = inputs["index"], outputs["index"]
        if inputs["shape"][1] != self.description["frames"] or outputs["shape"].tolist() != [1, len(EMOTIONS)]:
            raise InputProblem(path, "is no network from faces to the six emotions", remedy)

    def raw(self, sequence: np.ndarray) -> np.ndarray:
        """The network's probabilities, float32 (6,), for `sequence`, uint8 (frames, 28, 28, 3)."""
        self._interpreter.set_tensor(self._input, sequence[None])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)[0]

    def __call__(self, sequence: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float64 (6,), for `sequence`, uint8 (frames, 28, 28, 3)."""
        return calibrated(self.raw(sequence), self.description["temperature"])
