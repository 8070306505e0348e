"""Split sequences into training, validation and test. A protocol is a function; the study's file names one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from lib.base.paths import ROOT
from lib.base.problems import InputProblem
from lib.corpora.records import committed
from lib.corpora.twins import TWINS

PARTS = ("train", "validation", "test")

#: The published folds, see records/README.md.
FOLDS = ROOT / "records" / "cremad_folds_mae_dfer.csv"

#: Random splits over actors, of which the best balanced one is taken.
DRAWS = 2000

#: Weight of a part's size relative to its shares of sexes and emotions. On CREMA-D, 25 seeds: sizes within 11
#: sequences (25 at a weight of 1), women within 2.6 points of their share (one actor of 12 is 8), emotions within 0.7.
SIZE_WEIGHT = 20


def sizes(total: int, stated: Sequence[int]) -> tuple[int, int, int]:
    """Sequences in each part: as `stated` if `total` is their sum, else in the same proportions.

    The paper states 5000, 1000 and 1704 (III-B). Scaled sizes are rounded down; the remainder goes to the test part.
    """
    whole = sum(stated)
    train, validation = (total * part // whole for part in stated[:2])
    return train, validation, total - train - validation


def by_sequence(table: pd.DataFrame, parts: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Split at random over sequences, as the paper appears to: an actor, even a clip, may be in several parts."""
    names = np.repeat(PARTS, parts)
    assigned = np.empty(len(table), dtype=object)
    assigned[rng.permutation(len(table))] = names
    return assigned


