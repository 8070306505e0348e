"""Folds of the skin: the relief that muscles raise, and how much of it a take shows."""

from __future__ import annotations

import numpy as np

from lib.synthetic import muscles
from lib.synthetic.actors import Actor
from lib.synthetic.anatomy import bump, pair
from lib.synthetic.motion import Take


def reliefs(actor: Actor, x, y) -> dict[str, np.ndarray]:
    """Relief (canonical units) that a muscle adds to the skin at full strength."""
    by, ny, my, mw, ex = actor.brow_y, actor.nose_y, actor.mouth_y, actor.mouth_w, actor.eye_x
    old = 0.8 + 0.012 * (actor.age - 20)
    rows = np.cos((y - by - 0.06 * np.cos(x * 2.2)) * 2 * np.pi / 0.145)
    brow = 0.020 * old * rows * bump(x, y, 0, by - 0.32, 0.48, 0.13)
    frown = -0.045 * pair(x, y, 0.075, by + 0.06, 0.022, 0.12) + 0.035 * pair(x, y, 0.17, by + 0.03, 0.05, 0.09)
    nose = 0.016 * np.cos((y - 0.02) * 2 * np.pi / 0.085) * bump(x, y, 0, 0.08, 0.14, 0.12)
    nose = nose - 0.04 * pair(x, y, 0.20, 0.24, 0.03, 0.12) + 0.03 * pair(x, y, 0.13, 0.22, 0.04, 0.10)
    # Nasolabial furrow: a groove along a slanted line, the cheek bulging outside it.
    ax = np.abs(x)
    along = (y - ny + 0.08) / (my - ny + 0.14)
    line = actor.nose_w * 1.12 + (mw + 0.12 - actor.nose_w * 1.12) * np.clip(along, -0.3, 1.3) ** 1
    window = 1 / (1 + np.exp(-(along + 0.05) / 0.07)) / (1 + np.exp((along - 1.0) / 0.10))
    fold = (
        -0.050 * np.exp(-0.5 * ((ax - line) / 0.035) ** 2) + 0.05 * np.exp(-0.5 * ((ax - line - 0.11) / 0.08) ** 2)
    ) * window
    cheek = 0.075 * pair(x, y, 0.54, 0.34, 0.17, 0.11) - 0.030 * pair(x, y, ex, 0.155, 0.16, 0.022)
    feet = np.cos(np.arctan2(y - 0.0, ax - 0.62) * 9)
    cheek = cheek + 0.012 * old * feet * pair(x, y, 0.80, 0.02, 0.07, 0.12)
    mouth = -0.040 * pair(x, y, mw + 0.05, my + 0.14, 0.035, 0.09) + 0.03 * bump(x, y, 0, actor.chin - 0.26, 0.16, 0.07)
    return {"brow": brow, "frown": frown, "nose": nose, "fold": fold, "cheek": cheek, "mouth": mouth}


def weights(take: Take) -> np.ndarray:
    """Strength of each of `reliefs` over the take, float32 (n, 6)."""
    a = {k: muscles.au(take, k) for k in (1, 2, 4, 6, 9, 10, 12, 15, 17)}
    brow = 0.6 * a[1] + 0.6 * a[2] - 0.5 * a[4] * (a[1] < 0.3)
    fold = np.maximum.reduce([0.9 * a[10], 0.85 * a[12], 0.5 * a[9]])
    shown = [np.clip(brow, 0, 1.3), a[4], a[9], fold, 0.7 * a[6] + 0.5 * a[12], 0.9 * a[15] + 0.6 * a[17]]
    return np.clip(np.stack(shown, axis=1), 0, 1.3).astype(np.float32)
