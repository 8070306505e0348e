"""The raters as a classifier: the emotions that people saw in CREMA-D's faces, from its published votes."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from lib.base.emotions import EMOTIONS
from lib.corpora.cremad import parse_name
from lib.corpora.records import RECORDS, VOTES, committed, recorded
from lib.measures.uncertainty import over_actors

#: How a clip's votes are turned into answers, see `shares`.
ANSWERS = ("rating", "plurality")


def read_votes(folder: str | os.PathLike = RECORDS) -> pd.DataFrame:
    """Read the votes of raters who saw the face only, one row per clip.

    Returns
    -------
    pandas.DataFrame
        clip, actor, emotion (asked of the actor), sentence, level, and for each emotion a column with the number of
        raters who chose it.
    """
    votes = pd.read_csv(committed("cremad_votes.csv", folder)).rename(columns=VOTES)
    named = pd.DataFrame([{"clip": clip, **parse_name(clip)} for clip in votes["clip"]])
    return named.merge(votes, on="clip", validate="one_to_one")[[*named.columns, *EMOTIONS]]


def of_clips(clips: pd.DataFrame, folder: str | os.PathLike = RECORDS) -> pd.DataFrame:
    """Votes (as from `read_votes`) on those of a study's `clips` that raters saw, compared by SHA-256, not by name.

    Parameters
    ----------
    clips
        The table of clips.csv, see `lib.corpora.records.recorded`.
    """
    votes = read_votes(folder)
    seen = clips.loc[recorded(clips, folder), "clip"]
    return votes[votes["clip"].isin(seen)].reset_index(drop=True)


def shares(votes: pd.DataFrame, answer: str) -> np.ndarray:
    """Share of each emotion among a clip's answers, float64 of shape (clips, 6); each row adds up to 1.

    Parameters
    ----------
    votes
        What `read_votes` gives.
    answer
        ``rating``: each rater's answer counts. ``plurality``: only the most frequent answer counts; a tie is split
        evenly.
    """
    if answer not in ANSWERS:
        raise ValueError(f"unknown answer {answer!r}; known are {', '.join(ANSWERS)}")
    counts = votes[list(EMOTIONS)].to_numpy(dtype=float)
    if answer == "plurality":
        counts = (counts == counts.max(axis=1, keepdims=True)).astype(float)
    return counts / counts.sum(axis=1, keepdims=True)


def score(votes: pd.DataFrame, answer: str) -> pd.DataFrame:
    """Numbers of right answers and of all answers of each clip: ``right`` and ``answers`` (float), index of `votes`.

    With ``rating`` each rating is an answer, with ``plurality`` there is one answer per clip.
    """
    share = shares(votes, answer)
    asked = np.array([EMOTIONS.index(emotion) for emotion in votes["emotion"]])
    right = share[np.arange(len(votes)), asked]
    answers = votes[list(EMOTIONS)].sum(axis=1).to_numpy(float) if answer == "rating" else np.ones(len(votes))
    return pd.DataFrame({"right": right * answers, "answers": answers}, index=votes.index)


def accuracy(votes: pd.DataFrame, answer: str, by: str | None = None) -> float | pd.Series:
    """Share of right answers, over all of `votes` or for each value of the column `by`."""
    scores = score(votes, answer)
    if by is None:
        return float(scores["right"].sum() / scores["answers"].sum())
    sums = scores.groupby(votes[by]).sum()
    return sums["right"] / sums["answers"]


def confusion(votes: pd.DataFrame, answer: str) -> pd.DataFrame:
    """Confusion matrix (float): rows the emotion asked of the actor, columns the raters' answer, as in Figure 5.

    With ``rating`` it counts ratings, with ``plurality`` clips, with ties split.
    """
    weight = score(votes, answer)["answers"].to_numpy()[:, None]
    table = pd.DataFrame(shares(votes, answer) * weight, columns=pd.Index(EMOTIONS, name="answered"))
    return table.groupby(votes["emotion"].to_numpy()).sum().loc[list(EMOTIONS)].rename_axis("asked")


def interval(votes: pd.DataFrame, answer: str) -> tuple[float, float]:
    """95 % interval of the accuracy over actors, see `lib.measures.uncertainty.over_actors`."""
    return over_actors(score(votes, answer), votes["actor"])


def agreement(votes: pd.DataFrame) -> pd.Series:
    """Share of a clip's raters who chose the most frequent answer (CREMA-D's ``agreement``)."""
    counts = votes[list(EMOTIONS)]
    return counts.max(axis=1) / counts.sum(axis=1)
