"""A take as pictures: the resting portrait warped by muscles and pose, eyes and mouth drawn into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from lib.corpora.twins import Person
from lib.synthetic import muscles, wrinkles
from lib.synthetic.actors import cast
from lib.synthetic.canvas import LEFT, TOP, Canvas, shading
from lib.synthetic.dials import Dials
from lib.synthetic.features import Features
from lib.synthetic.motion import Take
from lib.synthetic.portrait import paint
from lib.synthetic.stage import Studio, backdrop

_STEP = 5  # pixels between nodes of the warp
_PIVOT = np.array([0.0, 1.1, -0.25])  # the head turns about the top of the neck


def _box(change: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of what is not 0 in `change`."""
    rows, columns = np.flatnonzero(np.any(change, axis=1)), np.flatnonzero(np.any(change, axis=0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def _slices(box) -> tuple[slice, slice]:
    return slice(box[0], box[2]), slice(box[1], box[3])


@lru_cache(maxsize=6)
def _portrait(number: int, person: Person | None, studio: Studio):
    """Everything about an actor in a studio that no take changes."""
    actor = cast(number, person)
    canvas = Canvas.of(actor, round(studio.scale * 1.2))
    rgba, z = paint(actor, canvas, fill=studio.fill)
    x, y = canvas.grid()
    plain = shading(z, canvas.scale, actor.light)
    changes = []
    for extra in wrinkles.reliefs(actor, x, y).values():
        change = shading(z + extra.astype(np.float32), canvas.scale, actor.light) / np.maximum(plain, 0.2) - 1
        change *= (1 - 0.45 * studio.fill) * (rgba[..., 3] > 250)
        changes.append(np.where(np.abs(change) < 0.004, 0, change))
    top, left, *_ = core = _box(np.max(np.abs(changes), axis=0))
    deltas = []
    for change in changes:
        box = _box(change)
        delta = np.ascontiguousarray(rgba[..., :3][_slices(box)] * change[_slices(box)][..., None], np.float32)
        deltas.append((_slices((box[0] - top, box[1] - left, box[2] - top, box[3] - left)), delta))
    coarse = 0.085
    gx, gy = np.meshgrid(np.arange(LEFT, -LEFT, coarse), np.arange(TOP, canvas.height / canvas.scale + TOP, coarse))
    grid = muscles.fields(actor, gx, gy).reshape(len(muscles.CONTROLS), -1).astype(np.float64)
    return actor, backdrop(studio, actor), canvas, rgba, z, _slices(core), deltas, (coarse, gx.shape, grid)


@lru_cache(maxsize=4)
def _noise(height: int, width: int, spread: float) -> np.ndarray:
    """Camera noise about 2 x `spread`, uint8 (height, width, 3); frames take it at random places."""
    tile = np.random.default_rng([0x0115E, height, width]).normal(2 * spread, spread, (height, width, 3))
    return np.clip(np.round(tile), 0, 255).astype(np.uint8)


def _rotations(pose: np.ndarray) -> np.ndarray:
    """Rotation matrices (n, 3, 3) of yaw, pitch and roll (n, 3) in radians."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(pose).T, np.sin(pose).T
    zero, one = np.zeros_like(cy), np.ones_like(cy)
    yaw = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    pitch = np.array([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
    roll = np.array([[cr, -sr, zero], [sr, cr, zero], [zero, zero, one]])
    return np.einsum("ijn,jkn,kln->nil", roll, pitch, yaw)


def render_take(
    studio: Studio, number: int, take: Take, rng, dials: Dials, person: Person | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Film `take` of actor `number`, who may be a given `person`; yields each frame and its true landmarks.

    Yields
    ------
    (frame, landmarks)
        uint8 (height, width, 3) RGB and float32 (68, 2) in pixels, pixel centres at whole numbers.
    """
    actor, behind, canvas, rgba, z, core_box, deltas, (coarse, shape, grid) = _portrait(number, person, studio)
    n = len(take.aus)
    scale = studio.scale * np.exp(rng.normal(0, 0.03))
    centre = np.array(studio.centre) + rng.normal(0, 1, 2) * (0.10, 0.05) * scale
    exposure = np.exp(rng.normal(0, 0.035)) * (1 + rng.normal(0, 0.008, 3))
    gain = (exposure * studio.contrast).astype(np.float32)
    lift = 255 * (1 - studio.contrast) * 0.5 - 2.0 * dials.noise  # the noise tile is never negative
    zoom = scale / studio.scale
    framing = np.array([[zoom, 0, centre[0] - zoom * studio.centre[0]], [0, zoom, centre[1] - zoom * studio.centre[1]]])
    still = cv2.warpAffine(behind, framing, (studio.width, studio.height), borderMode=cv2.BORDER_REPLICATE)
    still = np.clip(still * gain + lift, 0, 255).astype(np.uint8)
    # Colours times coverage, so that the frame is head + backdrop x (1 - coverage).
    cover = rgba[..., 3:] / 255
    texture = np.clip(np.dstack([(rgba[..., :3] * gain + lift) * cover, rgba[..., 3]]), 0, 255).astype(np.uint8)
    core = np.ascontiguousarray(texture[core_box][..., :3], np.float32)
    deltas = [(area, delta * gain) for area, delta in deltas]
    tile = _noise(studio.height + 61, studio.width + 67, dials.noise)

    shown = dials.relief * wrinkles.weights(take)
    take = replace(take, aus=dials.displacement * take.aus)
    amplitudes = muscles.controls(actor, take)
    moved = (canvas.scale * amplitudes @ grid).astype(np.float32).reshape(n, *shape, 2)
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
    wide, high = right - left, bottom - top
    columns, rows = wide // _STEP, high // _STEP  # nodes lie where cv2.resize expects them
    nodes = np.meshgrid(
        left + (np.arange(columns) + 0.5) * wide / columns - 0.5, top + (np.arange(rows) + 0.5) * high / rows - 0.5
    )
    nodes = np.stack(nodes, axis=-1).astype(np.float32)
    corner = (_PIVOT[:2] - (LEFT, TOP)) * canvas.scale - 0.5
    features = Features(actor, scale, gain, lift)
    for i in range(n):
        # Backwards: picture -> head turned back (its depth by iteration) -> skin moved back -> portrait's pixel.
        flat = np.linalg.inv(turn[i, :2, :2]) * canvas.scale
        tilt = (flat @ turn[i, :2, 2]).astype(np.float32)
        base = nodes @ (flat.T / scale).astype(np.float32)
        base += (corner - flat @ origin[i] / scale + tilt * _PIVOT[2]).astype(np.float32)
        source = base - 0.7 * tilt
        for _ in range(3):
            source = base - cv2.remap(z, source, None, cv2.INTER_LINEAR)[..., None] * tilt
        cell = (source + 0.5) * np.float32(1 / (canvas.scale * coarse))
        source -= cv2.remap(moved[i], cell, None, cv2.INTER_LINEAR)
        source = cv2.resize(source, (wide, high), interpolation=cv2.INTER_LINEAR)

        skin = core.copy()
        for (area, delta), weight in zip(deltas, shown[i], strict=True):
            if weight > 0.02:
                part = skin[area]
                cv2.scaleAdd(delta, float(weight), part, dst=part)
        texture[core_box][..., :3] = cv2.convertScaleAbs(skin)
        head = cv2.remap(texture, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        through = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(head, 3)), cv2.COLOR_GRAY2RGB)
        frame = still.copy()
        view = frame[box]
        cv2.multiply(view, through, dst=view, scale=1 / 255)
        cv2.add(view, cv2.cvtColor(head, cv2.COLOR_RGBA2RGB), dst=view)
        features.draw(frame, placed[i])
        dy, dx = rng.integers(61), rng.integers(67)
        cv2.add(frame, tile[dy : dy + studio.height, dx : dx + studio.width], dst=frame)
        yield frame, placed[i, :68].astype(np.float32)
