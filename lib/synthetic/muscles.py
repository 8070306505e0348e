"""How action units move the face: a few skin displacements, the lids and the lips."""

from __future__ import annotations

import numpy as np

from lib.synthetic import anatomy
from lib.synthetic.actors import Actor
from lib.synthetic.anatomy import bump
from lib.synthetic.dials import AUS
from lib.synthetic.motion import Take

#: Skin displacements; those ending in R act on the picture's right half, L on its left half.
CONTROLS = ("innerR", "innerL", "outerR", "outerL", "knitR", "knitL", "cheekR", "cheekL")
CONTROLS += ("wideR", "wideL", "liftR", "liftL", "sneer", "upper", "jaw")


def au(take: Take, number: int) -> np.ndarray:
    """Strength of action unit `number` over the take, (n,)."""
    return take.aus[:, AUS.index(number)]


def controls(actor: Actor, take: Take) -> np.ndarray:
    """Amplitudes of `CONTROLS` for every frame in canonical units, float64 (n, 15)."""
    a = {k: au(take, k) for k in AUS}
    brows, mouth = actor.asymmetry
    out = {}
    jaw = 0.135 * take.opening + 0.24 * a[26] + 0.025 * a[25]
    jaw = jaw * (1 - 0.35 * np.clip(a[23], 0, 1))
    for side, sign in (("R", 1), ("L", -1)):
        brow = 1 + sign * brows
        lip = 1 + sign * mouth
        out["inner" + side] = brow * (0.135 * a[1] - 0.095 * a[4] - 0.03 * a[9])
        out["outer" + side] = brow * (0.120 * a[2] - 0.035 * a[4])
        out["knit" + side] = brow * (0.070 * a[4] + 0.015 * a[9])
        out["cheek" + side] = lip * (0.075 * a[6] + 0.04 * a[12] + 0.02 * a[10])
        out["wide" + side] = lip * (0.115 * a[12] + 0.125 * a[20]) - 0.075 * a[23] + 0.030 * take.width
        out["lift" + side] = lip * (0.125 * a[12] - 0.115 * a[15] - 0.035 * a[20] + 0.02 * a[10])
    out["sneer"] = 0.065 * a[9] + 0.025 * a[10]
    out["upper"] = 0.085 * a[10] + 0.055 * a[9] + 0.022 * a[12] + 0.012 * take.opening
    out["jaw"] = jaw - 0.045 * a[17] - 0.02 * a[15]
    return np.stack([out[name] for name in CONTROLS], axis=1)


def fields(actor: Actor, x, y) -> np.ndarray:
    """Displacement of the skin at (`x`, `y`) for each control at 1: float32 (15, ..., 2)."""
    my, mw, by = actor.mouth_y, actor.mouth_w, actor.brow_y
    out = np.zeros((len(CONTROLS), *np.shape(x), 2), np.float32)

    def add(name, dx, dy, cx, cy, sx, sy):
        weight = bump(x, y, cx, cy, sx, sy)
        k = CONTROLS.index(name)
        out[k, ..., 0] += dx * weight
        out[k, ..., 1] += dy * weight

    for side, s in (("R", 1), ("L", -1)):
        add("inner" + side, 0, -1, s * 0.24, by - 0.02, 0.17, 0.13)
        add("outer" + side, 0, -1, s * 0.64, by - 0.02, 0.22, 0.13)
        add("knit" + side, -s, 0, s * 0.26, by, 0.18, 0.15)
        add("cheek" + side, 0, -1, s * 0.52, 0.46, 0.22, 0.17)
        add("wide" + side, s, 0, s * (mw + 0.03), my, 0.20, 0.20)
        add("wide" + side, 0.3 * s, 0, s * 0.72, my + 0.15, 0.18, 0.28)
        add("lift" + side, 0, -1, s * (mw + 0.03), my - 0.01, 0.17, 0.17)
    add("sneer", 0, -1, 0.0, actor.nose_y - 0.06, 0.26, 0.10)
    add("upper", 0, -1, 0.0, my - actor.lip_up - 0.05, 0.26, 0.10)
    ramp = 1 / (1 + np.exp(-(np.asarray(y, float) - my - 0.06) / 0.085))
    k = CONTROLS.index("jaw")
    out[k, ..., 1] += (0.95 * ramp * np.exp(-0.5 * (np.asarray(x, float) / 0.70) ** 4)).astype(np.float32)
    return out


