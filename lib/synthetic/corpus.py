"""Two small corpora of rendered clips, laid out and named as CREMA-D and RAVDESS are."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm.auto import tqdm

from lib.base.checksums import code_digest
from lib.base.emotions import CREMAD_CODES, EMOTIONS, RAVDESS_CODES
from lib.base.files import write_text, written_atomically
from lib.base.problems import InputProblem
from lib.base.processes import end_with_parent
from lib.corpora.corpus import FPS
from lib.synthetic.actors import cast
from lib.synthetic.dials import DIALS, Dials
from lib.synthetic.motion import perform
from lib.synthetic.render import render_take
from lib.synthetic.stage import STUDIOS

#: CREMA-D's twelve sentences.
SENTENCES = ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI")
#: What the clips in a folder were rendered with.
STAMP = "rendering.json"
#: First actor of each corpus: beyond the real ones, so that nobody takes these for real people.
FIRST_ACTOR = {"cremad": 9001, "ravdess": 91}
#: Frames of a clip at the quantiles of `_QUANTILES`: CREMA-D from the lengths of its 7,442 sound files times
#: 30000/1001, RAVDESS from its 1,440 speech clips.
_QUANTILES = (0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1)
_FRAMES = {
    "cremad": (38, 42, 47, 49, 55, 58, 66, 75, 85, 95, 104, 121, 129, 144, 150),
    "ravdess": (88, 88, 90, 92, 96, 99, 104, 109, 116, 124, 129, 140, 145, 153, 157),
}
_ENDING = {"cremad": (".flv", "FLV1"), "ravdess": (".mp4", "mp4v")}
_CODES = {
    "cremad": {emotion: code for code, emotion in CREMAD_CODES.items()},
    "ravdess": {emotion: code for code, emotion in RAVDESS_CODES.items()} | {"calm": "02", "surprised": "08"},
}
#: Shares of the emotions. CREMA-D has 1,087 neutral clips and 1,271 of each other emotion. RAVDESS also holds
#: calm and surprised clips, of which these corpora keep a few so that leaving them out is put to the test.
_SHARES = {
    "cremad": {e: 1271 if e != "neutral" else 1087 for e in EMOTIONS},
    "ravdess": {e: 20 if e != "neutral" else 15 for e in EMOTIONS} | {"calm": 4, "surprised": 4},
}


@dataclass(frozen=True)
class Clip:
    """One clip to render: `name` is its file's stem, `frames` its length."""

    corpus: str
    name: str
    frames: int

    @property
    def actor(self) -> int:
        """Number of the actor."""
        return int(self.name[:4] if self.corpus == "cremad" else self.name[-2:])

    @property
    def emotion(self) -> str:
        """One of the six emotions, or ``calm`` or ``surprised``."""
        code = self.name.split("_")[2] if self.corpus == "cremad" else self.name[6:8]
        return next(emotion for emotion, known in _CODES[self.corpus].items() if known == code)

    @property
    def sentence(self) -> str:
        """CREMA-D's code of the sentence or RAVDESS's number of the statement."""
        return self.name[5:8] if self.corpus == "cremad" else self.name[12:14]

    @property
    def level(self) -> str:
        """XX, LO, MD, HI, or ``normal``, ``strong``."""
        if self.corpus == "cremad":
            return self.name.split("_")[3]
        return "strong" if self.name[9:11] == "02" else "normal"

    def path(self, folder: Path) -> Path:
        """Where the clip lies below the corpus folder."""
        where = "VideoFlash" if self.corpus == "cremad" else f"Actor_{self.actor:02d}"
        return Path(folder) / where / (self.name + _ENDING[self.corpus][0])


def _takes(corpus: str, actor: int, emotion: str) -> list[str]:
    """Names of all clips that `actor` could play with `emotion`, as the real corpus has them."""
    code = _CODES[corpus][emotion]
    if corpus == "cremad":
        levels = {"IEO": ("XX",) if emotion == "neutral" else ("LO", "MD", "HI")}
        return [f"{actor}_{s}_{code}_{level}" for s in SENTENCES for level in levels.get(s, ("XX",))]
    strengths = ("01",) if emotion == "neutral" else ("01", "02")
    return [f"01-01-{code}-{i}-{s}-{r}-{actor:02d}" for i in strengths for s in ("01", "02") for r in ("01", "02")]


def _lengths(corpus: str, clips: int, rng) -> np.ndarray:
    """Frames of `clips` clips in random order: the real distribution's quantiles, one from each equal share.

    CREMA-D's usable clips have 38 frames and more, yet its broken ones are shorter; so about one clip in 150
    (one at least of 60) is cut to 20-34 frames, which the study must drop.
    """
    shares = (np.arange(clips) + rng.uniform(0.25, 0.75, clips)) / max(clips, 1)
    frames = np.round(np.interp(shares, _QUANTILES, _FRAMES[corpus])).astype(int)
    if corpus == "cremad" and clips >= 60:
        short = max(1, round(clips / 150))
        frames[:short] = rng.integers(20, 35, short)
        frames[-1] = max(frames[-1], 112)
    return rng.permutation(frames)


