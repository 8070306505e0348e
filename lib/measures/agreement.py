"""Whether a map of attention lies where something moved, and whether a network's features show who the actor is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

#: Share of the face's pixels, those that moved most, that a map should find.
REGION = 0.2

#: Number of folds of the actor classifier.
FOLDS = 5


def auc(values: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """How well a map finds the pixels that moved most: the area under its ROC curve.

    It is the probability that a pixel of the `REGION` that moved most has a higher value than another one of the face.

    Parameters
    ----------
    values
        float (pixels,): the map, in the face.
    moved
        float (n, pixels): how much each of these pixels moved, in n sequences.

    Returns
    -------
    float64 array, (n,)
        1 for a perfect map, 0.5 for one that does not depend on the movement; NaN if the face is a single pixel.
    """
    pixels = len(values)
    inside = int(np.ceil(REGION * pixels))
    if not 0 < inside < pixels:
        return np.full(len(moved), np.nan)
    region = np.argsort(moved, axis=1, kind="stable")[:, pixels - inside :]
    ranks = rankdata(values)[region].sum(axis=1)
    return (ranks - inside * (inside + 1) / 2) / (inside * (pixels - inside))


def agreement(maps: np.ndarray, moved: np.ndarray, faces: np.ndarray, emotions: Sequence[str]) -> pd.DataFrame:
    """Compare each sequence's map with its own muscles, and with those of sequences that show another emotion.

    The second is chance: a map that prefers one part of the face, whatever the face does, finds muscles of any emotion.

    Parameters
    ----------
    maps, moved
        float (n, rows, columns).
    faces
        bool (n, rows, columns).
    emotions
        Emotion that each sequence shows, n.

    Returns
    -------
    pandas.DataFrame
        One row per sequence: ``own`` and ``others`` (the mean over the other emotions' sequences), see `auc`.
    """
    shown = np.asarray(emotions)
    rows = []
    for i, (values, face) in enumerate(zip(maps, faces, strict=True)):
        scores = auc(values[face], moved[:, face])
        others = scores[shown != shown[i]]
        rows.append({"own": scores[i], "others": others.mean() if len(others) else np.nan})
    return pd.DataFrame(rows, columns=["own", "others"])


def rank_correlation(values: np.ndarray, moved: np.ndarray) -> float:
    """Spearman's correlation of two series; NaN if one is constant."""
    return float(spearmanr(values, moved).statistic)


def predict_actors(features: np.ndarray, table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Predict each sequence's actor from its features, by a logistic regression that was trained on other clips.

    Parameters
    ----------
    features
        float (n, features).
    table
        ``clip`` and ``actor`` of the n sequences. All windows of a clip are in one fold; folds are stratified by actor.
    seed
        Of the folds.

    Returns
    -------
    pandas.DataFrame
        ``clip``, ``actor`` and ``predicted`` of each sequence, in the order of `table`.

    Raises
    ------
    ValueError
        If there are fewer than two actors, or an actor has one clip only.
    """
    actors, clips = table["actor"].to_numpy(), table["clip"].to_numpy()
    fewest = int(table.drop_duplicates("clip")["actor"].value_counts().min())
    if len(np.unique(actors)) < 2 or fewest < 2:
        raise ValueError(f"{len(np.unique(actors))} actors, of whom one has {fewest} clips: too few")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    with threadpool_limits(1):  # sums in the same order on every machine
        predicted = cross_val_predict(model, np.asarray(features, float), actors, groups=clips, cv=folds)
    return pd.DataFrame({"clip": clips, "actor": actors, "predicted": predicted})
