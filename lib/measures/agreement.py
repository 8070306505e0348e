"""Whether a map of attention lies where something moved, and whether a network's features show who the actor is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from lib.measures.uncertainty import interval, over_actors, ratio

#: Share of the face's pixels, those that moved most, that a map should find.
REGION = 0.2

#: Number of folds of the actor classifier.
FOLDS = 5


def auc(values: np.ndarray, moved: np.ndarray, face: np.ndarray) -> float:
    """How well a map finds the pixels that moved most: the area under its ROC curve.

    It is the probability that a pixel of the `REGION` that moved most has a higher value than another one of the face.

    Parameters
    ----------
    values, moved
        float (rows, columns): the map, and how much each pixel moved.
    face
        bool (rows, columns): the pixels that count.

    Returns
    -------
    float
        1 for a perfect map, 0.5 for one that does not depend on the movement; NaN if the face is a single pixel.
    """
    return float(_aucs(values[face], moved[face][None])[0])


def _aucs(values: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """`auc` of the pixels `values` (pixels,) for each row of `moved` (n, pixels): float64 (n,)."""
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
        scores = _aucs(values[face], moved[:, face])
        others = scores[shown != shown[i]]
        rows.append({"own": scores[i], "others": others.mean() if len(others) else np.nan})
    return pd.DataFrame(rows, columns=["own", "others"])


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of `values`, one for each sequence, and its 95 % interval over them; NaN without an interval."""
    values = np.asarray(values, float)
    sums = pd.DataFrame({"value": values, "all": 1.0})
    return float(values.mean()), *over_actors(sums, ratio)  # here a sequence is the unit


def rank_correlation(values: np.ndarray, moved: np.ndarray) -> float:
    """Spearman's correlation of two series; NaN if one is constant."""
    ranks = rankdata(values), rankdata(moved)
    if any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])


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
        ``actor`` and ``predicted`` of each sequence, in the order of `table`.

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
    return pd.DataFrame({"actor": actors, "predicted": predicted})


def accuracy_interval(predictions: pd.DataFrame) -> tuple[float, float, float]:
    """Share of sequences whose actor is predicted right, and its 95 % interval over actors."""
    low, high = interval(predictions.assign(emotion=predictions["actor"]))
    return float((predictions["predicted"] == predictions["actor"]).mean()), low, high


def accuracy_gain(first: pd.DataFrame, second: pd.DataFrame) -> tuple[float, float, float]:
    """Points by which `second` predicts more actors right than `first`, with its 95 % interval over actors."""
    more = (second["predicted"] == second["actor"]).astype(float) - (first["predicted"] == first["actor"])
    sums = pd.DataFrame({"more": more, "all": 1.0}).groupby(first["actor"]).sum()
    low, high = over_actors(sums, lambda part, whole: 100 * ratio(part, whole))
    return 100 * float(more.mean()), low, high
