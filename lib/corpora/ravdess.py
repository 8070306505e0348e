"""RAVDESS' folders as the table of clips, which has the same columns for all corpora.

Layout (Livingstone & Russo 2018, Zenodo record 1188976): ``Actor_NN/MM-VV-EE-II-SS-RR-AA.mp4``, as the
archives ``Video_Speech_Actor_NN.zip`` unpack, with or without a folder named after the archive around it.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

from lib.base.emotions import EMOTIONS, RAVDESS_CODES
from lib.base.problems import InputProblem
from lib.base.tables import pd
from lib.corpora.corpus import Corpus, Rendering, Shown
from lib.corpora.folder import read_names, usable_clips

NAME = "ravdess"

#: Modality of a take: with sound, without, sound only.
MODALITIES = {"01": "audio-video", "02": "video-only", "03": "audio-only"}

#: What the actors say.
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}

_INTENSITIES = {"01": "normal", "02": "strong"}
_SPEECH = "01"
_NAME = re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d{2})", re.ASCII)


def parse_name(clip: str) -> dict:
    """Return the codes in the file stem `clip`; raise ValueError if it does not follow the scheme.

    Returns
    -------
    dict
        ``modality, channel, emotion, intensity, statement, repetition`` (two digits) and ``actor`` (int).
    """
    match = _NAME.fullmatch(clip)
    if match is None:
        raise ValueError(f"{clip!r} is not MM-VV-EE-II-SS-RR-AA such as 01-01-05-02-02-01-01")
    names = ["modality", "channel", "emotion", "intensity", "statement", "repetition"]
    return {**dict(zip(names, match.groups(), strict=False)), "actor": int(match[7])}


def list_clips(folder: str | os.PathLike, modality: str = "01") -> tuple[pd.DataFrame, list[InputProblem]]:
    """Speech clips of RAVDESS, or of a corpus in its layout, that show one of the six emotions.

    Calm and surprised are left out, as in the paper; so are song and the other modalities, which it does not mention.

    Parameters
    ----------
    folder
        Folder that holds ``Actor_NN`` or ``Video_Speech_Actor_NN/Actor_NN``.
    modality
        ``"01"`` takes the audio-video files, ``"02"`` the video-only files of the same takes.

    Returns
    -------
    tuple
        The table of usable clips (the columns of `lib.corpora.folder.CLIP_COLUMNS`; age, race and ethnicity are not
        published by actor), and the problems: every file of these clips that cannot be used, and every file whose name
        does not follow the scheme.

    Raises
    ------
    InputProblem
        If `folder` has no such clip.
    ValueError
        If `modality` is not one with pictures.
    """
    if modality not in ("01", "02"):
        raise ValueError(f"modality must be '01' or '02', not {modality!r}")
    folder = Path(folder)
    files = sorted({*folder.glob("Actor_*/*"), *folder.glob("*/Actor_*/*")}, key=lambda p: (p.name, str(p)))
    stated, problems = read_names(files, folder, ".mp4", partial(_wanted, modality), "RAVDESS")
    if not stated:
        text = f"holds no {MODALITIES[modality]} speech clip of the six emotions"
        raise InputProblem(folder, text, "give the folder that holds RAVDESS' Actor_01, Actor_02 and so on")
    clips, unusable = usable_clips(NAME, stated)
    return clips, problems + unusable


def _wanted(modality: str, clip: str) -> dict | None:
    """What a file's stem states, None where it is no such clip; ValueError if it is outside the scheme."""
    name = parse_name(clip)
    if (name["modality"], name["channel"]) != (modality, _SPEECH) or name["emotion"] not in RAVDESS_CODES:
        return None
    return {
        "actor": name["actor"],
        "emotion": RAVDESS_CODES[name["emotion"]],
        "sentence": name["statement"],
        "level": _INTENSITIES[name["intensity"]],
        "sex": "male" if name["actor"] % 2 else "female",
    }


#: The emotions of a rendered corpus. A few clips are calm or surprised; the study has to leave them out.
_SHOWN = RAVDESS_CODES | {"02": "calm", "08": "surprised"}


def _takes(actor: int, emotion: str) -> list[str]:
    code = next(code for code, named in _SHOWN.items() if named == emotion)
    strengths = ("01",) if emotion == "neutral" else tuple(_INTENSITIES)
    return [f"01-01-{code}-{i}-{s}-{r}-{actor:02d}" for i in strengths for s in STATEMENTS for r in ("01", "02")]


def _shown(name: str) -> Shown:
    codes = parse_name(name)
    return Shown(codes["actor"], _SHOWN[codes["emotion"]], codes["statement"], _INTENSITIES[codes["intensity"]])


CORPUS = Corpus(
    name=NAME,
    title="RAVDESS",
    role="transfer",
    list_clips=list_clips,
    options={"modality": "transfer_modality"},
    actors=range(1, 25),
    clips=1056,  # speech, one modality, the six emotions
    rendering=Rendering(
        studio="white",
        ending=".mp4",
        fourcc="mp4v",
        first_actor=91,
        most_actors=9,
        # from the 1,440 speech clips
        frames=(88, 88, 90, 92, 96, 99, 104, 109, 116, 124, 129, 140, 145, 153, 157),
        shares={emotion: 20 if emotion != "neutral" else 15 for emotion in EMOTIONS} | {"calm": 4, "surprised": 4},
        takes=_takes,
        shown=_shown,
        folder=lambda actor: f"Actor_{actor:02d}",
    ),
)
