"""Calibrate probabilities by a temperature (Guo et al. 2017, On calibration of modern neural networks)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.base.tables import pd

#: Limits of a temperature. Without errors on few sequences the best one would be near zero: always certain.
LOWEST, HIGHEST = 0.25, 10.0

#: Used in place of a probability of zero: tables of predictions have six decimals.
SMALLEST = 5e-7


def calibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at another `temperature`: less certain over 1, more certain under 1, in the same order.

    Parameters
    ----------
    probabilities : float array, (..., classes)
        Outputs of a softmax.
    temperature
        Divisor of the softmax' inputs.

    Returns
    -------
    float64 array, (..., classes)
    """
    logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy, nats, of `probabilities` (n, classes) for the true `labels`, int (n,)."""
    right = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, SMALLEST)).mean())


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Temperature with the lowest log loss, between `LOWEST` and `HIGHEST`, to four decimals; 1 without sequences."""
    from scipy.optimize import minimize_scalar  # not needed to apply a temperature

    if not len(labels):
        return 1.0
    best = minimize_scalar(
        lambda logarithm: log_loss(calibrated(probabilities, np.exp(logarithm)), labels),
        bounds=(np.log(LOWEST), np.log(HIGHEST)),
        method="bounded",
    )
    return round(float(np.exp(best.x)), 4)


def calibrate(parts: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Fit the temperature on the validation part; report the log loss before and after.

    Parameters
    ----------
    parts
        Tables of predictions as notebook 04 writes them, by part; ``validation`` is needed.

    Returns
    -------
    dict
        ``temperature``; number of ``sequences`` of each part; ``log_loss_before_and_after`` of parts with any.
    """
    values = {part: table[PROBABILITIES].to_numpy(float) for part, table in parts.items()}
    labels = {part: table["emotion"].map(EMOTIONS.index).to_numpy(int) for part, table in parts.items()}
    temperature = fit_temperature(values["validation"], labels["validation"])
    losses = {
        part: [round(log_loss(calibrated(values[part], t), labels[part]), 4) for t in (1, temperature)]
        for part in parts
        if len(labels[part])
    }
    counts = {part: len(table) for part, table in parts.items()}
    return {"temperature": temperature, "sequences": counts, "log_loss_before_and_after": losses}
