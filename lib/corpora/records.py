"""What is known of CREMA-D without its videos: clips, lengths, actors, crowd votes.

A clone of https://github.com/CheyneyComputerScience/CREMA-D without git-lfs holds a Git-LFS pointer in place of
every media file, and a pointer states the file's size and SHA-256. The sound is 16 kHz, 16 bit, mono with a
header of 44 bytes, so its size gives the clip's duration. `read_clone` reads such a clone (or a full one);
``records/`` has the result as committed tables, which `clips` reads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.base.checksums import sha256
from lib.base.emotions import EMOTIONS
from lib.base.files import write_table, write_text
from lib.base.paths import PAPER, ROOT
from lib.base.problems import InputProblem
from lib.base.tables import pd
from lib.corpora.corpus import FPS
from lib.corpora.cremad import parse_name, read_demographics, takes
from lib.corpora.pointers import Pointer, read_pointer

RECORDS = ROOT / "records"

#: File with the checksums of the committed tables, in the format of ``sha256sum``.
SUMS = "SHA256SUMS"

_EDITED = {"claims.csv"}  # edited by hand for each new claim, so without checksum; notebook 08 recomputes it

#: The crowd's answers, in the order of the columns of CREMA-D's ``tabulatedVotes.csv``.
VOTES = {"A": "angry", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}

#: Clips that CREMA-D's README calls bad, with the reason it gives.
BAD = {
    "1076_MTI_NEU_XX": "README: the video has 3 frames",
    "1076_MTI_SAD_XX": "README: the video shows an error picture and no face",
    "1064_TIE_SAD_XX": "README: the video has 18 frames and states no duration",
}

#: The clip whose label is right for a part of it only, according to the same README.
MIXED = {"1064_IEO_DIS_MD": "README: the video runs about a minute and shows all emotions"}

_WAV_HEADER, _WAV_RATE = 44, 32000  # bytes, bytes per second
_USUAL_RATE = (30_000, 300_000)  # FLV bytes per second of sound; all but four clips lie between 43,000 and 198,000


@dataclass(frozen=True)
class Records:
    """Tables of a clone: `clips`, `actors`, `votes` (of raters who saw the face only) and `findings`."""

    clips: pd.DataFrame
    actors: pd.DataFrame
    votes: pd.DataFrame
    findings: pd.DataFrame


def committed(name: str, folder: str | os.PathLike = RECORDS) -> Path:
    """Path of a committed table of ``records/`` or ``paper/``, checked, since a changed digit would go unnoticed.

    Raises
    ------
    InputProblem
        If its SHA-256 is not the one in ``SHA256SUMS``. In a folder without that file nothing is compared.
    """
    path, sums = Path(folder) / name, Path(folder) / SUMS
    try:
        if name in _EDITED or (not sums.exists() and sums.parent not in (RECORDS, PAPER)):
            path.stat()
            return path
        lines = sums.read_text(encoding="utf-8").splitlines()
        listed = {file: value for value, _, file in (line.partition("  ") for line in lines)}
        if sha256(path) != listed.get(name):
            raise InputProblem(
                path, "is not the table of this checkout (another SHA-256)", f"run `git checkout {path.parent.name}`"
            )
    except OSError as error:
        text = f"cannot be read ({error.strerror})"
        raise InputProblem(error.filename or path, text, f"run `git checkout {path.parent.name}`") from None
    return path


def _media(path: Path) -> Pointer:
    """Size and SHA-256 of the media file `path`, or of the file that the pointer `path` stands for."""
    try:
        pointer = read_pointer(path)
        if pointer is None:
            pointer = Pointer(sha256(path), path.stat().st_size)
    except OSError as error:
        raise InputProblem(path, f"cannot be read ({error.strerror})", "clone CREMA-D again") from error
    return pointer


def _read_votes(path: Path) -> pd.DataFrame:
    """Read the votes on the face only from ``tabulatedVotes.csv``: rows 2xxxxx (1xxxxx: voice, 3xxxxx: both)."""
    try:
        raw = pd.read_csv(path, index_col=0)
        face = raw[raw.index // 100_000 == 2]
        return face.rename(columns={"fileName": "clip"})[["clip", *VOTES]].sort_values("clip", ignore_index=True)
    except (OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        text = " ".join(str(error).split())
        raise InputProblem(path, f"is not CREMA-D's table of votes ({text})", "clone CREMA-D again") from error


def _findings(clips: pd.DataFrame, sounds: pd.Series) -> pd.DataFrame:
    """List clips that CREMA-D's README calls bad or mixed, and clips with suspicious pointers."""
    named = [(clip, kind, why) for kind, known in (("bad", BAD), ("mixed", MIXED)) for clip, why in known.items()]
    rows = [row for row in named if row[0] in set(clips["clip"])]
    for _, same in clips.groupby(sounds):
        for clip in same["clip"] if len(same) > 1 else []:
            other = ", ".join(c for c in same["clip"] if c != clip)
            rows.append((clip, "suspicious", f"its sound is byte for byte that of {other}"))
    rate = clips["flv_bytes"] / clips["seconds"]
    for clip, value in zip(clips["clip"], rate, strict=True):
        if not _USUAL_RATE[0] < value < _USUAL_RATE[1] and clip not in BAD | MIXED:
            times = value / rate.median()
            rows.append((clip, "suspicious", f"its video is {times:.1f} times the usual size for its sound"))
    return pd.DataFrame(rows, columns=["clip", "finding", "reason"]).sort_values("clip", ignore_index=True)


