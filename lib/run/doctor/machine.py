"""Check the machine and the installation: Python, packages, memory, disk, GPU, landmark models, locks."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from lib.base import paths
from lib.base.problems import InputProblem
from lib.base.processes import available_memory
from lib.corpora.obtain.files import gigabytes
from lib.faces.models import MODELS, check_models
from lib.run.doctor import MISSING, OK, WRONG, Finding, some
from lib.run.doctor.disk import needed
from lib.run.gpu import LARGEST_JOB, cards, has_cuda_build, trainings_at_once
from lib.run.workflow import running
from lib.study import Study

REINSTALL = "touch requirements.lock && make setup"
FETCH_MODELS = ".venv/bin/python -m lib fetch-models"
WAIT = "wait for the study that is running, or stop it with Ctrl-C: the same command goes on where it stopped"

_MEMORY = 4e9  # bytes that the sample study may take
_PROBE = (
    "import json, tensorflow as tf; print(json.dumps([tf.__version__, "
    "[d.name.split(':', 1)[1] for d in tf.config.list_physical_devices('GPU')]]))"
)


def check_machine(probe: subprocess.Popen | None = None, studies: Iterable[Study] = ()) -> Iterator[Finding]:
    """Python, packages, git, memory, disk for `studies`, GPU; `probe` is the process of `ask_tensorflow`.

    Too little disk space blocks only for a study that renders its corpora.
    """
    fits = (3, 11) <= sys.version_info[:2] < (3, 14)
    text = platform.python_version() + ("" if fits else "; 3.11, 3.12 or 3.13 is needed")
    yield Finding(OK if fits else WRONG, "Python", text, "make PYTHON=python3.12 setup", not fits)
    yield check_packages(paths.ROOT / "requirements.lock")
    git = shutil.which("git")
    yield Finding(OK if git else MISSING, "git", git or "needed by `make data` for CREMA-D's tables")
    memory = available_memory()
    enough = memory >= _MEMORY
    side_by_side = max(1, min(os.cpu_count() or 1, int(0.9e-6 * memory / LARGEST_JOB)))
    text = f"{gigabytes(memory)}, " + (
        f"room for {side_by_side} trainings at a time" if enough else f"the sample study may take {gigabytes(_MEMORY)}"
    )
    yield Finding(OK if enough else WRONG, "memory", text)
    yield _check_disk(studies)
    if probe is not None:
        yield _read_probe(probe)


def check_packages(lock: Path) -> Finding:
    """Compare installed versions with the lines of the lock file that apply to this machine."""
    count, missing, other = 0, [], []
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        return Finding(MISSING, "packages", f"{paths.relative(lock)} cannot be read ({error.strerror})", blocks=True)
    for line in lines:
        try:
            wanted = Requirement(line.rstrip(" \\"))
        except InvalidRequirement:  # a hash, a comment
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        count += 1
        if wanted.name == "tensorflow-cpu" and has_cuda_build():  # `make setup-gpu` has put that in its place
            continue
        try:
            version = importlib.metadata.version(wanted.name)
            if not wanted.specifier.contains(version, prereleases=True):
                other.append(f"{wanted.name} {version} instead of {str(wanted.specifier).removeprefix('==')}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(wanted.name)
    if missing:
        return Finding(MISSING, "packages", f"{len(missing)} of {count}: {some(missing)}", REINSTALL, True)
    if other:
        text = f"{len(other)} of {count} differ from requirements.lock: {some(other)}"
        return Finding(WRONG, "packages", text, REINSTALL)
    return Finding(OK, "packages", f"all {count} have the versions of requirements.lock")


def _check_disk(studies: Iterable[Study]) -> Finding:
    place = next(p for p in [paths.workspace(), *paths.workspace().parents] if p.exists())
    if not os.access(place, os.W_OK):
        return Finding(WRONG, "disk", f"{place} cannot be written", "chmod u+w " + str(place), True)
    free = shutil.disk_usage(place).free
    texts, blocks, enough = [f"{gigabytes(free)} free in {place}"], False, True
    for study in studies:
        by_folder = needed(study)
        total = sum(by_folder.values())
        text = f"the {study.name} study will write another {gigabytes(total)}"
        if free < total:
            largest = sorted(by_folder, key=lambda path: -by_folder[path])
            text += f" ({some([f'{gigabytes(by_folder[path])} {paths.relative(path)}' for path in largest], 3)})"
            enough, blocks = False, blocks or bool(study.render)
        texts.append(text)
    return Finding(OK if enough else WRONG, "disk", "; ".join(texts), blocks=blocks)


def ask_tensorflow() -> subprocess.Popen:
    """Start a process that imports TensorFlow, which takes seconds, and prints the GPUs that it sees."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, "-c", _PROBE], env=environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _read_probe(probe: subprocess.Popen) -> Finding:
    try:
        version, gpus = json.loads(probe.communicate(timeout=180)[0].splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        probe.kill()
        return Finding(WRONG, "TensorFlow", "cannot be imported", REINSTALL, True)
    at_once = f"{trainings_at_once() or 'any number of'} training(s) at once"
    if gpus:
        return Finding(OK, "TensorFlow", f"{version}, sees {', '.join(gpus)}: {at_once}")
    if here := cards():
        text = f"{version} does not see this machine's {some(here, 1)}"
        if has_cuda_build():
            return Finding(WRONG, "TensorFlow", f"{text}, though it is the build for CUDA: see its driver")
        return Finding(MISSING, "TensorFlow", f"{text}; it is the build for processors", "make setup-gpu")
    return Finding(OK, "TensorFlow", f"{version}, on the CPU; no GPU here")


def check_model_files() -> Iterator[Finding]:
    """Check the two landmark models and their SHA-256."""
    folder = paths.models_dir()
    try:
        check_models(folder)
        yield Finding(OK, "models", f"both landmark models in {paths.relative(folder)}, SHA-256 right")
    except InputProblem as problem:
        absent = [name for name in MODELS if not (folder / name).exists()]
        yield Finding(MISSING if absent else WRONG, "models", f"{problem.file}: {problem.problem}", FETCH_MODELS)


def check_workflow() -> Finding:
    """Check whether a study runs here, and for locks that a stopped Snakemake left."""
    if study := running():
        return Finding(OK, "workflow", f"a study is running here, as {study}", WAIT)
    folder = paths.workspace() / ".snakemake"
    if not any(path.is_file() for path in (folder / "locks").glob("*")):
        return Finding(OK, "workflow", "no study is running here")
    ours = folder / "study.lock"
    if ours.is_file() and ours.stat().st_size:
        return Finding(OK, "workflow", "the last run was killed; the same command goes on where it stopped")
    text = "is locked by a Snakemake that was started without `make` and does not run on this machine"
    return Finding(WRONG, "workflow", text, "see that it runs on no other machine, then: rm -r .snakemake/locks", True)
