"""The studio of a clip: picture size, framing, backdrop, clothes and neck."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lib.synthetic.actors import Actor
from lib.synthetic.canvas import LONG_STYLES, mirrored, smooth


@dataclass(frozen=True)
class Studio:
    """How a corpus films: picture in pixels, `scale` = pixels of half a face's width."""

    width: int
    height: int
    scale: float
    centre: tuple  #: where the eyes' middle lies
    fill: float  #: share of soft frontal light
    contrast: float
    backdrops: tuple
    folds: float  #: visibility of the backdrop's folds


#: As CREMA-D: head and shoulders in front of a cloth. As RAVDESS: closer, brighter, in front of white.
STUDIOS = {
    "cloth": Studio(
        480, 360, 56.0, (240, 138), 0.10, 1.0, ((38, 142, 52), (44, 128, 66), (30, 150, 44), (70, 96, 140)), 1.0
    ),
    "white": Studio(640, 360, 72.0, (320, 152), 0.55, 0.85, ((226, 226, 228), (214, 216, 220)), 0.12),
}
_SHIRTS = ((62, 64, 70), (34, 36, 44), (92, 40, 44), (52, 72, 104), (120, 116, 108), (70, 84, 66), (28, 28, 30))


def _cover(shape, polygon) -> np.ndarray:
    cover = np.zeros(shape, np.uint8)
    cv2.fillPoly(cover, [np.round(np.asarray(polygon) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return cover.astype(np.float32)[..., None] / 255


def backdrop(studio: Studio, actor: Actor) -> np.ndarray:
    """Picture of cloth, neck and clothes without the head: float32 (height, width, 3), sRGB 0-255."""
    h, w, scale, centre = studio.height, studio.width, studio.scale, np.array(studio.centre)
    sign = float(np.sign(actor.light[0]))  # the side that the light comes from
    look = np.random.default_rng([actor.seed, 2])
    base = np.array(studio.backdrops[look.integers(len(studio.backdrops))], np.float32)
    base *= look.uniform(0.92, 1.06)
    cells = look.standard_normal((3, 9)).astype(np.float32)
    folds = cv2.resize(cells, (w, h), interpolation=cv2.INTER_CUBIC)
    folds = cv2.warpAffine(
        folds, np.float32([[1, look.uniform(-0.4, 0.4), 0], [0, 1, 0]]), (w, h), borderMode=cv2.BORDER_REFLECT
    )
    x, y = np.meshgrid(np.linspace(-1, 1, w, dtype=np.float32), np.linspace(-1, 1, h, dtype=np.float32))
    vignette = 1 - 0.10 * (x * x + y * y) + 0.06 * x * sign
    image = base * (vignette * (1 + 0.055 * studio.folds * folds))[..., None]

    def place(points):
        return np.asarray(points, float) * scale + centre

    skin = np.asarray(actor.skin, np.float32)
    male = actor.sex == "Male"
    chin, neck = actor.chin, 0.66 if male else 0.55
    if actor.style in LONG_STYLES:  # hair behind the neck
        low = 2.1 if actor.style != "bob" else 1.45
        behind = _cover((h, w), place(mirrored([(0, 0), (0.86, 0), (0.86, low - 0.5), (0.72, low)])))
        image += (np.asarray(actor.hair, np.float32) * 0.38 - image) * behind
    ux = ((np.arange(w) - centre[0]) / scale).astype(np.float32)
    uy = ((np.arange(h) - centre[1]) / scale).astype(np.float32)[:, None]
    throat = mirrored(smooth([(neck, 0.6), (neck * 0.96, chin + 0.05), (neck * 1.05, chin + 0.40), (1.3, chin + 0.75)]))
    column = 0.95 - 0.30 * np.clip(np.abs(ux / neck), 0, 1.3) ** 2.2 + 0.12 * sign * np.clip(ux, -1, 1)
    shadow = 1 - 0.42 * np.exp(-0.5 * (np.clip(uy - chin + 0.02, 0, 9) / 0.16) ** 2)
    tone = (column[None] * shadow * (1.02 - 0.08 * studio.contrast))[..., None]
    tone = tone * (1 + (1 - tone) * np.float32([0.10, -0.02, -0.08]))  # shadows on skin are red
    image += (skin * np.float32([0.97, 0.92, 0.90]) * tone - image) * _cover((h, w), place(throat))

    shirt = np.array(_SHIRTS[look.integers(len(_SHIRTS))], np.float32)
    wide = look.uniform(2.3, 2.6) if male else look.uniform(2.0, 2.25)
    collar = look.uniform(0.34, 0.48) if male else look.uniform(0.45, 0.75)
    edge = [(0, chin + collar), (0.32, chin + collar - 0.06), (0.60, chin + collar - 0.22), (neck + 0.12, chin + 0.20)]
    edge += [(1.15, chin + 0.48), (wide * 0.8, chin + 0.75), (wide, chin + 1.25), (wide + 0.25, chin + 3)]
    body = _cover((h, w), place(mirrored(smooth(edge))))
    fold = cv2.resize(look.standard_normal((5, 14)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    cloth = 1 + 0.10 * fold + 0.10 * sign * np.clip(ux, -2, 2)[None] - 0.10 * np.clip(uy - chin - 0.4, 0, 2)
    image += (shirt * np.clip(cloth, 0.4, 1.5)[..., None] - image) * body
    rim = body[..., 0] - cv2.GaussianBlur(body, (0, 0), 0.06 * scale)
    return image * (1 - 0.6 * np.clip(rim, 0, 1))[..., None]


def error_picture(studio: Studio) -> np.ndarray:
    """Picture of a failed recording, bars without a face: uint8 (height, width, 3), RGB."""
    bars = np.array([(180, 180, 180), (180, 180, 16), (16, 180, 180), (16, 180, 16), (180, 16, 180), (180, 16, 16)])
    columns = np.arange(studio.width) * len(bars) // studio.width
    return np.ascontiguousarray(np.broadcast_to(bars[columns].astype(np.uint8), (studio.height, studio.width, 3)))
