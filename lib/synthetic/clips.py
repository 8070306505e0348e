"""List the clips of a rendered corpus: a random selection, or all clips in a real corpus' records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.corpora.corpus import Rendering, Shown
from lib.corpora.registry import CORPORA
from lib.corpora.twins import TWINS, Mixture, Person

#: Used in place of a number of clips: all recorded clips of the first actors, see `lib.corpora.twins`.
RECORDED = "recorded"
#: Quantiles of the clips' lengths in `Rendering.frames`.
_QUANTILES = (0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1)


def rendering_of(corpus: str) -> Rendering:
    """How `corpus` is rendered; ValueError for a corpus that is not."""
    known = {name: entry.rendering for name, entry in CORPORA.items() if entry.rendering is not None}
    if corpus not in known:
        raise ValueError(f"unknown corpus {corpus!r}: {' or '.join(known)}")
    return known[corpus]


@dataclass(frozen=True)
class Clip:
    """One clip to render: `name` is its file's stem, `frames` its length.

    ``mixtures`` are the expressions that it shows one after another; if empty, it shows the emotion in its name.
    ``person`` is what is published of the actor; if None, the actor's number decides. ``face`` is False for a clip
    without a face.
    """

    corpus: str
    name: str
    frames: int
    mixtures: tuple[Mixture, ...] = ()
    person: Person | None = None
    face: bool = True

    @property
    def rendering(self) -> Rendering:
        """How its corpus is rendered."""
        return rendering_of(self.corpus)

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
    """Lengths of `clips` clips in random order, drawn at evenly spaced quantiles of the real distribution.

    CREMA-D's usable clips have 38 frames and more, but its broken ones are shorter. So about one clip in 150 (at least
    one of 60) is cut to 20-34 frames, and the study must leave it out.
    """
    shares = (np.arange(clips) + rng.uniform(0.25, 0.75, clips)) / max(clips, 1)
    frames = np.round(np.interp(shares, _QUANTILES, rendering_of(corpus).frames)).astype(int)
    if rendering_of(corpus).broken and clips >= 60:
        short = max(1, round(clips / 150))
        frames[:short] = rng.integers(20, 35, short)
        frames[-1] = max(frames[-1], 112)
    return rng.permutation(frames)


def _recorded(corpus: str, actors: int) -> list[Clip]:
    """The clips of the first `actors` actors of the twin of `corpus`; ValueError if there are not so many."""
    if corpus not in TWINS or not 1 <= actors <= len(TWINS[corpus].actors):
        most = len(TWINS[corpus].actors) if corpus in TWINS else 0
        raise ValueError(f"the records have {most} actors of {corpus}, not {actors}")
    chosen = TWINS[corpus].actors[:actors]
    clips = [Clip(corpus, *recorded) for recorded in TWINS[corpus].clips()]
    return [clip for clip in clips if clip.actor in chosen]


def plan(corpus: str, *, actors: int, clips: int | str, seed: int) -> list[Clip]:
    """List the clips of a corpus: every actor plays each emotion about equally often, neutral a little less often.

    For `RECORDED` in place of a number of clips, list all clips that the real corpus has of its first `actors`.

    Parameters
    ----------
    corpus
        One of `lib.corpora.registry.CORPORA`.
    actors, clips
        Number of actors, number of clips in all; with 7 (RAVDESS: 8) clips per actor or more, each plays all emotions.

    Raises
    ------
    ValueError
        More clips than the real corpus's design has for so many actors, or an unknown corpus.
    """
    rendering = rendering_of(corpus)
    if clips == RECORDED:
        return _recorded(corpus, actors)
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
