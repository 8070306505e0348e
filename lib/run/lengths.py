"""The clips of a study's corpora and their lengths, known before any video is there."""

from __future__ import annotations

from functools import cache
from typing import Any

from lib.base.emotions import EMOTIONS
from lib.corpora.registry import CORPORA
from lib.study import Study
from lib.synthetic import Clip, plan

_LIKE_IT = {"actors": 3, "clips": 60, "seed": 1}  # a rendering whose clips stand for those of a real corpus
_USUAL = 120  # frames of a clip of a corpus with unknown lengths


@cache
def _planned(corpus: str, *rendering: tuple[str, Any]) -> tuple[Clip, ...]:
    return tuple(plan(corpus, **dict(rendering)))


def rendered(study: Study, corpus: str) -> tuple[Clip, ...]:
    """The clips of `corpus` that the study renders, calm and surprised ones included; empty for a real corpus."""
    return _planned(corpus, *(study.rendering(corpus) or {}).items()) if study.render else ()


def clip_lengths(study: Study, corpus: str) -> tuple[list[int], float]:
    """Frames of some clips with one of the six emotions, and the number of clips for which each stands.

    A real corpus has the published number of clips, with lengths like those of a rendered one.
    """
    if CORPORA[corpus].rendering is None:
        return [_USUAL], CORPORA[corpus].clips
    clips = rendered(study, corpus) or _planned(corpus, *_LIKE_IT.items())
    lengths = [clip.frames for clip in clips if clip.emotion in EMOTIONS]
    return lengths, 1 if study.render else CORPORA[corpus].clips / len(lengths)
