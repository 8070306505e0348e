"""Two small corpora of rendered clips, laid out and named as CREMA-D and RAVDESS are."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from lib.base.checksums import code_digest
from lib.base.files import write_text
from lib.base.problems import InputProblem
from lib.base.processes import end_with_parent
from lib.corpora.corpus import FPS, Rendering, Shown
from lib.corpora.registry import CORPORA
from lib.synthetic.actors import cast
from lib.synthetic.dials import DIALS, Dials
from lib.synthetic.files import count_frames, write_csv, write_video
from lib.synthetic.motion import perform
from lib.synthetic.render import render_take
from lib.synthetic.stage import STUDIOS

#: What the clips in a folder were rendered with.
STAMP = "rendering.json"
#: Shares of the clips that are at most as long as `Rendering.frames` says.
_QUANTILES = (0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1)


def _rendering(corpus: str) -> Rendering:
    known = {name: entry.rendering for name, entry in CORPORA.items() if entry.rendering is not None}
    if corpus not in known:
        raise ValueError(f"unknown corpus {corpus!r}: {' or '.join(known)}")
    return known[corpus]


@dataclass(frozen=True)
class Clip:
    """One clip to render: `name` is its file's stem, `frames` its length."""

    corpus: str
    name: str
    frames: int

    @property
    def rendering(self) -> Rendering:
        """How its corpus is rendered."""
        return _rendering(self.corpus)

    @property
    def shown(self) -> Shown:
        """Actor, emotion (one of the six, ``calm`` or ``surprised``), sentence and level."""
        return self.rendering.shown(self.name)

    @property
    def actor(self) -> int:
        """Number of the actor."""
        return self.shown.actor

    @property
    def emotion(self) -> str:
        """One of the six emotions, or ``calm`` or ``surprised``."""
        return self.shown.emotion

    def path(self, folder: Path) -> Path:
        """Where the clip lies below the corpus folder."""
        return Path(folder) / self.rendering.folder(self.actor) / (self.name + self.rendering.ending)


def _lengths(corpus: str, clips: int, rng) -> np.ndarray:
    """Frames of `clips` clips in random order: the real distribution's quantiles, one from each equal share.

    CREMA-D's usable clips have 38 frames and more, yet its broken ones are shorter; so about one clip in 150
    (one at least of 60) is cut to 20-34 frames, which the study must drop.
    """
    shares = (np.arange(clips) + rng.uniform(0.25, 0.75, clips)) / max(clips, 1)
    frames = np.round(np.interp(shares, _QUANTILES, _rendering(corpus).frames)).astype(int)
    if _rendering(corpus).broken and clips >= 60:
        short = max(1, round(clips / 150))
        frames[:short] = rng.integers(20, 35, short)
        frames[-1] = max(frames[-1], 112)
    return rng.permutation(frames)


def plan(corpus: str, *, actors: int, clips: int, seed: int) -> list[Clip]:
    """List the clips of a corpus: every actor plays each emotion about equally often, neutral a little less.

    Parameters
    ----------
    corpus
        One of `lib.corpora.registry.CORPORA`.
    actors, clips
        How many actors, and how many clips in all; from 7 (RAVDESS: 8) clips an actor on, everybody plays all.

    Raises
    ------
    ValueError
        More clips than the real corpus's design has for so many actors, or an unknown corpus.
    """
    rendering = _rendering(corpus)
    if not 1 <= actors <= rendering.most_actors or clips < 1:
        most = f"at least one of each, and at most {rendering.most_actors} actors like those of {corpus}"
        raise ValueError(f"{actors} actors with {clips} clips: {most}")
    rng = np.random.default_rng([seed, *corpus.encode()])
    shares = rendering.shares
    exact = np.array(list(shares.values())) * clips / sum(shares.values())
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: clips - counts.sum()]] += 1
    deal = np.repeat(list(shares), counts)
    names = []
    for k in range(actors):
        number = rendering.first_actor + k
        for emotion, count in zip(*np.unique(deal[k::actors], return_counts=True), strict=True):
            takes = rendering.takes(number, str(emotion))
            if count > len(takes):
                raise ValueError(f"{clips} clips are too many for {actors} actors: {corpus} has no more takes")
            names += rng.permutation(takes)[:count].tolist()
    order = {name: i for i, name in enumerate(names)}
    clips_ = [Clip(corpus, n, int(f)) for n, f in zip(names, _lengths(corpus, clips, rng), strict=True)]

    def place(clip: Clip) -> tuple[int, int, int]:
        shown = clip.shown
        return shown.actor, rendering.sentences.index(shown.sentence) if rendering.sentences else 0, order[clip.name]

    return sorted(clips_, key=place)


