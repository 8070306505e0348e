"""Baselines on the same sequences: the most frequent emotion, landmark geometry, people.

The classifiers are scikit-learn's. Their predictions are tables like those of `lib.study.results.predictions`, so that
`lib.measures.uncertainty` handles a baseline like a network.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from lib.base.emotions import EMOTIONS
from lib.measures.votes import shares
from lib.sequences.cutting import stored_frames
from lib.study import results

#: Outer corners of the eyes: their line is the horizontal of the face, their distance the unit of length.
OUTER_CORNERS = (36, 45)

#: Measure -> two lists of points: the mean distance between the pairs.
DISTANCES = {
    "mouth width": ([48], [54]),
    "mouth opening": ([61, 62, 63], [67, 66, 65]),
    "nose to lip": ([33], [51]),
    "upper lip": ([51], [62]),
    "lower lip": ([66], [57]),
    "lip to chin": ([57], [8]),
    "jaw": ([33], [8]),
    "brow distance": ([21], [22]),
    "eye opening": ([37, 38, 43, 44], [41, 40, 47, 46]),
    "nose wings to eyes": ([31, 35], [39, 42]),
    "nose width": ([31], [35]),
}

#: Measure -> two lists of points: the height of the first points' mean above the second's.
HEIGHTS = {
    "lip corners": ([48, 54], [51]),
    "inner brows": ([21, 22], [39, 42]),
    "middle brows": ([19, 24], [36, 39, 42, 45]),
    "outer brows": ([17, 26], [36, 45]),
}

MEASURES = (*DISTANCES, *HEIGHTS)
SUMMARIES = ("mean", "sd", "low", "high")

#: Inverse strengths of the ridge penalty; one is chosen on the validation part.
WEIGHTS = (0.01, 0.1, 1.0, 10.0)


def frame_measures(landmarks: np.ndarray) -> np.ndarray:
    """Geometry of faces, independent of their position and size in the frame and of their rotation in its plane.

    Parameters
    ----------
    landmarks : float array, (frames, 68, 2)
        OpenFace's points, pixels.

    Returns
    -------
    float64 array, (frames, 15)
        :data:`MEASURES`, in units of the distance between the outer corners of the eyes; not finite if that is 0.

    Notes
    -----
    The usual distances of mouth, brows, eyes and nose, without a neutral face of the person to compare with: as
    in Saeed et al. 2014, Frame-based facial expression recognition using geometrical features, Advances in
    Human-Computer Interaction 2014, 408953, doi:10.1155/2014/408953.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        points = np.asarray(landmarks, dtype=np.float64) @ [1, 1j]
        right, left = (points[:, [corner]] for corner in OUTER_CORNERS)
        points = (points - (right + left) / 2) / (left - right)  # removes position, size and rotation
        columns = [np.abs(points[:, a] - points[:, b]).mean(axis=1) for a, b in DISTANCES.values()]
        columns += [points[:, b].imag.mean(axis=1) - points[:, a].imag.mean(axis=1) for a, b in HEIGHTS.values()]
        return np.stack(columns, axis=1)