def plan(corpus: str, *, actors: int, clips: int, seed: int) -> list[Clip]:
    """List the clips of a corpus: every actor plays each emotion about equally often, neutral a little less.

    Parameters
    ----------
    corpus
        ``cremad`` or ``ravdess``.
    actors, clips
        How many actors, and how many clips in all; from 7 (RAVDESS: 8) clips an actor on, everybody plays all.

    Raises
    ------
    ValueError
        More clips than the real corpus's design has for so many actors, or an unknown corpus.
    """
    if corpus not in FIRST_ACTOR:
        raise ValueError(f"unknown corpus {corpus!r}: cremad or ravdess")
    if actors < 1 or clips < 1 or (corpus == "ravdess" and actors > 9):
        raise ValueError(f"{actors} actors with {clips} clips: at least one of each, and at most 9 RAVDESS-like actors")
    rng = np.random.default_rng([seed, *corpus.encode()])
    shares = _SHARES[corpus]
    exact = np.array(list(shares.values())) * clips / sum(shares.values())
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: clips - counts.sum()]] += 1
    deal = np.repeat(list(shares), counts)
    names = []
    for k in range(actors):
        number = FIRST_ACTOR[corpus] + k
        for emotion, count in zip(*np.unique(deal[k::actors], return_counts=True), strict=True):
            takes = _takes(corpus, number, str(emotion))
            if count > len(takes):
                raise ValueError(f"{clips} clips are too many for {actors} actors: {corpus} has no more takes")
            names += rng.permutation(takes)[:count].tolist()
    order = {name: i for i, name in enumerate(names)}
    clips_ = [Clip(corpus, n, int(f)) for n, f in zip(names, _lengths(corpus, clips, rng), strict=True)]
    return sorted(
        clips_, key=lambda c: (c.actor, SENTENCES.index(c.sentence) if corpus == "cremad" else 0, order[c.name])
    )


def render_clip(clip: Clip, seed: int, dials: Dials = DIALS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render `clip`; yields (frame uint8 (h, w, 3) RGB, true landmarks float32 (68, 2) in pixels)."""
    rng = np.random.default_rng([seed, *clip.name.encode()])
    take = perform(cast(clip.actor), clip.emotion, clip.level, clip.sentence, clip.frames, rng, dials)
    yield from render_take(STUDIOS[clip.corpus], clip.actor, take, rng, dials)


def frames_of(path: str | os.PathLike, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Render the clip in the video `path` anew, with its true landmarks; before compression, otherwise equal.

    `seed` is the one that the corpus was rendered with; the number of frames is the file's.
    """
    path = Path(path)
    corpus = next(c for c, (ending, _) in _ENDING.items() if ending == path.suffix)
    yield from render_clip(Clip(corpus, path.stem, _count_frames(path)), seed)


def _count_frames(path: Path) -> int:
    """Frames that the file's header promises; 0 where it cannot be opened."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
    finally:
        capture.release()


def write_video(path: str | os.PathLike, frames: Iterable[np.ndarray], fps: float, fourcc: str) -> int:
    """Write RGB frames to `path` under a temporary name, rename it when complete, and return their number.

    Raises
    ------
    InputProblem
        The encoder is missing, or the file does not hold all frames (a full disk).
    """
    count, writer = 0, None
    with written_atomically(path) as temporary:
        try:
            for frame in frames:
                if writer is None:
                    size = frame.shape[1::-1]
                    code = 2 if fourcc == "FLV1" else cv2.VideoWriter_fourcc(*fourcc)  # 2: FLV's own number
                    writer = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, code, fps, size)
                    if not writer.isOpened():
                        raise InputProblem(
                            path, f"cannot be written as {fourcc}", "reinstall OpenCV from the lock file"
                        )
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
                count += 1
        finally:
            if writer is not None:
                writer.release()
        written = _count_frames(temporary)
        if written != count or count == 0:
            raise InputProblem(
                path, f"holds {written} of {count} frames after writing", "see that the disk has room and run again"
            )
    return count


def _render_file(clip: Clip, path: Path, seed: int) -> int:
    cv2.setNumThreads(1)  # one process a core
    ending, fourcc = _ENDING[clip.corpus]
    return write_video(path, (frame for frame, _ in render_clip(clip, seed)), FPS, fourcc)


def _write_csv(path: Path, header: tuple, rows: list) -> None:
    """Write a CSV in CREMA-D's quoting: text quoted, numbers bare."""
    with written_atomically(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def _make_room(corpus: str, folder: Path, planned: list[Path], stamp: dict) -> None:
    """Remove the clips of another rendering from `folder`, so that two never mix, and leave this one's `stamp`."""
    try:
        same = json.loads((folder / STAMP).read_text(encoding="utf-8")) == stamp
    except (OSError, ValueError):
        same = False
    ending, wanted = _ENDING[corpus][0], set(planned)
    files = [*folder.glob("VideoFlash/*"), *folder.glob("Actor_*/*")]
    others = [p for p in files if p.suffix.lower() == ending and not p.name.startswith(".")]
    others = [path for path in others if path not in wanted or not same]
    for path in others:
        number = path.name[:4] if corpus == "cremad" else path.stem[-2:]
        if not number.isdecimal() or int(number) < FIRST_ACTOR[corpus]:
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
    _make_room(corpus, folder, paths, stamp)
    jobs = [(clip, path, seed) for clip, path in zip(planned, paths, strict=True) if not path.exists()]
    if corpus == "cremad":
        people = [cast(FIRST_ACTOR[corpus] + k) for k in range(actors)]
        rows = [(a.number, a.age, a.sex, a.race, a.ethnicity) for a in people]
        _write_csv(folder / "VideoDemographics.csv", ("ActorID", "Age", "Sex", "Race", "Ethnicity"), rows)
        rows = [(i, clip.name) for i, clip in enumerate(planned, 1)]
        _write_csv(folder / "SentenceFilenames.csv", ("Stimulus_Number", "Filename"), rows)
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