def move_skin(actor: Actor, amplitudes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where the skin points `points` (p, 2) lie under `amplitudes` (n, 15): float64 (n, p, 2).

    The picture is warped backwards, q -> q - D(q), so the moved point solves q = p + D(q).
    """
    q = np.broadcast_to(points, (len(amplitudes), *points.shape)).copy()
    for _ in range(4):
        q = points + np.einsum("nk,knpd->npd", amplitudes, fields(actor, q[..., 0], q[..., 1]))
    return q


def shape(actor: Actor, take: Take, amplitudes: np.ndarray) -> np.ndarray:
    """All 68 landmarks and the two pupils (left of the picture first) of each frame, float64 (n, 70, 2)."""
    rest = anatomy.landmarks(actor)
    n = len(amplitudes)
    c = dict(zip(CONTROLS, amplitudes.T, strict=True))
    a = {k: au(take, k) for k in AUS}
    out = np.zeros((n, 70, 2))
    skin = np.r_[0:36]
    out[:, skin] = move_skin(actor, amplitudes, rest[skin])

    # Lids: the upper falls with a blink, rises with AU 5; AU 6 and 7 raise the lower and narrow both.
    upper = 1 + 0.62 * a[5] + 0.08 * (a[1] + a[2]) - 0.38 * a[7] - 0.12 * a[4] - 0.12 * a[6] - 0.15 * a[9]
    lower = 1 + 0.10 * a[5] - 0.80 * a[7] - 0.85 * a[6] - 0.30 * a[9] - 0.2 * a[12]
    upper = np.clip(upper, 0.3, 1.9) * take.lids - 0.45 * (1 - take.lids)
    lower = np.clip(lower, -0.35, 1.2) * (0.75 + 0.25 * take.lids)
    upper = np.maximum(upper, -lower * 0.56 + 0.04)
    for first, sign in ((36, -1), (42, 1)):
        eye = np.broadcast_to(rest[first : first + 6], (n, 6, 2)).copy()
        chord = np.array([eye[0, 0], eye[0, 3]])
        base = np.interp(eye[0, :, 0], *(chord[np.argsort(chord[:, 0])].T))
        for k in (1, 2):
            eye[:, k, 1] = base[k] + (eye[:, k, 1] - base[k]) * upper
        for k in (4, 5):
            eye[:, k, 1] = base[k] + (eye[:, k, 1] - base[k]) * lower
        out[:, first : first + 6] = eye
        out[:, 68 + (sign > 0)] = (sign * actor.eye_x, -0.012) + take.gaze

    # Lips: corners, upper lip and jaw carry the points between them.
    m = actor.mouth_w
    lips = np.broadcast_to(rest[48:68], (n, 20, 2)).copy()
    x = rest[48:68, 0] / m
    outer = np.clip(np.abs(x), 0, 1)[None]
    right = (x > 0)[None]
    wide = np.where(right, c["wideR"][:, None], -c["wideL"][:, None])
    lift = np.where(right, c["liftR"][:, None], c["liftL"][:, None])
    lips[..., 0] += wide * outer**1.2
    lips[..., 1] -= lift * outer**1.7
    thin = 1 - 0.50 * np.clip(a[23], 0, 1.2) - 0.16 * a[12] - 0.20 * a[20]
    lips[..., 1] = _thin(lips[..., 1], thin)
    up = (c["upper"] + 0.02 * a[25])[:, None] * (1 - outer**2)
    gap = np.maximum(c["jaw"] + 0.045 * a[25] + 0.03 * a[12] * take.opening + 0.02 * a[10], -0.02)
    down = gap[:, None] * (1 - outer**2.2)
    drop = c["jaw"][:, None] * 0.22 * outer
    is_upper = np.isin(np.arange(48, 68), [48, 49, 50, 51, 52, 53, 54, 60, 61, 62, 63, 64])[None]
    lips[..., 1] += np.where(is_upper, -up, np.maximum(down, -up)) + drop
    lips[:, 17:20, 1] = np.maximum(lips[:, 17:20, 1], lips[:, [15, 14, 13], 1] + 0.004)
    out[:, 48:68] = lips
    return out


def _thin(y: np.ndarray, thin: np.ndarray) -> np.ndarray:
    """Draw the outer lip points towards the seam: `y` (n, 20) of points 48-67, `thin` (n,) 1 = as they are."""
    y = y.copy()
    for lip, seam in ((slice(1, 6), y[:, 12:17]), (slice(7, 12), y[:, 16:11:-1])):
        y[:, lip] = seam + (y[:, lip] - seam) * thin[:, None]
    return y
