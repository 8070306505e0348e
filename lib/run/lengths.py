"""The clips of a study's corpora and their lengths, known before any video is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from typing import Any

from lib.base.emotions import EMOTIONS
from lib.base.problems import InputProblem
from lib.corpora.registry import CORPORA
from lib.corpora.twins import TWINS
from lib.study import Study
from lib.synthetic import Clip, plan
from lib.synthetic.clips import RECORDED

_USUAL = 120  # frames of a clip of a corpus with unknown lengths


@cache
def _planned(corpus: str, *rendering: tuple[str, Any]) -> tuple[Clip, ...]:
    return tuple(plan(corpus, **dict(rendering)))


def rendered(study: Study, corpus: str) -> tuple[Clip, ...]:
    """The clips of `corpus` that the study renders, calm and surprised ones included; empty for a real corpus."""
    return _planned(corpus, *(study.rendering(corpus) or {}).items()) if study.render else ()


def used(study: Study, corpus: str, present: Collection[int] = ()) -> dict[int, list[int]]:
    """The actors of `corpus` that `study` uses, each with the frames of the clips with one of the six emotions.

    Parameters
    ----------
    present
        Actors in the corpus' folder. They come first: a study of the first two actors takes the first two of these.
    """
    clips, shift, known = rendered(study, corpus), 0, CORPORA[corpus]
    if not study.render and corpus in TWINS:
        twin = {"actors": len(TWINS[corpus].actors), "clips": RECORDED, "seed": 0}
        with suppress(InputProblem):  # altered records, which whoever needs their contents reports
            clips, shift = _planned(corpus, *twin.items()), TWINS[corpus].shift
    lengths: dict[int, list[int]] = defaultdict(list)
    for clip in clips:
        if clip.emotion in EMOTIONS:
            lengths[clip.actor - shift].append(clip.frames)
    if not clips and known.actors:
        lengths |= {actor: [_USUAL] * (known.clips // len(known.actors)) for actor in known.actors}
    actors = [*sorted(present), *(actor for actor in lengths if actor not in present)]
    return {actor: lengths[actor] for actor in actors[: study.corpora[corpus].get("actors")]}
