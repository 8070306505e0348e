"""Render two small corpora with the layout and names of CREMA-D and RAVDESS."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from lib.base.checksums import code_digest
from lib.base.files import write_table, write_text
from lib.base.problems import InputProblem
from lib.base.processes import end_with_parent
from lib.corpora.corpus import FPS
from lib.corpora.registry import CORPORA
from lib.corpora.twins import FINDINGS, TWINS
from lib.synthetic.actors import cast
from lib.synthetic.clips import RECORDED, Clip, plan, rendering_of
from lib.synthetic.dials import DIALS, Dials
from lib.synthetic.files import count_frames, write_csv, write_video
from lib.synthetic.motion import Take, joined, perform
from lib.synthetic.render import render_take
from lib.synthetic.stage import STUDIOS, error_picture

#: File that states with what the clips in a folder were rendered.
STAMP = "rendering.json"


def render_clip(clip: Clip, seed: int, dials: Dials = DIALS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render `clip`; yields (frame uint8 (h, w, 3) RGB, true landmarks float32 (68, 2) in pixels).

    The landmarks of a clip without a face are NaN.
    """
    studio = STUDIOS[clip.rendering.studio]
    if not clip.face:
        yield from ((error_picture(studio), np.full((68, 2), np.nan, np.float32)) for _ in range(clip.frames))
        return
    take, rng = performance(clip, seed, dials)
    yield from render_take(studio, clip.actor, take, rng, dials, clip.person)


def performance(clip: Clip, seed: int, dials: Dials = DIALS) -> tuple[Take, np.random.Generator]:
    """What the actor of `clip` does in it, and the random numbers that draw it."""
    rng = np.random.default_rng([seed, *clip.name.encode()])
    shown = clip.shown
    actor, takes = cast(shown.actor, clip.person), []
    for k, mixture in enumerate(clip.mixtures or [None]):
        count = len(clip.mixtures) or 1
        frames = clip.frames * (k + 1) // count - clip.frames * k // count
        takes.append(perform(actor, shown.emotion, shown.level, shown.sentence, frames, rng, dials, mixture))
    return joined(takes), rng