def render_clip(clip: Clip, seed: int, dials: Dials = DIALS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render `clip`; yields (frame uint8 (h, w, 3) RGB, true landmarks float32 (68, 2) in pixels)."""
    rng = np.random.default_rng([seed, *clip.name.encode()])
    shown = clip.shown
    take = perform(cast(shown.actor), shown.emotion, shown.level, shown.sentence, clip.frames, rng, dials)
    yield from render_take(STUDIOS[clip.rendering.studio], shown.actor, take, rng, dials)


def frames_of(path: str | os.PathLike, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render the clip in the video `path` anew, with its true landmarks; before compression, otherwise equal.

    `seed` is the one that the corpus was rendered with; the number of frames is the file's.
    """
    path = Path(path)
    yield from render_clip(Clip(_corpus_of(path), path.stem, count_frames(path)), seed)


def _corpus_of(path: Path) -> str:
    """The corpus whose scheme `path` is named after; ValueError for none."""
    for name, corpus in CORPORA.items():
        if corpus.rendering is not None and corpus.rendering.ending == path.suffix:
            with suppress(ValueError):
                corpus.rendering.shown(path.stem)
                return name
    raise ValueError(f"{path.name!r} is named after no corpus")


def _render_file(clip: Clip, path: Path, seed: int) -> int:
    cv2.setNumThreads(1)  # one process a core
    return write_video(path, (frame for frame, _ in render_clip(clip, seed)), FPS, clip.rendering.fourcc)


def _make_room(corpus: str, folder: Path, planned: list[Path], stamp: dict) -> None:
    """Remove the clips of another rendering from `folder`, so that two never mix, and leave this one's `stamp`."""
    try:
        same = json.loads((folder / STAMP).read_text(encoding="utf-8")) == stamp
    except (OSError, ValueError):
        same = False
    rendering, wanted = _rendering(corpus), set(planned)
    others = [p for p in folder.glob("*/*") if p.suffix.lower() == rendering.ending and not p.name.startswith(".")]
    others = [path for path in others if path not in wanted or not same]
    for path in others:
        try:
            synthetic = rendering.shown(path.stem).actor >= rendering.first_actor
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
    clips: int,
    seed: int,
    processes: int | None = None,
    progress: bool = True,
) -> list[Path]:
    """Render a corpus below `folder`; clips of this very rendering that are there already stay.

    Those of another one (seed, number of clips or actors, renderer, OpenCV) are removed; ``rendering.json`` tells.

    Parameters
    ----------
    corpus
        ``cremad``: ``VideoFlash/9001_IEO_ANG_HI.flv`` (480x360, FLV1) with ``VideoDemographics.csv`` and
        ``SentenceFilenames.csv``; ``ravdess``: ``Actor_91/01-01-05-02-01-01-91.mp4`` (640x360, MPEG-4).
    actors, clips
        Number of actors, and of clips in all.
    seed
        The same seed gives the same bytes, however many processes share the work.
    processes
        Worker processes, by default one a core; 1 renders in this process.

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
    rendering = _rendering(corpus)
    if rendering.tables is not None:
        people = [cast(rendering.first_actor + k) for k in range(actors)]
        for name, (header, rows) in rendering.tables(people, [clip.name for clip in planned]).items():
            write_csv(folder / name, header, rows)
    processes = min(processes or len(os.sched_getaffinity(0)), len(jobs)) if jobs else 1
    with tqdm(
        total=sum(job[0].frames for job in jobs), unit="frame", desc=f"{corpus} sample", disable=not progress
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
