"""The head at rest: its 68 landmarks and its relief, in canonical coordinates.

Canonical frame: origin midway between the eyes, x to the right of the picture, y down, z towards the camera;
one unit is half an average face's width. Landmarks follow iBUG's 68-point order.
"""

from __future__ import annotations

import numpy as np

from lib.synthetic.actors import Actor

# Right half of an average outline from ear to chin: landmarks 16, 15, ... 8.
_JAW = np.array(
    [(1.0, 0.08), (0.99, 0.35), (0.965, 0.61), (0.915, 0.86), (0.815, 1.09), (0.64, 1.29), (0.435, 1.44)]
    + [(0.215, 1.545), (0.0, 1.58)]
)
# Right brow from the nose outwards (landmarks 22..26): x, y above the brow's height.
_BROW = np.array([(0.165, 0.03), (0.33, -0.015), (0.51, -0.04), (0.67, -0.015), (0.785, 0.065)])
# Share of the arch that each of these points takes.
_ARCH = np.array([0.0, 0.55, 1.0, 0.75, 0.0])


def landmarks(actor: Actor) -> np.ndarray:
    """Landmarks of the resting face with open eyes and closed mouth: float64 (68, 2), canonical units."""
    points = np.zeros((68, 2))
    jaw = _JAW.copy()
    narrow = np.clip((jaw[:, 1] - 0.4) / 0.8, 0, 1)
    jaw[:, 0] *= actor.width * (1 + (actor.jaw - 1) * narrow)
    jaw[:, 1] *= actor.chin / _JAW[-1, 1]
    points[8:17] = jaw[::-1]
    points[0:8] = jaw[:8] * (-1, 1)

    brow = _BROW + (0, actor.brow_y)
    brow[:, 1] -= (actor.brow_arch - 0.05) * _ARCH + actor.brow_tilt * np.linspace(-1, 1, 5)
    points[22:27] = brow
    points[17:22] = (brow * (-1, 1))[::-1]

    bridge = np.linspace(0.0, 1.0, 4)
    points[27:31, 1] = -0.06 + bridge * (actor.nose_y - 0.09 + 0.06)
    w = actor.nose_w
    points[31:36, 0] = (-w, -w * 0.5, 0, w * 0.5, w)
    points[31:36, 1] = actor.nose_y + np.array([-0.045, -0.005, 0.015, -0.005, -0.045])

    inner, outer = actor.eye_x - actor.eye_w, actor.eye_x + actor.eye_w
    tilt, up, low = actor.eye_tilt, -0.64 * actor.eye_h, 0.36 * actor.eye_h
    third = 0.36 * actor.eye_w
    eye = np.array(  # landmarks 42..47
        [(inner, 0.012 - tilt), (actor.eye_x - third, up), (actor.eye_x + third, up + tilt * 0.5)]
        + [(outer, tilt), (actor.eye_x + third, low + tilt * 0.4), (actor.eye_x - third, low)]
    )
    points[42:48] = eye
    points[36:42] = (eye * (-1, 1))[[3, 2, 1, 0, 5, 4]]

    m, y, u, v = actor.mouth_w, actor.mouth_y, actor.lip_up, actor.lip_low
    right = np.array([(0, -u * 0.82), (0.24 * m, -u), (0.62 * m, -u * 0.66), (m, 0.0)])  # 51..54
    below = np.array([(0.62 * m, v * 0.72), (0.26 * m, v * 0.98), (0, v)])  # 55..57
    points[51:55], points[55:58] = right, below
    points[48:51] = (right[1:] * (-1, 1))[::-1]
    points[58:60] = (below[:2] * (-1, 1))[::-1]
    seam = np.array([(0.86 * m, 0.0), (0.32 * m, 0.004), (0.0, 0.008), (-0.32 * m, 0.004), (-0.86 * m, 0.0)])
    points[60:65] = seam[::-1]
    points[65:68] = seam[1:4]
    points[48:68, 1] += y
    return points


def bump(x, y, cx, cy, sx, sy):
    """Gaussian of height 1 at (`cx`, `cy`) with widths `sx`, `sy`; arrays broadcast."""
    return np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2))


def pair(x, y, cx, cy, sx, sy):
    """Two bumps, mirrored at the face's middle."""
    return bump(np.abs(x), y, cx, cy, sx, sy)


def skull(actor: Actor, x, y):
    """Smooth relief of the head without features (z in canonical units, float)."""
    centre = 0.08
    half = np.where(y > centre, actor.chin + 0.35 - centre, centre - actor.cranium + 0.12)
    r = np.abs(x / (1.1 * actor.width)) ** 2.3 + np.abs((y - centre) / half) ** 2.6
    return 0.95 * np.sqrt(np.clip(1 - r, 0.0, 1.0))


def relief(actor: Actor, x, y):
    """Relief of the resting face, z in canonical units, same shape as `x` and `y`."""
    ny, nw, my, ex = actor.nose_y, actor.nose_w, actor.mouth_y, actor.eye_x
    young = 1.0 if actor.sex == "Female" else 1.25
    z = skull(actor, x, y)
    z = z + 0.05 * young * pair(x, y, 0.36, actor.brow_y + 0.02, 0.26, 0.075)  # brow ridge
    z = z - 0.15 * pair(x, y, ex - 0.02, -0.03, 0.20, 0.13) - 0.05 * pair(x, y, 0.18, -0.02, 0.07, 0.10)  # sockets
    z = z + 0.085 * pair(x, y, ex, -0.005, 0.155, 0.085)  # eyeballs
    z = z - 0.018 * pair(x, y, ex - 0.05, 0.20, 0.15, 0.035)  # below the lower lid
    ridge = np.clip((y + 0.1) / (ny - 0.02), 0, 1)
    fall = 1 / (1 + np.exp(np.clip((y - ny + 0.02) / 0.032, -60, 60)))
    z = z + actor.nose_tip * (0.18 + 0.82 * ridge**1.2) * fall * bump(x, 0, 0, 0, 0.085 + 0.065 * ridge, 1) * (
        1 / (1 + np.exp(-(y + 0.12) / 0.06))
    )
    z = z + 0.06 * bump(x, y, 0, ny - 0.10, 0.085, 0.075)  # tip
    z = z + 0.10 * pair(x, y, nw * 0.72, ny - 0.06, 0.055, 0.06)  # wings
    z = z + 0.09 * pair(x, y, 0.60, 0.36, 0.22, 0.16)  # cheekbones
    z = z - 0.05 * pair(x, y, 0.66, 0.82, 0.16, 0.22)  # hollow below
    z = z + 0.16 * bump(x, y, 0, my, 0.34, 0.26)  # muzzle
    z = z - 0.022 * bump(x, y, 0, (ny + my) / 2 - 0.01, 0.035, 0.09)  # philtrum
    z = z + 0.035 * bump(x, y, 0, my - actor.lip_up * 0.5, actor.mouth_w * 0.6, actor.lip_up * 0.55)
    z = z + 0.06 * bump(x, y, 0, my + actor.lip_low * 0.5, actor.mouth_w * 0.52, actor.lip_low * 0.5)
    z = z - 0.06 * bump(x, y, 0, my + actor.lip_low + 0.085, 0.22, 0.06)  # below the lower lip
    z = z + 0.12 * bump(x, y, 0, actor.chin - 0.20, 0.22, 0.15)  # chin
    return z
