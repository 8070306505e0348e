"""The head at rest as a picture: skin, brows, beard, ears and hair under one light, in canonical coordinates."""

from __future__ import annotations

import cv2
import numpy as np

from lib.synthetic import anatomy
from lib.synthetic.actors import Actor
from lib.synthetic.anatomy import bump, pair
from lib.synthetic.canvas import LEFT, TOP, Canvas, mirrored, noise, shading, smooth, stroke
from lib.synthetic.hair import add_hair


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
    red += 0.16 * noise(rng, x.shape, 0.30 * s) * 0.4 + 0.10 * bump(x, y, 0, actor.chin - 0.15, 0.2, 0.12)
    albedo *= 1 + red[..., None] * np.array([0.05, -0.11, -0.10], np.float32)
    socket = 0.5 * pair(x, y, actor.eye_x - 0.03, 0.02, 0.22, 0.12) + 0.35 * pair(x, y, 0.25, 0.10, 0.09, 0.06)
    albedo *= 1 - socket[..., None] * np.array([0.10, 0.16, 0.13], np.float32)
    grain = 0.012 * noise(rng, x.shape, 0.03 * s) + 0.02 * noise(rng, x.shape, 0.12 * s)
    albedo *= 1 + grain[..., None]
    hair = np.asarray(actor.hair, np.float32)
    if actor.beard:
        area = bump(x, y, 0, actor.chin - 0.10, 0.62, 0.34) + 0.55 * bump(x, y, 0, actor.nose_y + 0.17, 0.30, 0.06)
        area += 0.8 * pair(x, y, 0.80, 0.95, 0.15, 0.4)
        area *= 1 / (1 + np.exp((np.abs(x) * 0.35 + actor.nose_y + 0.08 - y + 0.10) / 0.06))
        stubble = np.clip(area, 0, 1) * actor.beard * np.clip(0.75 + 0.30 * noise(rng, x.shape, 0.02 * s), 0, 1)
        albedo += (hair * 0.9 - albedo) * 0.75 * np.clip(stubble, 0, 1)[..., None]

    shade = shading(z, s, light)
    hollow = cv2.GaussianBlur(z, (0, 0), 0.09 * s) - z
    shade = shade * (1 - np.clip(hollow, -0.02, 0.10) * 2.4)
    shade += (1.02 - shade) * fill
    half = light / np.linalg.norm(light) + (0, 0, 1)
    gloss = np.clip(shading(z, s, half, 0.0) - 0.86, 0, 1) ** 2
    warm = np.array([0.86, 1.0, 1.06], np.float32)  # light that passes through the skin comes out red
    face = albedo * np.clip(shade, 0.05, 1.6)[..., None] ** warm * np.asarray(actor.light_colour, np.float32)
    face += 260.0 * gloss[..., None] * np.clip(0.75 + 0.12 * noise(rng, x.shape, 0.04 * s), 0, 2)[..., None]

    face = np.where(face > 190, 190 + 58 * np.tanh((face - 190) / 58), face)  # highlights roll off

    # Lines that stay at rest: lid crease, nostrils, seam shadows, age.
    ink = np.zeros(x.shape, np.float32)
    for side in (1, -1):
        lid = points[[42, 43, 44, 45]] * (side, 1) + np.array([(0.0, -0.03), (0, -0.062), (0, -0.060), (0, -0.015)])
        ink += 0.55 * stroke(canvas, smooth(lid), 0.016)
        bag = points[[42, 47, 46, 45]] * (side, 1) + np.array([(0.02, 0.05), (0, 0.075), (0, 0.07), (0, 0.04)])
        ink += (0.10 + 0.004 * (actor.age - 20)) * stroke(canvas, smooth(bag), 0.022)
        nw, ny = actor.nose_w, actor.nose_y
        hole = np.array([(0.045, ny - 0.005), (0.085, ny - 0.028), (nw * 0.66, ny - 0.018), (nw * 0.70, ny + 0.002)])
        ink += 1.15 * stroke(canvas, smooth(hole * (side, 1)), 0.022)
        wing = np.array([(nw * 0.90, ny - 0.13), (nw * 1.06, ny - 0.07), (nw * 0.98, ny - 0.01)])
        ink += 0.5 * stroke(canvas, smooth(wing * (side, 1)), 0.018)
        fold = np.array([(nw * 1.15, ny - 0.06), (nw * 1.5, ny + 0.08), (actor.mouth_w + 0.10, actor.mouth_y - 0.06)])
        ink += (0.05 + 0.006 * (actor.age - 20)) * stroke(canvas, smooth(fold * (side, 1)), 0.03)
    face *= 1 - np.clip(ink, 0, 1)[..., None] * np.array([0.42, 0.52, 0.55], np.float32)
    brow = _brows(actor, canvas, rng)[..., None]
    brow_colour = np.minimum(hair * 0.72, skin * 0.55) * np.clip(shade, 0.4, 1.2)[..., None]
    brow *= np.clip(0.82 + 0.16 * noise(rng, x.shape, 0.018 * s), 0, 1)[..., None]
    face += (brow_colour - face) * brow * 0.95

    # Silhouette: jaw and skull, ears behind, hair over it.
    outline = np.vstack([points[16:7:-1], [(0.0, actor.chin + 0.01)]])
    upper = [(0.0, actor.cranium), (0.42, actor.cranium + 0.08), (0.78 * actor.width, actor.cranium + 0.42)]
    upper += [(0.97 * actor.width, -0.55), (1.01 * actor.width, -0.2)]
    cover = canvas.filled(smooth(mirrored(np.vstack([upper, outline[:-1]])), 6))
    ears = np.zeros(x.shape, np.float32)
    for side in (1, -1):
        ear = np.array([(0.96, -0.10), (1.09, -0.13), (1.15, 0.0), (1.11, 0.22), (1.04, 0.42), (0.95, 0.40)])
        ears += canvas.filled(smooth(ear * (side * actor.width, 1), 6, closed=True))
    ear_tone = skin * np.array([0.80, 0.70, 0.68], np.float32)
    lit = 0.86 + 0.22 * np.sign(light[0]) * np.clip(x, -1, 1) * min(1.0, abs(light[0]))
    inner = 1 - 0.42 * pair(x, y, 1.055 * actor.width, 0.10, 0.03, 0.13)
    rgb = np.where(cover[..., None] > 0.5, face, ear_tone * (lit * inner)[..., None])
    alpha = np.maximum(cover, np.clip(ears, 0, 1))
    rgb, alpha = add_hair(actor, canvas, rng, rgb, alpha, light, fill)
    return np.dstack([np.clip(rgb, 0, 255), 255 * alpha]).astype(np.float32), z