def read_clone(folder: str | os.PathLike) -> Records:
    """Read a clone of CREMA-D, with Git-LFS pointers or with the media themselves.

    Parameters
    ----------
    folder
        The clone: ``VideoFlash``, ``AudioWAV``, ``VideoDemographics.csv`` and
        ``processedResults/tabulatedVotes.csv``.

    Returns
    -------
    Records
        ``clips``: clip, seconds (float, of the sound), flv_bytes (int), flv_sha256. ``actors``: see
        `lib.corpora.cremad.read_demographics`. ``votes``: clip, A, D, F, H, N, S (int). ``findings``: clip, finding
        (``bad``, ``mixed`` or ``suspicious``), reason.

    Raises
    ------
    InputProblem
        If a file is missing or has another format, or a name does not follow CREMA-D's scheme.
    """
    folder = Path(folder)
    videos = sorted((folder / "VideoFlash").glob("*.flv"))
    if not videos:
        raise InputProblem(folder / "VideoFlash", "holds no clip", "give the folder of CREMA-D's clone")
    rows, sounds = [], []
    for path in videos:
        try:
            parse_name(path.stem)
        except ValueError as error:
            raise InputProblem(path, str(error), "rename or remove it") from None
        video, sound = _media(path), _media(folder / "AudioWAV" / f"{path.stem}.wav")
        seconds = (sound.bytes - _WAV_HEADER) / _WAV_RATE
        rows.append((path.stem, seconds, video.bytes, video.sha256))
        sounds.append(sound.sha256)
    clips = pd.DataFrame(rows, columns=["clip", "seconds", "flv_bytes", "flv_sha256"])
    return Records(
        clips=clips,
        actors=read_demographics(folder / "VideoDemographics.csv"),
        votes=_read_votes(folder / "processedResults" / "tabulatedVotes.csv"),
        findings=_findings(clips, pd.Series(sounds)),
    )


def write(clone: str | os.PathLike, folder: str | os.PathLike = RECORDS) -> Records:
    """Read `clone` and write its tables to `folder` as ``cremad_{clips,actors,votes,findings}.csv``."""
    records = read_clone(clone)
    for name in ("clips", "actors", "votes", "findings"):
        write_table(getattr(records, name), Path(folder) / f"cremad_{name}.csv")
    sums = [f"{sha256(path)}  {path.name}\n" for path in sorted(Path(folder).glob("*.csv"))]
    write_text(Path(folder) / SUMS, "".join(sums))
    return records


def clips(folder: str | os.PathLike = RECORDS) -> pd.DataFrame:
    """Read all 7,442 clips of CREMA-D as its records describe them.

    Returns
    -------
    pandas.DataFrame
        One row per clip: clip, actor, emotion, sentence, level, sex, age, race, ethnicity, seconds (of the sound),
        frames (int, from `frames_of`), flv_bytes, flv_sha256, finding and reason (``""`` if there is no finding).
    """
    folder = Path(folder)
    table = pd.read_csv(committed("cremad_clips.csv", folder))
    named = pd.DataFrame([{"clip": clip, **parse_name(clip)} for clip in table["clip"]])
    actors = pd.read_csv(committed("cremad_actors.csv", folder), dtype={"age": "Int64"})
    findings = pd.read_csv(committed("cremad_findings.csv", folder))
    table.insert(2, "frames", frames_of(table["seconds"]))
    whole = (
        named.merge(actors, on="actor", how="left", validate="many_to_one")
        .merge(table, on="clip", validate="one_to_one")
        .merge(findings, on="clip", how="left", validate="one_to_one")
    )
    return whole.fillna({"finding": "", "reason": ""})


def recorded(table: pd.DataFrame, folder: str | os.PathLike = RECORDS) -> pd.Series:
    """Whether each clip of a study is CREMA-D's published file, that is, has the SHA-256 that the records state.

    Parameters
    ----------
    table
        The table of clips.csv, of any corpus: columns clip and sha256.

    Returns
    -------
    pandas.Series
        bool, with the index of `table`. False for another video with a name from CREMA-D, or a re-encoded one.
    """
    published = pd.read_csv(committed("cremad_clips.csv", folder)).set_index("clip")["flv_sha256"]
    return table["clip"].map(published).eq(table["sha256"])


def missing_clips(table: pd.DataFrame) -> pd.DataFrame:
    """Clips of CREMA-D's full design that are not in `table`.

    The design has 82 clips per actor, see `lib.corpora.cremad.takes`.
    """
    names = {name for actor in table["actor"].unique() for emotion in EMOTIONS for name in takes(actor, emotion)}
    absent = sorted(names - set(table["clip"]))
    return pd.DataFrame(
        [{"clip": clip, **parse_name(clip)} for clip in absent],
        columns=["clip", "actor", "emotion", "sentence", "level"],
    )


def frames_of(seconds: pd.Series, estimate: str = "nearest") -> pd.Series:
    """Frames of clips that last `seconds`, at 30000/1001 frames per second.

    Parameters
    ----------
    seconds
        Durations of the sound.
    estimate
        ``nearest`` rounds to the nearest frame (what decoding gave for 6 of 7 clips, one less for the other);
        ``begun`` counts every frame that begins within the sound.
    """
    exact = seconds * FPS
    if estimate not in ("nearest", "begun"):
        raise ValueError(f"unknown estimate {estimate!r}; known are nearest, begun")
    return (exact.round() if estimate == "nearest" else np.floor(exact) + 1).astype("int64")
