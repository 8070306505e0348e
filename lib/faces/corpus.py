"""Masked faces of a whole corpus: one process per core, one file per actor, resumable."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from lib.base.arrays import read_npz
from lib.base.checksums import code_digest, sha256
from lib.base.files import written_atomically
from lib.base.problems import InputProblem
from lib.base.processes import end_with_parent
from lib.corpora.listing import MEMORY
from lib.faces import alignment, correction, landmarks, masking, mesh, models, openface, video
from lib.faces.landmarks import FaceMesh
from lib.faces.masking import INTERPOLATIONS, SIZE, MaskedClip, mask_clip, mask_openface_clip, sentence
from lib.faces.models import MODELS, check_models
from lib.faces.openface import find_pictures

#: Columns of the table that `mask_corpus` gives (``faces.csv``).
FACE_COLUMNS = ["clip", "actor", "frames", "frames_with_face", "problem"]

Backend = Literal["mesh", "mesh_twice", "openface"]

#: Code that makes the pixels.
_CODE = (alignment, correction, landmarks, masking, mesh, models, openface, video)


@dataclass(frozen=True)
class _Recipe:
    """What decides the pixels, apart from the clips."""

    backend: Backend
    openface_folder: str | None
    interpolation: str
    models_dir: str | None

    def fingerprint(self, clips: pd.DataFrame, read: bool = False) -> str:
        """Digest of everything that decides the faces of one actor's `clips`.

        The videos' SHA-256 is taken from the column ``sha256``, or computed from the files if `read` is set.

        Raises
        ------
        InputProblem
            If a video cannot be read, or its SHA-256 differs from the column's.
        """
        facts = [_makers(), self.backend, self.interpolation, SIZE]
        listed = clips["sha256"] if "sha256" in clips else [None] * len(clips)
        for clip, path, known in zip(clips["clip"], clips["path"], listed, strict=True):
            facts.append(str(clip))
            pictures = []
            if self.backend == "openface":
                pictures = [*find_pictures(self.openface_folder, clip).values()]
                sources = [Path(self.openface_folder, f"{clip}.csv"), *pictures]
                facts.append([[source.name, sha256(source)] for source in sources if source.is_file()])
            if not pictures:  # else the video is not opened
                facts.append(_digest(Path(path), known) if read or known is None else known)
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def mask(self, clip: str, path: str, tracker: FaceMesh | None) -> MaskedClip:
        """Mask the faces of one clip; the result has no pictures if nothing can be read."""
        try:
            if tracker:
                return mask_clip(path, tracker, SIZE, self.interpolation)
            return mask_openface_clip(clip, path, self.openface_folder, SIZE, self.interpolation)
        except InputProblem as problem:
            nothing = np.zeros((0, SIZE, SIZE, 3), dtype=np.uint8)
            return MaskedClip(
                nothing, np.zeros(0, dtype=bool), np.zeros((0, 68, 2), dtype=np.float32), sentence(problem)
            )

    def tracker(self) -> FaceMesh | None:
        if self.backend == "openface":
            return None
        return FaceMesh(self.models_dir, twice=self.backend == "mesh_twice")


@cache
def _makers() -> list:
    """Digests of the code and the models, and the versions of the packages."""
    versions = [cv2.__version__, np.__version__, metadata.version("ai-edge-litert")]
    return [code_digest(*(module.__file__ for module in _CODE)), versions, sorted(MODELS.values())]


def _digest(path: Path, listed: str | None) -> str:
    """SHA-256 of a clip's file; InputProblem if the file is gone or its SHA-256 is not `listed`."""
    remedy = "see that the corpus' disk is there, then run again; finished actors are kept"
    try:
        checksum = sha256(path)
    except OSError as error:
        raise InputProblem(path, f"cannot be read any more ({error.strerror})", remedy) from None
    if listed not in (None, checksum):
        again = f"delete {MEMORY}, which is next to that clips.csv in data/<study>/<corpus>, and run again"
        raise InputProblem(path, "has changed since it was listed in clips.csv", again)
    return checksum


