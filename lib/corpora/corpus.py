"""The record that describes a corpus to the study. `lib.corpora.registry` lists all records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lib.base.problems import InputProblem
from lib.base.tables import pd

#: Frames per second of both corpora.
FPS = 30000 / 1001

#: Name of the assumption that decides how a corpus' clips are cut into windows, by the corpus' role.
ROLES = {"training": "window_rule", "transfer": "transfer_window_rule"}


class Shown(NamedTuple):
    """What a clip shows according to its file name."""

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
        Number of the first actor, above the real numbers, so that nobody mistakes drawn actors for real people; and
        the number of actors that can be drawn.
    frames
        Frames of a clip at the quantiles of `lib.synthetic.corpus`, as in the real corpus.
    shares
        Relative frequency of each emotion.
    takes
        Returns the names of all clips that the real corpus' design has for an actor and an emotion.
    shown
        Reads such a name; raises ValueError for any other.
    folder
        Returns the folder of an actor's clips, relative to the corpus' folder.
    sentences
        The order of an actor's clips; if empty, they are ordered by emotion.
    broken
        Whether a few clips are cut short, as in the real corpus.
    tables
        Returns the corpus' tables for the actors and the clips' names: header and rows, by file name.
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
    """What the study needs to know of a corpus.

    Attributes
    ----------
    name, title
        The name in paths, files and on command lines (``cremad``); the name that its publishers use (``CREMA-D``).
    role
        ``training``: networks are trained and tested on it. ``transfer``: they are only tested on it.
    list_clips
        Returns the table of clips (`lib.corpora.folder.CLIP_COLUMNS`) in a folder, and its problems.
    options
        Parameters of `list_clips`, each with the name of the assumption that sets it.
    actors, clips
        The numbers of the published actors, and the number of published clips that `list_clips` selects.
    rendering
        How to draw a small corpus in its layout, or None.
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
        """Name of the assumption that decides how the clips are cut into windows."""
        return ROLES[self.role]

    @property
    def cuts(self) -> tuple[str, ...]:
        """Names of the assumptions that decide the sequences, in addition to those that decide the faces."""
        return (self.window_rule, "window_minimum_frames", "window_trimmed_frames", "window_face_share")

    def listed(self, folder: Path, settings: Mapping[str, Any]) -> tuple[pd.DataFrame, list[InputProblem]]:
        """Call `list_clips` with the options that `settings` give."""
        return self.list_clips(folder, **{option: settings[name] for option, name in self.options.items()})