def frames_of(path: str | os.PathLike, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render the clip in the video `path` again, with its true landmarks; equal to the video before compression.

    `seed` is the one that the corpus was rendered with; the number of frames is the file's.
    """
    yield from render_clip(clip_of(path), seed)


def clip_of(path: str | os.PathLike) -> Clip:
    """The clip that was drawn into the video `path`; ValueError if its name is no corpus'."""
    path = Path(path)
    corpus = _corpus_of(path)
    if any(_stamp(folder).get("clips") == RECORDED for folder in path.parents[:2]):
        return next(Clip(corpus, *clip) for clip in TWINS[corpus].clips() if clip.name == path.stem)
    return Clip(corpus, path.stem, count_frames(path))


def _corpus_of(path: Path) -> str:
    """The corpus whose naming scheme `path` follows; ValueError if there is none."""
    for name, corpus in CORPORA.items():
        if corpus.rendering is not None and corpus.rendering.ending == path.suffix:
            with suppress(ValueError):
                corpus.rendering.shown(path.stem)
                return name
    raise ValueError(f"{path.name!r} is named after no corpus")


def _render_file(clip: Clip, path: Path, seed: int) -> int:
    cv2.setNumThreads(1)  # one process a core
    return write_video(path, (frame for frame, _ in render_clip(clip, seed)), FPS, clip.rendering.fourcc)


def _stamp(folder: Path) -> dict[str, Any]:
    """With what the clips in `folder` were rendered; empty if unknown."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _make_room(corpus: str, folder: Path, planned: list[Path], stamp: dict) -> None:
    """Remove the clips of another rendering from `folder`, so that two never mix, and write the `stamp` of this one."""
    same = _stamp(folder) == stamp
    rendering, wanted = rendering_of(corpus), set(planned)
    first = min([rendering.first_actor, *(TWINS[corpus].actors[:1] if corpus in TWINS else [])])
    others = [p for p in folder.glob("*/*") if p.suffix.lower() == rendering.ending and not p.name.startswith(".")]
    others = [path for path in others if path not in wanted or not same]
    for path in others:
        try:
            synthetic = rendering.shown(path.stem).actor >= first
        except ValueError:
            synthetic = False
        if not synthetic:
            problem = "lies where a synthetic corpus is to be rendered, and is none of its clips"
            raise InputProblem(path, problem, "move it away, or name another folder in the study's file")
    for path in others:
        path.unlink()
    if not same:
        write_text(folder / STAMP, json.dumps(stamp, indent=1) + "\n")


def render_corpus(
    corpus: str,
    folder: str | os.PathLike,
    *,
    actors: int,
    clips: int | str,
    seed: int,
    processes: int | None = None,
    progress: bool = True,
) -> list[Path]:
    """Render a corpus into `folder`; existing clips of the same rendering are kept.

    Clips of another rendering (seed, number of clips or actors, renderer, OpenCV; see ``rendering.json``) are removed.

    Parameters
    ----------
    corpus
        ``cremad``: ``VideoFlash/9001_IEO_ANG_HI.flv`` (480x360, FLV1) with ``VideoDemographics.csv`` and
        ``SentenceFilenames.csv``; ``ravdess``: ``Actor_91/01-01-05-02-01-01-91.mp4`` (640x360, MPEG-4).
    actors, clips
        Number of actors, number of clips in all; or `RECORDED` for all recorded clips of the first actors.
    seed
        The same seed gives the same bytes, with any number of processes.
    processes
        Number of worker processes, by default one per core; with 1, no process is started.

    Returns
    -------
    list of Path
        All clips of the corpus, in order.

    Raises
    ------
    InputProblem
        If `folder` holds a clip that is not synthetic.
    """
    folder = Path(folder)
    planned = plan(corpus, actors=actors, clips=clips, seed=seed)
    paths = [clip.path(folder) for clip in planned]
    stamp = {"corpus": corpus, "actors": actors, "clips": clips, "seed": seed, "opencv": cv2.__version__}
    stamp |= {"renderer": code_digest(*sorted(Path(__file__).parent.glob("*.py")))}
    stamp |= {"plan": hashlib.sha256(repr(planned).encode()).hexdigest()}
    _make_room(corpus, folder, paths, stamp)
    jobs = [(clip, path, seed) for clip, path in zip(planned, paths, strict=True) if not path.exists()]
    jobs.sort(key=lambda job: job[0].actor)  # a process paints an actor's portrait once, not for each clip
    rendering = rendering_of(corpus)
    if rendering.tables is not None:
        people = [cast(rendering.first_actor + k) for k in range(actors)]
        if clips == RECORDED:
            people = [cast(*person) for person in dict.fromkeys((clip.actor, clip.person) for clip in planned)]
        for name, (header, rows) in rendering.tables(people, [clip.name for clip in planned]).items():
            write_csv(folder / name, header, rows)
    if clips == RECORDED:
        write_table(TWINS[corpus].findings(), folder / FINDINGS)
    else:
        (folder / FINDINGS).unlink(missing_ok=True)
    processes = min(processes or len(os.sched_getaffinity(0)), len(jobs)) if jobs else 1
    with tqdm(
        total=sum(job[0].frames for job in jobs), unit="frame", desc=f"drawing {corpus}", disable=not progress
    ) as bar:
        if processes == 1:
            threads = cv2.getNumThreads()
            try:
                for job in jobs:
                    bar.update(_render_file(*job))
            finally:
                cv2.setNumThreads(threads)
        else:
            # "spawn": a forked child of a process that runs TensorFlow's threads can hang.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(processes, context, end_with_parent) as pool:
                for count in pool.map(_render_file, *zip(*jobs, strict=True)):
                    bar.update(count)
    return paths