_worker: tuple[_Recipe, FaceMesh | None]


def _start_worker(recipe: _Recipe) -> None:
    global _worker
    end_with_parent()
    cv2.setNumThreads(1)
    _worker = recipe, recipe.tracker()


def _work(clip: str, path: str) -> MaskedClip:
    recipe, tracker = _worker
    return recipe.mask(clip, path, tracker)


def mask_corpus(
    clips: pd.DataFrame,
    folder: str | os.PathLike,
    *,
    backend: Backend = "mesh",
    openface_folder: str | os.PathLike | None = None,
    interpolation: str = "area",
    processes: int | None = None,
    progress: bool = True,
    models_dir: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """Mask every clip of a corpus; write ``<actor>.npz`` for each actor into `folder`.

    An actor's file is written when all clips of the actor are masked and their videos have not changed. An interrupted
    run continues after the last finished actor: one whose file can be read completely and has the right fingerprint
    (recipe, code, models, OpenCV and LiteRT, the clips' names and SHA-256).

    Parameters
    ----------
    clips
        Table with the columns ``clip, path, actor``, and ``sha256`` of each video; without it, the videos are read to
        compute it. Other columns are ignored.
    folder
        Where to write: ``data/<study>/<corpus>/faces``. A file holds the clips of one actor one after another
        (N frames, C clips): `faces` uint8 (N, 28, 28, 3), `success` bool (N,), `landmarks` float32
        (N, 68, 2), `clips` str (C,), `offsets` int64 (C + 1,), `problems` str (C,), `fingerprint` str.
    backend
        ``mesh``, ``mesh_twice``: the landmarks of `FaceMesh`; ``openface``: those of FeatureExtraction's output.
    openface_folder
        FeatureExtraction's ``-out_dir``, for the backend ``openface``.
    interpolation : {"area", "linear", "cubic"}
        How the 112 x 112 picture is resized to 28 x 28.
    processes
        Number of worker processes; default: one for each core that this process may use. With 1, no process is started.
    progress
        Whether to show a progress bar.
    models_dir
        Folder of the model files; default `lib.base.paths.models_dir()`.

    Returns
    -------
    DataFrame
        `FACE_COLUMNS`, one row per clip in the order of `clips`; `problem` is empty or one sentence. A clip that ends
        early keeps the frames that it has; one that cannot be read has none.

    Raises
    ------
    InputProblem
        If the landmark models are missing or wrong, the disk is full, or a video is gone or has changed. Finished
        actors are kept.
    ValueError
        For an unknown backend or interpolation, or a clip named twice.
    """
    if backend not in get_args(Backend) or interpolation not in INTERPOLATIONS:
        raise ValueError(f"unknown backend {backend!r} or interpolation {interpolation!r}")
    if backend == "openface" and openface_folder is None:
        raise ValueError("the backend openface needs openface_folder")
    if clips["clip"].duplicated().any():
        raise ValueError(f"clip {clips.loc[clips['clip'].duplicated(), 'clip'].iloc[0]} is named twice")
    if backend != "openface":
        check_models(models_dir)  # before any work
    recipe = _Recipe(
        backend,
        None if openface_folder is None else str(openface_folder),
        interpolation,
        None if models_dir is None else str(models_dir),
    )
    if backend == "openface" and not Path(openface_folder).is_dir():
        raise InputProblem(openface_folder, "is not a folder", "run FeatureExtraction, or correct openface_folder")
    folder = Path(folder)
    tables, waiting = [], {}
    for actor, group in clips.groupby("actor", sort=True):
        fingerprint = recipe.fingerprint(group)
        done = _read_done(folder / f"{actor}.npz", fingerprint)
        if done is None:
            waiting[actor] = (group, fingerprint)
        else:
            tables.append(done.assign(actor=actor))
    total = sum(len(group) for group, _ in waiting.values())
    with tqdm(total=total, desc="masking", unit="clip", disable=not progress or not total) as bar:
        for actor, masked in _mask_actors(waiting, recipe, processes or _cores(), bar):
            group, fingerprint = waiting[actor]
            if recipe.fingerprint(group, read=True) != fingerprint:  # raises if it is a video
                problem, remedy = f"has changed while actor {actor} was masked", "run again without changing it"
                raise InputProblem(openface_folder, problem, remedy)
            tables.append(_write_actor(folder, actor, group, masked, fingerprint).assign(actor=actor))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=FACE_COLUMNS)
    return clips[["clip"]].merge(table, on="clip", how="left", validate="1:1")[FACE_COLUMNS]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _mask_actors(
    waiting: dict, recipe: _Recipe, processes: int, bar: tqdm
) -> Iterator[tuple[object, list[MaskedClip]]]:
    """Yield (actor, masked clips in the table's order) for each actor that is finished."""
    jobs = [
        (actor, row, clip, str(path))
        for actor, (group, _) in waiting.items()
        for row, (clip, path) in enumerate(zip(group["clip"], group["path"], strict=True))
    ]
    collected = {actor: [None] * len(group) for actor, (group, _) in waiting.items()}
    frames = 0
    for (actor, row, _, _), masked in _run(jobs, recipe, min(processes, len(jobs))):
        collected[actor][row] = masked
        frames += len(masked.success)
        bar.update()
        bar.set_postfix_str(f"{frames / max(bar.format_dict['elapsed'], 1e-3):.0f} frames/s", refresh=False)
        if all(clip is not None for clip in collected[actor]):
            yield actor, collected.pop(actor)


