"""A third corpus, as somebody would add it: this file, and its record in `lib.corpora.registry.CORPORA`.

Layout: ``films/<actor>-<emotion>-<turn>.mp4``, in the words of the study itself.
"""

from __future__ import annotations

import re
from pathlib import Path

from lib.base.emotions import EMOTIONS
from lib.base.problems import InputProblem
from lib.corpora.corpus import Corpus, Rendering, Shown
from lib.corpora.folder import read_names, usable_clips

NAME = "third"
_NAME = re.compile(rf"(\d{{3}})-({'|'.join(EMOTIONS)})-(\d)", re.ASCII)


def shown(name: str) -> Shown:
    """What the file stem `name` states; ValueError if it is outside the scheme."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not ACTOR-EMOTION-TURN such as 501-happy-1")
    return Shown(int(match[1]), match[2], "01", "normal")


def list_clips(folder):
    """Clips in `folder`, and the files that are none."""
    files = sorted((Path(folder) / "films").glob("*"))
    stated, problems = read_names(files, folder, ".mp4", lambda clip: shown(clip)._asdict(), "Third")
    if not stated:
        raise InputProblem(folder, "holds no clip", "name the folder that holds films")
    clips, unusable = usable_clips(NAME, stated)
    return clips, problems + unusable


CORPUS = Corpus(
    name=NAME,
    title="Third",
    role="transfer",
    list_clips=list_clips,
    rendering=Rendering(
        studio="white",
        ending=".mp4",
        fourcc="mp4v",
        first_actor=501,
        most_actors=9,
        frames=tuple(range(36, 66, 2)),
        shares=dict.fromkeys(EMOTIONS, 1),
        takes=lambda actor, emotion: [f"{actor}-{emotion}-{turn}" for turn in (1, 2)],
        shown=shown,
        folder=lambda actor: "films",
    ),
)
