"""A corpus is one record: all that the study has to know of it. `lib.corpora.registry` lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from lib.base.problems import InputProblem

#: Frames a second of both corpora.
FPS = 30000 / 1001

#: Assumption that says how a corpus' clips are cut into windows, by what the corpus is for.
ROLES = {"training": "window_rule", "transfer": "transfer_window_rule"}


class Shown(NamedTuple):
    """What a clip shows, by its file's name."""

    actor: int
    emotion: str
    sentence: str
    level: str


@dataclass(frozen=True)
class Rendering:
    """How `lib.synthetic` draws a small corpus in the layout of a real one.

    Attributes
    ----------
    studio
        One of `lib.synthetic.stage.STUDIOS`.
    ending, fourcc
        Suffix and codec of a video.
    first_actor, most_actors
        Number of the first actor, beyond the real ones, so that nobody takes these for real people; and how many
        numbers there are.
    frames
        Frames of a clip at the quantiles of `lib.synthetic.corpus`, as in the real corpus.
    shares
        Clips of each emotion relative to each other.
    takes
        Gives the names of all clips that an actor could play with an emotion, as the real corpus has them.
    shown
        Reads such a name; ValueError for another one.
    folder
        Gives the folder of an actor's clips, below the corpus' own.
    sentences
        The order of an actor's clips; empty where it is that of the emotions.
    broken
        Whether a few clips are cut short, as in the real corpus.
    tables
        Gives the tables beside the videos from the actors and the clips' names: header and rows, by file name.
    """

    studio: str
    ending: str
    fourcc: str
    first_actor: int
    most_actors: int
    frames: tuple[int, ...]
    shares: Mapping[str, int]
    takes: Callable[[int, str], list[str]]
    shown: Callable[[str], Shown]
    folder: Callable[[int], str]
    sentences: tuple[str, ...] = ()
    broken: bool = False
    tables: Callable[[Iterable[Any], Iterable[str]], dict[str, tuple[tuple[str, ...], list[tuple]]]] | None = None


@dataclass(frozen=True)
class Corpus:
    """A corpus as the study sees it.

    Attributes
    ----------
    name, title
        In paths, files and on command lines (``cremad``); as its publishers write it (``CREMA-D``).
    role
        Networks are trained on a corpus for ``training``, and only tested on one for ``transfer``.
    list_clips
        The adapter: gives the table of clips (`lib.corpora.folder.CLIP_COLUMNS`) in a folder, and its problems.
    options
        Parameters of `list_clips` and the assumptions that set them.
    actors, clips
        The published actors, and how many published clips `list_clips` takes.
    rendering
        How to draw a small corpus in its layout; None where nobody has to.
    """

    name: str
    title: str
    role: Literal["training", "transfer"]
    list_clips: Callable[..., tuple[pd.DataFrame, list[InputProblem]]]
    options: Mapping[str, str] = field(default_factory=dict)
    actors: range = range(0)
    clips: int = 0
    rendering: Rendering | None = None

    @property
    def window_rule(self) -> str:
        """Assumption that says how the clips are cut into windows."""
        return ROLES[self.role]

    @property
    def cuts(self) -> tuple[str, ...]:
        """Assumptions that decide the sequences, beside those that decide the faces."""
        return (self.window_rule, "window_minimum_frames", "window_trimmed_frames", "window_face_share")

    def listed(self, folder: Path, settings: Mapping[str, Any]) -> tuple[pd.DataFrame, list[InputProblem]]:
        """Call the adapter with its options as `settings` have them."""
        return self.list_clips(folder, **{option: settings[name] for option, name in self.options.items()})
