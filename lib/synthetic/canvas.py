"""Tools to paint with: a pixel grid in canonical coordinates, smooth curves, soft light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from lib.synthetic.actors import Actor

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
        bottom = 2.3 if actor.style in ("long", "parted_long") else 1.95
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


def mirrored(right) -> np.ndarray:
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


def noise(rng, shape, cell: float) -> np.ndarray:
    """Smooth noise of unit variance with structures of `cell` pixels, float32."""
    h, w = max(2, int(shape[0] / cell)), max(2, int(shape[1] / cell))
    small = rng.standard_normal((h, w)).astype(np.float32)
    return cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def stroke(canvas: Canvas, curve, width: float) -> np.ndarray:
    """A soft line along `curve`, tapered by blurring: float32 (height, width), about 1 at its middle."""
    ss = 2
    big = np.zeros((canvas.height * ss, canvas.width * ss), np.uint8)
    points = (np.asarray(curve) - (LEFT, TOP)) * canvas.scale * ss - 0.5
    thick = max(1, round(width * canvas.scale * ss))
    cv2.polylines(big, [np.round(points * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    line = cv2.resize(big, (canvas.width, canvas.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return cv2.GaussianBlur(line, (0, 0), width * canvas.scale * 0.5) * 1.3