def _summary(measures: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, 10th and 90th percentile of each column; NaN if there is no frame."""
    if not len(measures):
        return np.full(len(SUMMARIES) * measures.shape[1], np.nan)
    return np.concatenate([measures.mean(axis=0), measures.std(axis=0), *np.quantile(measures, [0.1, 0.9], axis=0)])


def features(table: pd.DataFrame, faces: str | os.PathLike) -> pd.DataFrame:
    """Landmark geometry of every sequence, summarised over its frames that show a face.

    The repeated frames of the padding (Eq. 1) are not used.

    Parameters
    ----------
    table
        The table of sequences.csv: ``clip, actor, first_frame, frames`` are read.
    faces
        Folder of the actors' masked faces, ``<actor>.npz``, as `lib.faces.corpus.mask_corpus` writes it.

    Returns
    -------
    pandas.DataFrame
        Index of `table`; a float column for each of :data:`SUMMARIES` of each of :data:`MEASURES`, NaN for a
        sequence without a face.

    Raises
    ------
    lib.base.problems.InputProblem
        If an actor's file is missing or damaged, or lacks frames that the table lists.
    """
    rows = {}
    for _, row, landmarks, success in stored_frames(table, Path(faces), "landmarks", "success"):
        measures = frame_measures(landmarks)
        rows[row.Index] = _summary(measures[success & np.isfinite(measures).all(axis=1)])
    names = [f"{measure}, {summary}" for summary in SUMMARIES for measure in MEASURES]
    return pd.DataFrame.from_dict(rows, orient="index", columns=names, dtype=float).loc[table.index]


def fit_majority(table: pd.DataFrame, part: np.ndarray) -> DummyClassifier:
    """Fit the most frequent emotion of the training part; the probabilities are the emotions' shares in it.

    Parameters
    ----------
    table
        The table of sequences.csv.
    part
        The part of each sequence, from `lib.sequences.splits.split`.
    """
    emotions = table.loc[part == "train", "emotion"]
    if emotions.empty:
        raise ValueError("the training part is empty")
    return DummyClassifier(strategy="prior").fit(np.zeros((len(emotions), 1)), emotions)


def fit_geometry(measured: pd.DataFrame, table: pd.DataFrame, part: np.ndarray) -> Pipeline:
    """Fit a logistic regression on the standardised `features`; the penalty is chosen on the validation part.

    Parameters
    ----------
    measured
        `features` of `table`.
    table
        The table of sequences.csv.
    part
        The part of each sequence, from `lib.sequences.splits.split`. The model is fitted on the training part; one of
        :data:`WEIGHTS` is chosen by the log loss on the validation part, which varies less by chance than the accuracy.
        The test part is not used.

    Raises
    ------
    ValueError
        If sequences with a face show fewer than two emotions in the training part, or there are none to validate on.
    """
    seen = measured.notna().all(axis=1).to_numpy()
    train, validation = (seen & (part == name) for name in ("train", "validation"))
    emotions = table["emotion"]
    if emotions[train].nunique() < 2 or not validation.any():
        raise ValueError(
            f"too few sequences with a face for the landmark geometry: {train.sum()} of "
            f"{emotions[train].nunique()} emotions train, {validation.sum()} validate"
        )
    models = [
        make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=weight, max_iter=5000))
        for weight in WEIGHTS
    ]
    # for so small a problem several threads are slower than one
    with threadpool_limits(1):
        return min(
            (model.fit(measured[train], emotions[train]) for model in models),
            key=lambda m: log_loss(emotions[validation], _probabilities(m, measured[validation]), labels=EMOTIONS),
        )


def _probabilities(model: ClassifierMixin, measured: pd.DataFrame) -> np.ndarray:
    """Probabilities of the six emotions in their order, float64 (sequences, 6); 0 for one not trained on."""
    predictions = pd.DataFrame(model.predict_proba(measured), columns=model.classes_)
    return predictions.reindex(columns=list(EMOTIONS), fill_value=0.0).to_numpy()


def predict(model: ClassifierMixin, table: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Predictions of a fitted `model` for the sequences of `table`, as `lib.study.results.predictions`.

    Parameters
    ----------
    model
        From `fit_majority` or `fit_geometry`.
    table
        Rows of the table of sequences.csv, of either corpus.
    measured
        Their `features`; not used by the majority.
    """
    return results.tabulated(table, _probabilities(model, measured))


def crowd(table: pd.DataFrame, votes: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The emotion that the plurality of CREMA-D's raters saw in the clips of `table`; unrated clips are left out.

    Parameters
    ----------
    table
        Rows of the table of sequences.csv. A rater saw the whole clip, so all its sequences have the same answer.
    votes
        From `lib.measures.votes.of_clips`: votes on the files that the raters saw.
    seed
        Decides ties, with one draw per clip.

    Returns
    -------
    pandas.DataFrame
        As `lib.study.results.predictions`; the probabilities are the shares of the votes.
    """
    rated = table[table["clip"].isin(votes["clip"])]
    share = shares(votes, "rating")
    # smaller than any difference of two shares, so it decides only between equal ones; [seed, 0] to [seed, 4] are taken
    tie = np.random.default_rng([seed, 5]).uniform(0, 1e-6, share.shape)
    place = pd.Index(votes["clip"]).get_indexer(rated["clip"])
    return results.tabulated(rated, share[place], by=(share + tie)[place])
