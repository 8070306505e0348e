"""A take as pictures: the resting portrait warped by muscles and pose, eyes and mouth drawn into it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import cv2
import numpy as np

from lib.synthetic import anatomy, muscles
from lib.synthetic.actors import Actor, cast
from lib.synthetic.anatomy import bump, pair
from lib.synthetic.dials import Dials
from lib.synthetic.motion import Take
from lib.synthetic.portrait import LEFT, TOP, Canvas, paint, shading, smooth
from lib.synthetic.stage import STUDIOS, Studio, backdrop

_FINE = 3  # eyes and mouth are drawn this many times larger
_STEP = 5  # pixels between nodes of the warp
_PIVOT = np.array([0.0, 1.1, -0.25])  # the head turns about the top of the neck


def _curve(count: int, steps: int) -> np.ndarray:
    """Matrix that turns `count` points into a smooth open curve."""
    eye = np.eye(count)
    return np.stack([smooth(np.column_stack([e, e]), steps)[:, 0] for e in eye], axis=1)


_LID, _LIP, _SEAM = _curve(4, 5), _curve(7, 4), _curve(5, 5)


def _wrinkles(actor: Actor, x, y) -> dict[str, np.ndarray]:
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


def _wrinkle_weights(take: Take) -> np.ndarray:
    a = {k: muscles.au(take, k) for k in (1, 2, 4, 6, 9, 10, 12, 15, 17)}
    brow = 0.6 * a[1] + 0.6 * a[2] - 0.5 * a[4] * (a[1] < 0.3)
    fold = np.maximum.reduce([0.9 * a[10], 0.85 * a[12], 0.5 * a[9]])
    weights = [np.clip(brow, 0, 1.3), a[4], a[9], fold, 0.7 * a[6] + 0.5 * a[12], 0.9 * a[15] + 0.6 * a[17]]
    return np.clip(np.stack(weights, axis=1), 0, 1.3).astype(np.float32)


@lru_cache(maxsize=6)
def _portrait(number: int, studio: Studio):
    """Everything about an actor in a studio that no take changes."""
    actor = cast(number)
    canvas = Canvas.of(actor, round(studio.scale * 1.2))
    rgba, z = paint(actor, canvas, fill=studio.fill)
    x, y = canvas.grid()
    plain = shading(z, canvas.scale, actor.light)
    deltas = []
    for extra in _wrinkles(actor, x, y).values():
        change = shading(z + extra.astype(np.float32), canvas.scale, actor.light) / np.maximum(plain, 0.2) - 1
        change *= (1 - 0.45 * studio.fill) * (rgba[..., 3] > 250)
        change[np.abs(change) < 0.004] = 0
        rows, cols = np.flatnonzero(np.abs(change).max(1)), np.flatnonzero(np.abs(change).max(0))
        box = np.s_[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        deltas.append((box, np.ascontiguousarray(rgba[..., :3][box] * change[box][..., None], np.float32)))
    coarse = 0.085
    gx, gy = np.meshgrid(np.arange(LEFT, -LEFT, coarse), np.arange(TOP, canvas.height / canvas.scale + TOP, coarse))
    grid = muscles.fields(actor, gx, gy).reshape(len(muscles.CONTROLS), -1)
    return actor, canvas, rgba, z, deltas, (coarse, gx.shape, grid)


def _rotations(pose: np.ndarray) -> np.ndarray:
    """Rotation matrices (n, 3, 3) of yaw, pitch and roll (n, 3) in radians."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(pose).T, np.sin(pose).T
    zero, one = np.zeros_like(cy), np.ones_like(cy)
    yaw = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    pitch = np.array([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
    roll = np.array([[cr, -sr, zero], [sr, cr, zero], [zero, zero, one]])
    return np.einsum("ijn,jkn,kln->nil", roll, pitch, yaw)


def render_take(studio: Studio, number: int, take: Take, rng, dials: Dials) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Film `take` of actor `number`; yields each frame and its true landmarks.

    Yields
    ------
    (frame, landmarks)
        uint8 (height, width, 3) RGB and float32 (68, 2) in pixels, pixel centres at whole numbers.
    """
    actor, canvas, rgba, z, deltas, (coarse, shape, grid) = _portrait(number, studio)
    n = len(take.aus)
    scale = studio.scale * np.exp(rng.normal(0, 0.03))
    centre = np.array(studio.centre) + rng.normal(0, 1, 2) * (0.10, 0.05) * scale
    exposure = np.exp(rng.normal(0, 0.035)) * (1 + rng.normal(0, 0.012, 3))
    gain = (exposure * studio.contrast).astype(np.float32)
    lift = 255 * (1 - studio.contrast) * 0.5 - 2.0 * dials.noise  # the noise tile is never negative
    still = np.clip(backdrop(studio, actor, centre, scale, rng) * gain + lift, 0, 255).astype(np.uint8)
    colours = rgba.copy()
    colours[..., :3] = colours[..., :3] * gain + lift
    texture = np.clip(colours, 0, 255).astype(np.uint8)
    tile = rng.normal(2 * dials.noise, dials.noise, (studio.height + 61, studio.width + 67, 3))
    tile = np.clip(np.round(tile), 0, 255).astype(np.uint8)

    amplitudes = muscles.controls(actor, take)
    moved = (amplitudes @ grid.astype(np.float64)).astype(np.float32).reshape(n, *shape, 2)
    points = muscles.shape(actor, take, amplitudes)
    at = canvas.pixels(points).astype(np.float32)
    depth = cv2.remap(z, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    depth[:, 68:] = (depth[:, [36, 42]] + depth[:, [39, 45]]) / 2 + 0.03
    turn = _rotations(take.pose)
    solid = np.concatenate([points, depth[..., None]], axis=2) - _PIVOT
    origin = centre + scale * (take.shift + _PIVOT[:2])
    placed = scale * np.einsum("nij,npj->npi", turn[:, :2], solid) + origin[:, None]

    # The head's box in the picture, the same for the whole take.
    left = int(np.clip(placed[..., 0].min() - 0.62 * scale, 0, studio.width))
    right = int(np.clip(placed[..., 0].max() + 0.62 * scale, 0, studio.width))
    top = int(np.clip(placed[..., 1].min() - 1.75 * scale, 0, studio.height))
    bottom = int(np.clip(placed[:, 8, 1].max() + (canvas.height / canvas.scale + TOP - 1.4) * scale, 0, studio.height))
    box = np.s_[top:bottom, left:right]
    nodes = np.meshgrid(
        np.linspace(left, right - 1, (right - left) // _STEP), np.linspace(top, bottom - 1, (bottom - top) // _STEP)
    )
    nodes = np.stack(nodes, axis=-1)
    drawer = _Features(actor, scale, gain, lift)
    weights = _wrinkle_weights(take)
    face = np.s_[: canvas.height, : canvas.width]
    for i in range(n):
        # Backwards: picture -> head turned back -> skin moved back -> pixel of the portrait.
        flat = np.linalg.inv(turn[i, :2, :2])
        base = (nodes - origin[i]) / scale
        q = base @ flat.T
        for _ in range(3):
            where = ((q + _PIVOT[:2] - (LEFT, TOP)) * canvas.scale - 0.5).astype(np.float32)
            deep = cv2.remap(z, where[..., 0], where[..., 1], cv2.INTER_LINEAR) - _PIVOT[2]
            q = (base - deep[..., None] * turn[i, :2, 2]) @ flat.T
        q = q + _PIVOT[:2]
        cell = ((q - (LEFT, TOP)) / coarse).astype(np.float32)
        q = q - cv2.remap(moved[i], cell[..., 0], cell[..., 1], cv2.INTER_LINEAR)
        source = ((q - (LEFT, TOP)) * canvas.scale - 0.5).astype(np.float32)
        source = cv2.resize(source, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)

        skin = texture.copy()
        for (area, delta), weight in zip(deltas, weights[i], strict=True):
            if weight > 0.02:
                part = cv2.scaleAdd(delta, float(weight), colours[..., :3][area])
                skin[..., :3][area] = np.clip(part, 0, 255)
        head = cv2.remap(skin[face], source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        alpha = cv2.extractChannel(head, 3).astype(np.float32) * (1 / 255)
        frame = still.copy()
        frame[box] = cv2.blendLinear(cv2.cvtColor(head, cv2.COLOR_RGBA2RGB), still[box], alpha, 1 - alpha)
        drawer.draw(frame, placed[i], take.opening[i])
        dy, dx = rng.integers(61), rng.integers(67)
        cv2.add(frame, tile[dy : dy + studio.height, dx : dx + studio.width], dst=frame)
        yield frame, placed[i, :68].astype(np.float32)


class _Features:
    """Draws eyes and mouth into a frame; colours under the take's light."""

    def __init__(self, actor: Actor, scale: float, gain, lift: float):
        self.scale = scale
        skin = np.asarray(actor.skin, float)
        tone = 0.55 + 0.45 * skin.mean() / 190

        def lit(colour):
            return tuple(float(v) for v in np.clip(np.asarray(colour, float) * gain + lift, 0, 255))

        self.white = lit(np.array([226, 220, 214]) * min(tone, 1.0))
        self.shade = lit(np.array([158, 142, 136]) * tone)
        self.iris, self.rim = lit(np.array(actor.iris) * 1.0), lit(np.array(actor.iris) * 0.45)
        self.pupil, self.gleam = lit((14, 12, 12)), lit((245, 245, 245))
        made_up = actor.sex == "Female"
        self.lash = lit(np.minimum(skin * (0.18 if made_up else 0.30), 60))
        self.lash_width = 0.030 if made_up else 0.022
        self.rim_low = lit(skin * (0.62, 0.50, 0.48))
        self.pink = lit((196, 128, 120) * np.array(tone))
        dark = skin.mean() < 130
        red = (0.92, 0.70, 0.70) if dark else ((0.90, 0.62, 0.62) if not made_up else (0.90, 0.54, 0.56))
        self.upper_lip = tuple(128 * v * 0.88 for v in red)
        self.lower_lip = tuple(128 * min(v * 1.06, 1.2) for v in red)
        self.lip_shine = tuple(128 * min(v * 1.24, 1.4) for v in red)
        self.cavity, self.tongue = lit((44, 16, 18)), lit((140, 66, 66))
        self.teeth = lit((222, 214, 200))
        self.teeth_low = lit((186, 176, 164))
        self.light_side = 1 if actor.light[0] > 0 else -1

    def draw(self, frame: np.ndarray, points: np.ndarray, opening: float) -> None:
        """Draw into `frame` with the features at `points` (70, 2) in pixels."""
        self._eye(frame, points[36:42], points[68])
        self._eye(frame, points[42:48][[3, 2, 1, 0, 5, 4]], points[69])
        self._mouth(frame, points[48:68])

    def _patch(self, frame, points, margin):
        """Enlarged copy of the frame around `points`: patch, its box, and a function into its pixels (4 bits finer)."""
        h, w = frame.shape[:2]
        x0, y0 = np.floor(points.min(0) - margin).astype(int)
        x1, y1 = np.ceil(points.max(0) + margin).astype(int) + 1
        x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, w), min(y1, h)
        view = frame[y0:y1, x0:x1]
        patch = cv2.resize(view, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_LINEAR)

        def inside(p):
            return np.round(((np.asarray(p) - (x0, y0) + 0.5) * _FINE - 0.5) * 16).astype(np.int32)

        return view, patch, inside

    def _put_back(self, view, patch):
        cv2.resize(patch, (view.shape[1], view.shape[0]), dst=view, interpolation=cv2.INTER_AREA)

    def _eye(self, frame, points, iris):
        """One eye, its landmarks from the left or right outer corner over the upper lid."""
        s = self.scale
        view, patch, inside = self._patch(frame, points, 0.07 * s)
        if not patch.size:
            return
        upper, lower = inside(_LID @ points[:4]), inside(_LID @ points[[3, 4, 5, 0]])
        ball = np.empty_like(patch)
        ball[:] = self.white
        fine = s * _FINE * 16
        middle = tuple(inside(iris).tolist())
        inner = tuple(inside(points[3] * 0.97 + points[0] * 0.03).tolist())
        cv2.circle(ball, inner, int(0.030 * fine), self.pink, -1, cv2.LINE_AA, 4)
        cv2.circle(ball, middle, int(0.082 * fine), self.rim, -1, cv2.LINE_AA, 4)
        cv2.circle(ball, middle, int(0.066 * fine), self.iris, -1, cv2.LINE_AA, 4)
        cv2.circle(ball, middle, int(0.034 * fine), self.pupil, -1, cv2.LINE_AA, 4)
        thick = max(1, round(0.05 * s * _FINE))
        cv2.polylines(ball, [upper], False, self.shade, thick, cv2.LINE_AA, 4)
        ball = cv2.blur(ball, (3, 3))
        gleam = inside(iris + np.array([0.028 * self.light_side, -0.026]) * s)
        cv2.circle(ball, tuple(gleam.tolist()), int(0.015 * fine), self.gleam, -1, cv2.LINE_AA, 4)
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.vstack([upper, lower])], 255, cv2.LINE_8, 4)
        cv2.copyTo(ball, mask, patch)
        cv2.polylines(patch, [lower], False, self.rim_low, max(1, round(0.012 * s * _FINE)), cv2.LINE_AA, 4)
        cv2.polylines(patch, [upper], False, self.lash, max(1, round(self.lash_width * s * _FINE)), cv2.LINE_AA, 4)
        self._put_back(view, patch)

    def _mouth(self, frame, points):
        """Lips (they tint the skin below), teeth and the inside of the mouth; `points` are landmarks 48-67."""
        s = self.scale
        view, patch, inside = self._patch(frame, points, 0.05 * s)
        top, low = inside(_LIP @ points[0:7]), inside(_LIP @ points[[6, 7, 8, 9, 10, 11, 0]])
        seam_up, seam_low = inside(_SEAM @ points[12:17]), inside(_SEAM @ points[[16, 17, 18, 19, 12]])
        tint = np.full(patch.shape, 128, np.uint8)
        cv2.fillPoly(tint, [np.vstack([low, seam_up])], self.lower_lip, cv2.LINE_AA, 4)
        shine = points[[17, 18, 19]] * 0.45 + points[[7, 9, 11]] * 0.55
        cv2.polylines(tint, [inside(shine)], False, self.lip_shine, max(1, round(0.035 * s * _FINE)), cv2.LINE_AA, 4)
        tint = cv2.blur(tint, (2 * (round(0.02 * s * _FINE)) + 1,) * 2)
        cv2.fillPoly(tint, [np.vstack([top, seam_up[::-1]])], self.upper_lip, cv2.LINE_AA, 4)
        tint = cv2.blur(tint, (5, 5))
        cv2.multiply(patch, tint, dst=patch, scale=1 / 128)
        gap = (points[17:20, 1] - points[[15, 14, 13], 1]).max()
        mouth = np.empty_like(patch)
        mouth[:] = self.cavity
        if gap > 0.02 * s:
            centre = points[18] + (0, 0.03 * s)
            axes = (int(0.20 * s * _FINE * 16), int(0.07 * s * _FINE * 16))
            cv2.ellipse(
                mouth,
                (tuple((inside(centre) // 16).tolist())),
                (axes[0] // 16, axes[1] // 16),
                0,
                0,
                360,
                self.tongue,
                -1,
            )
            if gap > 0.10 * s:
                band = np.vstack([seam_low, seam_low[::-1] - (0, int(0.030 * s * _FINE * 16))])
                cv2.fillPoly(mouth, [band], self.teeth_low, cv2.LINE_AA, 4)
            depth = int(min(0.085, 0.02 + 0.8 * gap / s) * s * _FINE * 16)
            curve = seam_up + np.array([0, 1]) * (depth * np.sin(np.linspace(0.18, np.pi - 0.18, len(seam_up))))[
                :, None
            ].astype(int)
            cv2.fillPoly(
                mouth, [np.vstack([seam_up - (0, 16), curve[::-1]]).astype(np.int32)], self.teeth, cv2.LINE_AA, 4
            )
            mouth = cv2.blur(mouth, (5, 5))
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.vstack([seam_up, seam_low])], 255, cv2.LINE_8, 4)
        cv2.copyTo(mouth, mask, patch)
        line = tuple(0.75 * v for v in self.rim_low)
        cv2.polylines(
            patch,
            [np.vstack([top[:1], seam_up, top[-1:]])],
            False,
            line,
            max(1, round(0.014 * s * _FINE)),
            cv2.LINE_AA,
            4,
        )
        self._put_back(view, patch)
