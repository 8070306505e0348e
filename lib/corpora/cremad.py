"""CREMA-D's folder as the table of clips, which has the same columns for all corpora.

Layout (Cao et al. 2014, https://github.com/CheyneyComputerScience/CREMA-D): ``VideoFlash/*.flv`` named
``{actor}_{sentence}_{emotion}_{level}``, and ``VideoDemographics.csv`` with one row per actor. What is known of
CREMA-D without its videos is in `lib.corpora.records`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lib.base.emotions import CREMAD_CODES, EMOTIONS
from lib.base.problems import InputProblem
from lib.base.tables import pd
from lib.corpora.corpus import Corpus, Rendering, Shown
from lib.corpora.folder import read_names, usable_clips

NAME = "cremad"

#: What the actors say, by code.
SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}

#: Intensity asked of the actor: unspecified, low, medium, high.
LEVELS = ("XX", "LO", "MD", "HI")

#: Shown where a corpus does not state an actor's sex or a clip's level.
UNKNOWN = "unknown"

_NAME = re.compile(rf"(\d{{4}})_({'|'.join(SENTENCES)})_({'|'.join(CREMAD_CODES)})_({'|'.join(LEVELS)})", re.ASCII)


def in_order(values: pd.Series) -> pd.Categorical:
    """`values` as text in the order of tables: CREMA-D's levels from low to high, everything else by name."""
    texts = values.astype(object).fillna(UNKNOWN).astype(str)
    known = [level for level in LEVELS if level in set(texts)]
    return pd.Categorical(texts, [*known, *sorted(set(texts) - set(known))], ordered=True)


def parse_name(clip: str) -> dict:
    """Return actor (int), sentence, emotion and level of the file stem `clip`; raise ValueError for any other name."""
    match = _NAME.fullmatch(clip)
    if match is None:
        raise ValueError(f"{clip!r} is not ACTOR_SENTENCE_EMOTION_LEVEL such as 1001_DFA_ANG_XX")
    actor, sentence, code, level = match.groups()
    return {"actor": int(actor), "emotion": CREMAD_CODES[code], "sentence": sentence, "level": level}


def read_demographics(path: str | os.PathLike) -> pd.DataFrame:
    """Table ``actor, sex, age, race, ethnicity`` of ``VideoDemographics.csv``, one row per actor.

    Raises
    ------
    InputProblem
        If the file is missing, is not such a table or lists an actor twice.
    """
    remedy = "take VideoDemographics.csv from CREMA-D's repository"
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
        table = pd.DataFrame(
            {
                "actor": raw["ActorID"].astype(int),
                "sex": raw["Sex"].str.strip().str.lower().where(lambda sex: sex.isin(["male", "female"])),
                "age": pd.to_numeric(raw["Age"], errors="coerce")
                .where(lambda age: age.between(0, 150))
                .astype("Int64"),
                "race": raw["Race"].replace("", pd.NA),
                "ethnicity": raw["Ethnicity"].replace("", pd.NA),
            }
        )
    except FileNotFoundError:
        raise InputProblem(path, "is missing, so sex, age and race stay unknown", remedy) from None
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
    ) as error:  # pandas' parser and Unicode errors are ValueErrors
        text = " ".join(str(error).split())
        raise InputProblem(path, f"is not CREMA-D's table of actors ({text})", remedy) from error
    if table["actor"].duplicated().any():
        actor = table.loc[table["actor"].duplicated(), "actor"].iloc[0]
        raise InputProblem(path, f"gives actor {actor} twice", remedy)
    return table


def list_clips(folder: str | os.PathLike) -> tuple[pd.DataFrame, list[InputProblem]]:
    """Clips of CREMA-D, or of a corpus in its layout, in `folder`.

    Parameters
    ----------
    folder
        Folder that holds ``VideoFlash`` and ``VideoDemographics.csv``.

    Returns
    -------
    tuple
        The table of usable clips (`lib.corpora.folder.CLIP_COLUMNS`, one row per clip, sorted), and the problems:
        every file in ``VideoFlash`` that is not used, and actors without demographics, whose clips are used
        nonetheless.

    Raises
    ------
    InputProblem
        If there is no folder ``VideoFlash`` or it has no file.
    """
    folder = Path(folder)
    videos = folder / "VideoFlash"
    files = sorted(p for p in videos.iterdir() if not p.name.startswith(".")) if videos.is_dir() else []
    if not files:
        remedy = "give the folder of CREMA-D that holds VideoFlash and VideoDemographics.csv"
        raise InputProblem(videos, "holds no clip" if videos.is_dir() else "is not a folder", remedy)
    stated, problems = read_names(files, videos, ".flv", parse_name, "CREMA-D")
    people, unlisted = {}, []
    try:
        table = read_demographics(folder / "VideoDemographics.csv")
        people = {row["actor"]: row for row in table.to_dict("records")}
    except InputProblem as problem:
        unlisted.append(problem)
    clips, unusable = usable_clips(NAME, {path: row | people.get(row["actor"], {}) for path, row in stated.items()})
    if people:
        text = "has no line for actor {}, whose sex, age and race stay unknown"
        remedy = "add the actor's line; the clips are used as they are"
        unknown = sorted(set(clips["actor"].tolist()) - set(people))
        unlisted = [InputProblem(folder / "VideoDemographics.csv", text.format(a), remedy) for a in unknown]
    return clips, problems + unusable + unlisted


_CODES = {emotion: code for code, emotion in CREMAD_CODES.items()}


def takes(actor: int, emotion: str) -> list[str]:
    """Names of the clips that the design has for an actor and an emotion.

    Every actor says every sentence in every emotion: sentence IEO once as neutral and in the other five emotions at
    three levels, the other eleven sentences at no stated level.
    """
    levels = {"IEO": LEVELS[:1] if emotion == "neutral" else LEVELS[1:]}
    return [f"{actor}_{s}_{_CODES[emotion]}_{level}" for s in SENTENCES for level in levels.get(s, LEVELS[:1])]


def _tables(actors: Iterable[Any], clips: Iterable[str]) -> dict[str, tuple[tuple[str, ...], list[tuple]]]:
    people = [(a.number, a.age, a.sex, a.race, a.ethnicity) for a in actors]
    return {
        "VideoDemographics.csv": (("ActorID", "Age", "Sex", "Race", "Ethnicity"), people),
        "SentenceFilenames.csv": (("Stimulus_Number", "Filename"), list(enumerate(clips, 1))),
    }


CORPUS = Corpus(
    name=NAME,
    title="CREMA-D",
    role="training",
    list_clips=list_clips,
    actors=range(1001, 1092),
    clips=7442,
    rendering=Rendering(
        studio="cloth",
        ending=".flv",
        fourcc="FLV1",
        first_actor=9001,
        most_actors=999,
        # from the lengths of the 7,442 sound files times 30000/1001
        frames=(38, 42, 47, 49, 55, 58, 66, 75, 85, 95, 104, 121, 129, 144, 150),
        shares={emotion: 1271 if emotion != "neutral" else 1087 for emotion in EMOTIONS},  # clips of each
        takes=takes,
        shown=lambda name: Shown(**parse_name(name)),
        folder=lambda actor: "VideoFlash",
        sentences=tuple(SENTENCES),
        broken=True,
        tables=_tables,
    ),
)
