"""What is recorded of each clip of the real corpora, so that a drawn corpus, the twin, can follow it.

A twin has the design of the real corpus, its missing clips, lengths and actors' demographics. A clip of CREMA-D's twin
shows what the raters of the real clip saw: its expression is a mixture by their votes, its label is the emotion asked
of the actor. There are no votes on RAVDESS' clips here, so those of its twin show the emotion that their name states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import pandas as pd

from lib.base.emotions import EMOTIONS
from lib.corpora import records
from lib.corpora.corpus import FPS

#: Table in a twin's folder that lists its bad and mixed clips, in the form of ``records/cremad_findings.csv``.
FINDINGS = "twin_findings.csv"

#: Frames of the videos that are shorter or longer than their sound, see `lib.corpora.records`.
_FRAMES = {"1076_MTI_NEU_XX": 3, "1064_TIE_SAD_XX": 18, "1064_IEO_DIS_MD": round(60 * FPS)}
_WITHOUT_FACE = "1076_MTI_SAD_XX"

#: Shares of the emotions in one expression; they add up to 1.
Mixture = tuple[tuple[str, float], ...]


class Person(NamedTuple):
    """What is published of an actor."""

    sex: str
    age: int
    race: str
    ethnicity: str


class Recorded(NamedTuple):
    """A clip of a twin.

    Attributes
    ----------
    name
        Its file stem, with the drawn actor's number.
    frames
        Its length.
    mixtures
        The expressions that it shows one after another; if empty, it shows the emotion in its name.
    person
        What is published of the actor, or None.
    face
        Whether it shows a face.
    """

    name: str
    frames: int
    mixtures: tuple[Mixture, ...] = ()
    person: Person | None = None
    face: bool = True


@dataclass(frozen=True)
class Twin:
    """How a corpus' twin is numbered, and what is recorded of the real one.

    Attributes
    ----------
    shift
        Added to a real actor's number to give the drawn one's, so that nobody mistakes drawn actors for real people.
    actors
        Numbers of the drawn actors.
    clips
        Returns all clips, ordered by actor. Do not modify the list: it is read once.
    findings
        Returns the table ``clip, finding, reason`` of the bad and mixed clips.
    """

    shift: int
    actors: range
    clips: Callable[[], list[Recorded]]
    findings: Callable[[], pd.DataFrame]


_CREMAD, _RAVDESS = 8000, 50  # RAVDESS' names have two digits for the actor; odd numbers stay male


def _drawn(name: str) -> str:
    return f"{int(name[:4]) + _CREMAD}{name[4:]}"


def real_name(clip: str) -> str:
    """Name of the real clip of CREMA-D that the twin's `clip` follows."""
    return f"{int(clip[:4]) - _CREMAD}{clip[4:]}"


@cache  # read for each clip that is drawn again
def _cremad() -> list[Recorded]:
    votes = pd.read_csv(records.committed("cremad_votes.csv")).rename(columns=records.VOTES)
    votes["votes"] = votes[list(EMOTIONS)].sum(axis=1)
    clips = records.clips().merge(votes, on="clip", validate="one_to_one")
    clips_of_twin = []
    for row in clips.to_dict("records"):
        shares = tuple((emotion, row[emotion] / row["votes"]) for emotion in EMOTIONS if row[emotion])
        mixed = row["finding"] == "mixed"  # it shows all emotions, one after the other
        clips_of_twin.append(
            Recorded(
                name=_drawn(row["clip"]),
                frames=_FRAMES.get(row["clip"], int(row["frames"])),
                mixtures=tuple(((emotion, 1.0),) for emotion in EMOTIONS) if mixed else (shares,),
                person=Person(row["sex"].title(), int(row["age"]), row["race"], row["ethnicity"]),
                face=row["clip"] != _WITHOUT_FACE,
            )
        )
    return clips_of_twin


def _cremad_findings() -> pd.DataFrame:
    clips = records.clips().query("finding in ('bad', 'mixed')")
    return clips.assign(clip=clips["clip"].map(_drawn))[["clip", "finding", "reason"]]


@cache
def _ravdess() -> list[Recorded]:
    table = pd.read_csv(records.committed("ravdess_frames.csv"))
    named = zip(table["clip"], table["frames"], strict=True)
    return [Recorded(f"{clip[:-2]}{int(clip[-2:]) + _RAVDESS}", int(frames)) for clip, frames in named]


#: The twins, by corpus.
TWINS = {
    "cremad": Twin(_CREMAD, range(9001, 9092), _cremad, _cremad_findings),
    "ravdess": Twin(_RAVDESS, range(51, 75), _ravdess, lambda: pd.DataFrame(columns=["clip", "finding", "reason"])),
}
