"""The head at rest as a picture: skin, brows, beard, ears and hair under one light, in canonical coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lib.synthetic import anatomy
from lib.synthetic.actors import Actor
from lib.synthetic.anatomy import bump, pair

LEFT, TOP = -1.56, -1.80
LONG_STYLES = ("long", "parted_long", "bob")


@dataclass(frozen=True)
class Canvas:
    """Pixel grid of the canonical frame: `scale` pixels a unit, `height` x `width` pixels."""

    scale: float
    width: int
    height: int

    @classmethod
    def of(cls, actor: Actor, scale: float) -> Canvas:
        """Canvas that holds the whole head of `actor`."""
        bottom = {"long": 2.7, "parted_long": 2.7, "bob": 1.95}.get(actor.style, 1.95)
        return cls(scale, int(-2 * LEFT * scale), int((bottom - TOP) * scale))

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Canonical x and y of every pixel centre, float32 (height, width)."""
        x = (np.arange(self.width, dtype=np.float32) + 0.5) / self.scale + LEFT
        y = (np.arange(self.height, dtype=np.float32) + 0.5) / self.scale + TOP
        return np.meshgrid(x, y)

    def pixels(self, points) -> np.ndarray:
        """Canonical points (..., 2) as pixel coordinates of `grid` (pixel centres at whole numbers)."""
        return (np.asarray(points) - (LEFT, TOP)) * self.scale - 0.5

    def filled(self, polygon, supersample: int = 3) -> np.ndarray:
        """Coverage 0-1 of a polygon in canonical units, float32 (height, width), antialiased."""
        big = np.zeros((self.height * supersample, self.width * supersample), np.uint8)
        points = (np.asarray(polygon) - (LEFT, TOP)) * self.scale * supersample - 0.5
        cv2.fillPoly(big, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_8, 4)
        return cv2.resize(big, (self.width, self.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def smooth(points, n: int = 12, closed: bool = False) -> np.ndarray:
    """Catmull-Rom curve through `points` (m, 2) with `n` steps between neighbours."""
    p = np.asarray(points, float)
    p = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, 1, n, endpoint=False)[:, None]
    parts = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        parts.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return np.vstack(parts if closed else [*parts, p[-2:-1]])


def _mirrored(right) -> np.ndarray:
    """Closed outline from its right half (top to bottom)."""
    right = np.asarray(right, float)
    return np.vstack([right, (right * (-1, 1))[::-1]])


def shading(z: np.ndarray, scale: float, light, softness: float = 0.5) -> np.ndarray:
    """Soft Lambert shading of the relief `z` (canonical units), about 1 where it faces the camera, float32."""
    dy, dx = np.gradient(z * scale)
    n = 1 / np.sqrt(dx * dx + dy * dy + 1)
    light = np.asarray(light, float) / np.linalg.norm(light)
    lambert = (-dx * light[0] - dy * light[1] + light[2]) * n
    wrapped = np.clip((lambert + softness) / (1 + softness), 0, 1.2)
    return (0.30 + 0.36 * wrapped + 0.30 * wrapped**2 + 0.14 * n).astype(np.float32)


def _noise(rng, shape, cell: float) -> np.ndarray:
    """Smooth noise of unit variance with structures of `cell` pixels, float32."""
    h, w = max(2, int(shape[0] / cell)), max(2, int(shape[1] / cell))
    small = rng.standard_normal((h, w)).astype(np.float32)
    return cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def _strands(rng, canvas: Canvas, x, y, part: float, curly: bool) -> np.ndarray:
    """Brightness of hair strands, float32 around 0: streaks that run away from the parting."""
    if curly:
        fine = _noise(rng, x.shape, 0.055 * canvas.scale)
        return 0.30 * np.abs(fine) - 0.20 + 0.10 * _noise(rng, x.shape, 0.16 * canvas.scale)
    angle = np.arctan2(x - part, np.maximum(y + 1.6, 0.02) + 0.25)
    radius = np.hypot(x - part, y + 1.6)
    table = rng.standard_normal((9, 420)).astype(np.float32)
    fine = cv2.remap(
        table, ((angle / 3.2 + 0.5) * 418).astype(np.float32), (radius * 2).astype(np.float32), cv2.INTER_LINEAR
    )
    coarse = cv2.remap(
        cv2.GaussianBlur(table, (21, 1), 5) * 3,
        ((angle / 3.2 + 0.5) * 418).astype(np.float32),
        (radius * 1.2).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    return 0.10 * fine + 0.16 * coarse


def _hair_shapes(actor: Actor, rng) -> tuple[np.ndarray, np.ndarray, float]:
    """Outline of the hair, outline of the face's opening in it, and the parting's x."""
    w, top, line = actor.width, actor.cranium, actor.hairline
    part = {"parted": 0.35, "parted_long": 0.12, "long": 0.3, "bob": -0.25}.get(actor.style, 0.0)
    part *= 1 if actor.seed % 2 else -1
    full = {"short": 0.09, "parted": 0.13, "buzz": 0.025, "receding": 0.035, "curly": 0.24, "long": 0.13}
    volume = full.get(actor.style, 0.12)
    side = {"buzz": 0.01, "receding": 0.03, "short": 0.045, "parted": 0.06, "bun": 0.03, "curly": 0.17}.get(
        actor.style, 0.16
    )
    crown = [(0, top - volume), (0.35, top - volume + 0.05), (0.68, top + 0.22 - volume), (0.92 * w, top + 0.56)]
    sides = [(1.0 * w + side, -0.5), (1.03 * w + side, -0.15)]
    if actor.style in LONG_STYLES:
        length = 1.42 if actor.style == "bob" else 2.6
        sides += [(1.04 * w + side, 0.35), (1.06 * w + side, 0.9), (1.03 * w + side + 0.04, min(1.3, length))]
        if length > 2:
            sides += [(1.12 * w + side, 1.9), (1.05 * w + side, length)]
        inner = [(0.62, length), (0.70, min(length - 0.05, 1.45)), (0.90 * w, 1.05), (0.93 * w, 0.5)]
    else:
        end = {"buzz": 0.12, "receding": 0.2, "bun": 0.0, "curly": 0.25}.get(actor.style, 0.22)
        sides += [(1.035 * w + side * 0.5, end)]
        inner = [(0.955 * w, end)]
    if actor.style == "receding":
        line = line - 0.36
    forehead = [(0.92 * w, 0.0), (0.875 * w, -0.22), (0.80 * w, -0.45), (0.70, line + 0.22), (0.48, line + 0.07)]
    forehead += [(0.24, line), (0.0, line + 0.02)]
    outer = smooth(_mirrored(crown + sides), 8)
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


def _brows(actor: Actor, canvas: Canvas, rng) -> np.ndarray:
    """Coverage of the eyebrows, drawn hair by hair: float32 (height, width)."""
    ss = 3
    big = np.zeros((canvas.height * ss, canvas.width * ss), np.uint8)
    brow = smooth(anatomy.landmarks(actor)[22:27], 14)
    taper = np.interp(np.linspace(0, 1, len(brow)), [0, 0.15, 0.6, 1], [0.75, 1.0, 0.85, 0.30])
    for side in (1, -1):
        for (x, y), t, u in zip(brow, taper, np.linspace(0, 1, len(brow)), strict=True):
            for _ in range(7):
                v = rng.uniform(-0.5, 0.5)
                start = np.array([x, y + v * actor.brow_thick * t])
                lean = np.array([0.03 + 0.03 * u, -0.035 * (1 - u) + 0.02 * u - 0.03 * v]) * rng.uniform(0.7, 1.3)
                ends = (np.array([start, start + lean]) * (side, 1) - (LEFT, TOP)) * canvas.scale * ss
                a, b = np.round(ends * 16).astype(int)
                cv2.line(big, tuple(a.tolist()), tuple(b.tolist()), 255, max(1, int(0.012 * canvas.scale * ss)), 16, 4)
    hairs = cv2.resize(big, (canvas.width, canvas.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.clip(0.9 * cv2.GaussianBlur(hairs, (0, 0), 0.008 * canvas.scale), 0, 1)


def paint(actor: Actor, canvas: Canvas, light=None, fill: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Paint the resting head without eyes and lips.

    Parameters
    ----------
    light
        Direction to the key light (x right, y down, z to the camera); the actor's own where None.
    fill
        0 = only the key light .. 1 = shadowless.

    Returns
    -------
    (rgba, z)
        float32 (height, width, 4), colours 0-255 and coverage 0-255; float32 (height, width) relief.
    """
    rng = np.random.default_rng([actor.seed, 1])
    light = np.asarray(actor.light if light is None else light, float)
    x, y = canvas.grid()
    s = canvas.scale
    points = anatomy.landmarks(actor)
    z = anatomy.relief(actor, x, y).astype(np.float32)

    # Skin: mottled, redder on cheeks, nose and lids' rim, darker around the eyes.
    skin = np.asarray(actor.skin, np.float32)
    albedo = np.broadcast_to(skin, (*x.shape, 3)).copy()
    red = 0.35 * pair(x, y, 0.52, 0.42, 0.22, 0.18) + 0.30 * bump(x, y, 0, actor.nose_y - 0.05, 0.14, 0.12)
    red += 0.16 * _noise(rng, x.shape, 0.30 * s) * 0.4 + 0.10 * bump(x, y, 0, actor.chin - 0.15, 0.2, 0.12)
    albedo *= 1 + red[..., None] * np.array([0.05, -0.11, -0.10], np.float32)
    socket = 0.5 * pair(x, y, actor.eye_x - 0.03, 0.02, 0.22, 0.12) + 0.35 * pair(x, y, 0.25, 0.10, 0.09, 0.06)
    albedo *= 1 - socket[..., None] * np.array([0.10, 0.16, 0.13], np.float32)
    grain = 0.012 * _noise(rng, x.shape, 0.03 * s) + 0.02 * _noise(rng, x.shape, 0.12 * s)
    albedo *= 1 + grain[..., None]
    hair = np.asarray(actor.hair, np.float32)
    if actor.beard:
        area = bump(x, y, 0, actor.chin - 0.10, 0.62, 0.34) + 0.55 * bump(x, y, 0, actor.nose_y + 0.17, 0.30, 0.06)
        area += 0.8 * pair(x, y, 0.80, 0.95, 0.15, 0.4)
        area *= 1 / (1 + np.exp((np.abs(x) * 0.35 + actor.nose_y + 0.08 - y + 0.10) / 0.06))
        stubble = np.clip(area, 0, 1) * actor.beard * np.clip(0.75 + 0.30 * _noise(rng, x.shape, 0.02 * s), 0, 1)
        albedo += (hair * 0.9 - albedo) * 0.75 * np.clip(stubble, 0, 1)[..., None]

    shade = shading(z, s, light)
    hollow = cv2.GaussianBlur(z, (0, 0), 0.09 * s) - z
    shade = shade * (1 - np.clip(hollow, -0.02, 0.10) * 2.4)
    shade += (1.02 - shade) * fill
    half = light / np.linalg.norm(light) + (0, 0, 1)
    gloss = np.clip(shading(z, s, half, 0.0) - 0.86, 0, 1) ** 2
    warm = np.array([0.86, 1.0, 1.06], np.float32)  # light that passes through the skin comes out red
    face = albedo * np.clip(shade, 0.05, 1.6)[..., None] ** warm * np.asarray(actor.light_colour, np.float32)
    face += 330.0 * gloss[..., None] * np.clip(0.75 + 0.4 * _noise(rng, x.shape, 0.04 * s), 0, 2)[..., None]

    # Lines that stay at rest: lid crease, nostrils, seam shadows, age.
    ink = np.zeros(x.shape, np.float32)
    for side in (1, -1):
        lid = points[[42, 43, 44, 45]] * (side, 1) + np.array([(0.0, -0.03), (0, -0.062), (0, -0.060), (0, -0.015)])
        ink += 0.55 * _stroke(canvas, smooth(lid), 0.016)
        bag = points[[42, 47, 46, 45]] * (side, 1) + np.array([(0.02, 0.05), (0, 0.075), (0, 0.07), (0, 0.04)])
        ink += (0.10 + 0.004 * (actor.age - 20)) * _stroke(canvas, smooth(bag), 0.022)
        nw, ny = actor.nose_w, actor.nose_y
        hole = np.array([(0.045, ny - 0.005), (0.085, ny - 0.028), (nw * 0.66, ny - 0.018), (nw * 0.70, ny + 0.002)])
        ink += 1.25 * _stroke(canvas, smooth(hole * (side, 1)), 0.024)
        wing = np.array([(nw * 0.90, ny - 0.13), (nw * 1.06, ny - 0.07), (nw * 0.98, ny - 0.01)])
        ink += 0.5 * _stroke(canvas, smooth(wing * (side, 1)), 0.018)
        fold = np.array([(nw * 1.15, ny - 0.06), (nw * 1.5, ny + 0.08), (actor.mouth_w + 0.10, actor.mouth_y - 0.06)])
        ink += (0.10 + 0.007 * (actor.age - 20)) * _stroke(canvas, smooth(fold * (side, 1)), 0.03)
    face *= 1 - np.clip(ink, 0, 1)[..., None] * np.array([0.42, 0.52, 0.55], np.float32)
    brow = _brows(actor, canvas, rng)[..., None]
    brow_colour = np.minimum(hair * 0.72, skin * 0.55) * np.clip(shade, 0.4, 1.2)[..., None]
    face += (brow_colour - face) * brow * 0.88

    # Silhouette: jaw and skull, ears behind, hair over it.
    outline = np.vstack([points[16:7:-1], [(0.0, actor.chin + 0.01)]])
    upper = [(0.0, actor.cranium), (0.42, actor.cranium + 0.08), (0.78 * actor.width, actor.cranium + 0.42)]
    upper += [(0.97 * actor.width, -0.55), (1.01 * actor.width, -0.2)]
    cover = canvas.filled(smooth(_mirrored(np.vstack([upper, outline[:-1]])), 6))
    ears = np.zeros(x.shape, np.float32)
    for side in (1, -1):
        ear = np.array([(0.96, -0.10), (1.09, -0.13), (1.15, 0.0), (1.11, 0.22), (1.04, 0.42), (0.95, 0.40)])
        ears += canvas.filled(smooth(ear * (side * actor.width, 1), 6, closed=True))
    ear_tone = skin * np.array([0.80, 0.70, 0.68], np.float32)
    lit = 0.86 + 0.22 * np.sign(light[0]) * np.clip(x, -1, 1) * min(1.0, abs(light[0]))
    inner = 1 - 0.42 * pair(x, y, 1.055 * actor.width, 0.10, 0.03, 0.13)
    rgb = np.where(cover[..., None] > 0.5, face, ear_tone * (lit * inner)[..., None])
    alpha = np.maximum(cover, np.clip(ears, 0, 1))
    rgb, alpha = _add_hair(actor, canvas, rng, rgb, alpha, light, fill)
    return np.dstack([np.clip(rgb, 0, 255), 255 * alpha]).astype(np.float32), z


def _stroke(canvas: Canvas, curve, width: float) -> np.ndarray:
    """A soft line along `curve`, tapered by blurring: float32 (height, width), about 1 at its middle."""
    ss = 2
    big = np.zeros((canvas.height * ss, canvas.width * ss), np.uint8)
    points = (np.asarray(curve) - (LEFT, TOP)) * canvas.scale * ss - 0.5
    thick = max(1, round(width * canvas.scale * ss))
    cv2.polylines(big, [np.round(points * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    line = cv2.resize(big, (canvas.width, canvas.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return cv2.GaussianBlur(line, (0, 0), width * canvas.scale * 0.5) * 1.3


def _add_hair(actor: Actor, canvas: Canvas, rng, rgb, alpha, light, fill):
    """Lay the hair over the head; returns the new colours (h, w, 3) and coverage (h, w)."""
    x, y = canvas.grid()
    s = canvas.scale
    outer, opening, part = _hair_shapes(actor, rng)
    hole = canvas.filled(opening)
    strands = _strands(rng, canvas, x, y, part, actor.style == "curly")
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
    if actor.style in LONG_STYLES:  # deeper inside, beside the neck
        colour = colour * (1 - 0.45 * np.clip((y - 0.4) / 1.0, 0, 1) * np.clip(1.15 - np.abs(x), 0, 1))[..., None]
    contact = cv2.GaussianBlur(cover, (0, 0), 0.06 * s)  # the hair's shadow on the skin
    rgb = rgb * (1 - 0.38 * np.clip(contact, 0, 1) * (1 - cover))[..., None]
    rgb = rgb + (colour - rgb) * cover[..., None]
    return rgb, np.maximum(alpha, cover)
