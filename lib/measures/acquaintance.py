"""The worth of knowing the actor: the intended emotion is predicted from a clip's votes, with and without the actor.

No picture is used. The features of a logistic regression are the six shares of a clip's votes; for a regression that
knows the actor, the same six numbers again in columns of the actor, so that it can learn each actor's own relation.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_limits

from lib.measures.votes import shares

#: Inverse strengths of the L2 penalty; one is chosen on each training part.
STRENGTHS = (0.1, 1, 10, 100)

#: How it is fitted: so far that another solver (L-BFGS, 1e-7) chooses the same strengths and predicts all but one of
#: notebook 09's 29,768 emotions equally.
FIT = {
    "solver": "newton-cg",
    "tol": 1e-6,
    "max_iter": 2000,
    "scoring": "accuracy",
    "l1_ratios": (0,),  # the L2 penalty
    "use_legacy_attributes": False,
}

#: Number of folds for testing, and of folds of a training part for choosing the strength.
OUTER, INNER = 5, 3


def features(votes: pd.DataFrame, actors: np.ndarray | None = None) -> sparse.csr_matrix:
    """Shares of a clip's votes; with `actors`, the same shares again in the columns of the clip's actor.

    Parameters
    ----------
    votes
        What `lib.measures.votes.read_votes` gives.
    actors
        The actor of each clip, shape (clips,), or None for a model that does not know it.

    Returns
    -------
    scipy.sparse.csr_matrix
        float64 of shape (clips, 6) or (clips, 6 + 6 * actors).
    """
    votes_of_clip = sparse.csr_matrix(shares(votes, "rating"))
    if actors is None:
        return votes_of_clip
    is_actor = OneHotEncoder().fit_transform(np.asarray(actors)[:, None])
    own = [is_actor.multiply(votes_of_clip[:, [column]]) for column in range(votes_of_clip.shape[1])]
    return sparse.hstack([votes_of_clip, *own]).tocsr()


def predicted(votes: pd.DataFrame, *, apart: bool, actors: np.ndarray | None = None, seed: int = 2021) -> pd.DataFrame:
    """Predict each clip's emotion by a model that was trained on the other folds.

    Parameters
    ----------
    votes
        What `lib.measures.votes.read_votes` gives.
    apart
        Whether an actor's clips are all in one fold; else folds are random. Both are stratified by emotion.
    actors
        As for `features`.
    seed
        Of the folds.

    Returns
    -------
    pandas.DataFrame
        clip, actor, emotion, predicted, and the strength chosen on the training part.
    """
    kind = StratifiedGroupKFold if apart else StratifiedKFold
    outer, inner = (kind(folds, shuffle=True, random_state=seed) for folds in (OUTER, INNER))
    columns, truth, groups = features(votes, actors), votes["emotion"].to_numpy(), votes["actor"].to_numpy()
    table = votes[["clip", "actor", "emotion"]].assign(predicted="", strength=np.nan)
    with threadpool_limits(1):  # sums in the same order on every machine, and faster for so small a model
        for train, test in outer.split(columns, truth, groups if apart else None):
            folds = list(inner.split(columns[train], truth[train], groups[train] if apart else None))
            model = LogisticRegressionCV(Cs=STRENGTHS, cv=folds, **FIT).fit(columns[train], truth[train])
            table.loc[table.index[test], "predicted"] = model.predict(columns[test])
            table.loc[table.index[test], "strength"] = model.C_
    return table
