"""Hair: outline, strands and sheen of an actor's style."""

from __future__ import annotations

import cv2
import numpy as np

from lib.synthetic import anatomy
from lib.synthetic.actors import Actor
from lib.synthetic.canvas import LONG_STYLES, Canvas, mirrored, noise, shading, smooth


def _strands(rng, canvas: Canvas, x, y, part: float, curly: bool, actor_long: bool) -> np.ndarray:
    """Brightness of hair strands, float32 around 0: streaks that run away from the parting."""
    if curly:
        fine = noise(rng, x.shape, 0.055 * canvas.scale)
        return 0.30 * np.abs(fine) - 0.20 + 0.10 * noise(rng, x.shape, 0.16 * canvas.scale)
    angle = np.arctan2(x - part, np.maximum(y + 1.6, 0.02) + 0.25)
    radius = np.hypot(x - part, y + 1.6)
    table = rng.standard_normal((24, 420)).astype(np.float32)
    fine = cv2.remap(
        table,
        ((angle / 3.2 + 0.5) * 418).astype(np.float32),
        (radius * (2 if actor_long else 6)).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    coarse = cv2.remap(
        cv2.GaussianBlur(table, (21, 1), 5) * 3,
        ((angle / 3.2 + 0.5) * 418).astype(np.float32),
        (radius * 1.2).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    return 0.08 * fine + 0.14 * coarse


def _outlines(actor: Actor, rng) -> tuple[np.ndarray, np.ndarray, float]:
    """Outline of the hair, outline of the face's opening in it, and the parting's x."""
    w, top, line = actor.width, actor.cranium, actor.hairline
    part = {"parted": 0.35, "parted_long": 0.12, "long": 0.3, "bob": -0.25}.get(actor.style, 0.0)
    part *= 1 if actor.seed % 2 else -1
    full = {"short": 0.09, "parted": 0.13, "buzz": 0.025, "receding": 0.035, "curly": 0.24, "long": 0.13}
    volume = full.get(actor.style, 0.12)
    side = {"buzz": 0.01, "receding": 0.03, "short": 0.045, "parted": 0.06, "bun": 0.03, "curly": 0.17}.get(
        actor.style, 0.16
    )
    crown = [(0, top - volume), (0.36, top - volume + 0.045), (0.70, top + 0.20 - 0.9 * volume)]
    crown += [(0.92 * w + 0.6 * side, top + 0.52 - 0.4 * volume)]
    sides = [(1.0 * w + side, -0.5)]
    if actor.style in LONG_STYLES:
        length = 1.42 if actor.style == "bob" else 2.2
        sides += [(1.03 * w + side, -0.1), (1.05 * w + side, 0.4), (1.05 * w + side, 0.9), (0.97 * w + side, 1.3)]
        if length > 2:
            sides += [(1.02 * w + side, 1.9), (0.98 * w + side, length)]
        else:
            sides += [(0.86 * w, length)]
        inner = [(0.56, length), (0.68, min(length - 0.08, 1.45)), (0.88 * w, 1.05), (0.93 * w, 0.5)]
    else:
        end = {"buzz": 0.06, "bun": -0.05, "curly": 0.20}.get(actor.style, 0.14)
        sides += [(1.0 * w + 0.7 * side, -0.28), (0.975 * w + 0.2 * side, -0.10), (0.95 * w, end)]
        inner = [(0.925 * w, end)]
    if actor.style == "receding":
        line = line - 0.36
    forehead = [(0.92 * w, 0.0), (0.915 * w, -0.24), (0.86 * w, -0.48), (0.74, line + 0.20), (0.48, line + 0.07)]
    forehead += [(0.24, line), (0.0, line + 0.02)]
    # Each half on its own, level at the crown: a curve through both would bulge at the lower ends.
    over = [(-crown[1][0], crown[1][1]), *crown, *sides]
    outer = mirrored(smooth(over, 8)[8:])
    if actor.style == "curly":  # a rough edge
        outer = outer * (1 + 0.025 * np.cos(np.arange(len(outer)) * 1.9 + rng.uniform(0, 6)))[:, None]
    right, left = np.array(inner + forehead), np.array(inner + forehead) * (-1, 1)
    if actor.style in ("parted", "parted_long", "long", "bob"):  # swept to the side away from the parting
        for half in (right, left):
            high = half[:, 1] < -0.3
            sweep = np.clip((half[:, 0] - part) / 0.8, -1, 1)
            half[high, 1] += 0.10 * np.abs(sweep[high]) - 0.05
    below = [(right[0, 0], 4.0), (-right[0, 0], 4.0)] if actor.style in LONG_STYLES else []
    if not below:  # short hair ends at the ears: everything below is open
        below = [(3, right[0, 1]), (3, 4), (-3, 4), (-3, right[0, 1])]
    opening = np.vstack([smooth(np.vstack([right, left[::-1][1:]]), 8), np.array(below)[::-1]])
    return outer, opening, part


def add_hair(actor: Actor, canvas: Canvas, rng, rgb, alpha, light, fill):
    """Lay the hair over the head; returns the new colours (h, w, 3) and coverage (h, w)."""
    x, y = canvas.grid()
    s = canvas.scale
    outer, opening, part = _outlines(actor, rng)
    hole = canvas.filled(opening)
    strands = _strands(rng, canvas, x, y, part, actor.style == "curly", actor.style in (*LONG_STYLES, "bun"))
    soft = cv2.GaussianBlur(hole, (0, 0), 0.035 * s) + 0.9 * strands * (0.6 if actor.style != "buzz" else 0.2)
    hole = np.clip((soft - 0.35) / 0.3, 0, 1)
    cover = canvas.filled(outer)
    if actor.style == "bun":
        knot = np.clip(1 - ((x / 0.36) ** 2 + ((y - actor.cranium + 0.05) / 0.27) ** 2), 0, 1)
        cover = np.maximum(cover, np.clip(knot * 8, 0, 1))
    edge = cv2.GaussianBlur(cover, (0, 0), 0.02 * s) + 0.5 * strands
    cover = np.minimum(cover, np.clip((edge - 0.30) / 0.35, 0, 1)) * (1 - hole)
    if actor.style == "buzz":
        cover *= 0.72
    bulge = anatomy.skull(actor, x * 0.86, np.minimum(y, 0.2) * 0.92) * 1.15
    lit = shading(bulge.astype(np.float32), s, light)
    lit += (0.95 - lit) * fill * 0.7
    sheen = 0.30 * np.exp(-(((np.hypot(x - 0.3 * light[0], y + 0.05) - 1.08) / 0.13) ** 2)) * (1 + 4 * strands)
    tone = np.clip(lit * (0.95 + 1.25 * strands), 0.12, 1.6)[..., None]
    base = np.asarray(actor.hair, np.float32)
    colour = base * tone + np.clip(sheen, 0, 1)[..., None] * (28 + 0.35 * base)
    if actor.style in LONG_STYLES:  # darker next to the neck
        colour = colour * (1 - 0.45 * np.clip((y - 0.4) / 1.0, 0, 1) * np.clip(1.15 - np.abs(x), 0, 1))[..., None]
    contact = cv2.GaussianBlur(cover, (0, 0), 0.06 * s)  # the hair's shadow on the skin
    rgb = rgb * (1 - 0.38 * np.clip(contact, 0, 1) * (1 - cover))[..., None]
    rgb = rgb + (colour - rgb) * cover[..., None]
    return rgb, np.maximum(alpha, cover)