def _run(jobs: list[tuple], recipe: _Recipe, processes: int) -> Iterator[tuple[tuple, MaskedClip]]:
    """Yield (job, result) for each job, computed in this process or in `processes` others."""
    if processes <= 1:
        tracker = recipe.tracker() if jobs else None
        for job in jobs:
            yield job, recipe.mask(*job[2:], tracker)
        return
    # Spawned, not forked: the parent may hold TensorFlow's threads.
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, (recipe,))
    try:
        pending: dict[Future, tuple] = {pool.submit(_work, *job[2:]): job for job in jobs}
        for future in as_completed(list(pending)):
            yield pending.pop(future), future.result()
    except BrokenProcessPool as error:
        raise RuntimeError(
            "a masking process was ended from outside (out of memory?); run again to go on where it stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _write_actor(
    folder: Path, actor: object, group: pd.DataFrame, masked: list[MaskedClip], fingerprint: str
) -> pd.DataFrame:
    arrays = {
        "clips": group["clip"].to_numpy(dtype=str),
        "offsets": np.cumsum([0, *(len(clip.success) for clip in masked)], dtype=np.int64),
        "faces": np.concatenate([clip.faces for clip in masked]),
        "success": np.concatenate([clip.success for clip in masked]),
        "landmarks": np.concatenate([clip.landmarks for clip in masked]),
        "problems": np.array([clip.problem for clip in masked], dtype=str),
        "fingerprint": np.array(fingerprint),
    }
    with written_atomically(folder / f"{actor}.npz") as temporary:
        np.savez(temporary, **arrays)
    return _table(arrays)


def _table(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    offsets = arrays["offsets"]
    with_face = np.concatenate([[0], np.cumsum(arrays["success"])])
    return pd.DataFrame(
        {
            "clip": arrays["clips"].astype(object),
            "frames": np.diff(offsets),
            "frames_with_face": with_face[offsets[1:]] - with_face[offsets[:-1]],
            "problem": arrays["problems"].astype(object),
        }
    )


def _read_done(path: Path, fingerprint: str) -> pd.DataFrame | None:
    """Table of an actor's finished file; None if it is missing, damaged, or has another fingerprint."""
    try:
        arrays = read_npz(path, "fingerprint", "clips", "offsets", "success", "problems", "faces", "landmarks")
        return _table(arrays) if str(arrays["fingerprint"]) == fingerprint else None
    except (OSError, ValueError, IndexError, TypeError):
        return None