def by_clip(table: pd.DataFrame, parts: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Split at random over clips: all windows of a clip are in one part, an actor may be in several.

    Clips are taken in random order, and each goes to the first part that still has room for all its windows. The
    sizes are exact if enough clips with one window come late (97 % of CREMA-D's have one); at worst a part differs by
    one less than the windows of the longest clip.
    """
    _, row_clip, windows = np.unique(table["clip"].to_numpy(str), return_inverse=True, return_counts=True)
    room = list(parts)
    part_of_clip = np.empty(len(windows), dtype=int)
    for i in rng.permutation(len(windows)):
        part = next((p for p, free in enumerate(room) if free >= windows[i]), int(np.argmax(room)))
        room[part] -= windows[i]
        part_of_clip[i] = part
    return np.array(PARTS, dtype=object)[part_of_clip[row_clip]]


def by_actor(table: pd.DataFrame, parts: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Split over actors: each actor is in one part, and sex and emotion are balanced.

    Actors are shuffled :data:`DRAWS` times and cut where the sizes are nearest to the stated ones. Of these splits
    the one is taken whose numbers of sequences (in all, by sex, by emotion and by both) are nearest to the table's
    proportions: the smallest sum of (count - expected)^2 / expected, in which the size has the weight
    :data:`SIZE_WEIGHT`. This is rerandomisation (Morgan & Rubin 2012, doi:10.1214/12-AOS1008). scikit-learn's group
    splitters either balance equal folds or take shares of the groups, so none gives parts of 65, 13 and 22 % of the
    sequences.

    With more than a few actors, a part's size differs from the stated one by less than one actor's sequences; on
    CREMA-D by about ten.

    Raises
    ------
    ValueError
        If there are fewer actors than parts.
    """
    table = table.reset_index(drop=True)
    sex, emotion = table["sex"].fillna("unknown"), table["emotion"]
    kinds = [pd.get_dummies(kind, dtype=int) for kind in (sex, emotion, sex + " " + emotion)]
    kinds.insert(0, pd.DataFrame({"all": 1}, table.index))
    counts = pd.concat(kinds, axis=1).groupby(table["actor"]).sum()
    if len(counts) < len(PARTS):
        raise ValueError(f"{len(counts)} actors cannot be split into training, validation and test")
    expected = np.outer(parts, counts.sum() / len(table))
    orders = rng.permuted(np.tile(np.arange(len(counts)), (DRAWS, 1)), axis=1)
    sums = np.cumsum(counts.to_numpy()[orders], axis=1)  # (draws, actors, kinds)
    draws = np.arange(DRAWS)
    # cut after the actor with whom the size is nearest to the stated one; keep an actor for every part
    first = np.abs(sums[:, :-2, 0] - parts[0]).argmin(axis=1)
    after = np.abs(sums[:, :-1, 0] - parts[0] - parts[1])
    after[np.arange(len(counts) - 1) <= first[:, None]] = np.iinfo(after.dtype).max
    second = after.argmin(axis=1)
    upto = np.stack([np.zeros_like(sums[:, 0]), sums[draws, first], sums[draws, second], sums[:, -1]], axis=1)
    misfit = (np.diff(upto, axis=1) - expected) ** 2 / np.maximum(expected, 1)
    misfit[..., 0] *= SIZE_WEIGHT
    best = misfit.sum(axis=(1, 2)).argmin()
    part_of_actor = np.empty(len(counts), dtype=int)
    part_of_actor[orders[best]] = np.searchsorted([first[best], second[best]], np.arange(len(counts)))
    return np.array(PARTS, dtype=object)[part_of_actor[counts.index.get_indexer(table["actor"])]]


def published_folds(
    table: pd.DataFrame, parts: tuple[int, int, int], rng: np.random.Generator, fold: int
) -> np.ndarray:
    """Test on one of the five published folds of CREMA-D's actors, which MAE-DFER, SVFAP and HiCMAE use.

    The actors of the other folds are shuffled and divided between training and validation, as near to the proportion of
    `parts` as whole actors allow. The actors of CREMA-D's whole twin are in the folds of the real actors.

    Raises
    ------
    InputProblem
        If an actor of `table` is in no fold, or `table` has no actor of the fold or fewer than two others.
    """
    folds = pd.read_csv(committed(FOLDS.name, FOLDS.parent)).set_index("actor")["fold"]
    counts = table["actor"].value_counts().sort_index()
    folds.index += next((twin.shift for twin in TWINS.values() if counts.index.tolist() == [*twin.actors]), 0)
    fold_of = folds.reindex(counts.index)
    rest = counts[fold_of != fold]
    if fold_of.isna().any() or not (fold_of == fold).any() or len(rest) < 2:
        unknown = fold_of.index[fold_of.isna()]
        what = f"does not name the actor {unknown[0]}" if len(unknown) else f"splits too few actors for fold {fold}"
        raise InputProblem(FOLDS, what, "the protocol mae-dfer needs CREMA-D's 91 actors: take the protocol actor")
    rest = rest.iloc[rng.permutation(len(rest))]
    wanted = rest.sum() * parts[1] / (parts[0] + parts[1])
    validating = int(np.abs(rest.cumsum().iloc[:-1] - wanted).to_numpy().argmin()) + 1
    assigned = pd.Series("test", counts.index, dtype=object)
    assigned[rest.index] = ["validation"] * validating + ["train"] * (len(rest) - validating)
    return assigned[table["actor"]].to_numpy()


#: Number of folds of `published_folds`.
FOLD_COUNT = 5

PROTOCOLS: dict[str, Callable[..., np.ndarray]] = {
    "random": by_sequence,
    "clip": by_clip,
    "actor": by_actor,
    "mae-dfer": published_folds,
}


def split(table: pd.DataFrame, protocol: str, stated: Sequence[int], seed: int) -> np.ndarray:
    """Assign every sequence of `table` to a part.

    Parameters
    ----------
    table
        The table of sequences.csv. The protocol ``clip`` reads the column clip, ``actor`` the columns actor, sex and
        emotion, ``mae-dfer`` the column actor.
    protocol
        A name in :data:`PROTOCOLS`.
    stated
        Numbers of sequences for training, validation and test; scaled if they do not add up to the table's rows. With
        ``random`` the parts have these sizes, with ``clip`` and ``actor`` sizes as near as whole clips and actors
        allow; ``mae-dfer`` uses only the proportion of training to validation.
    seed
        The same seed gives the same split. With ``mae-dfer`` it also chooses the fold, ``seed % 5 + 1``: five
        consecutive seeds test every actor once.

    Returns
    -------
    numpy.ndarray
        Of str, one of :data:`PARTS` for each row.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown split protocol {protocol!r}; known are {', '.join(PROTOCOLS)}")
    fold = {"fold": seed % FOLD_COUNT + 1} if protocol == "mae-dfer" else {}
    return PROTOCOLS[protocol](table, sizes(len(table), stated), np.random.default_rng([seed, 0]), **fold)
