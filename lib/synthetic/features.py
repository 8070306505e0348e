"""Eyes and mouth, drawn anew in every frame."""

from __future__ import annotations

import cv2
import numpy as np

from lib.synthetic.actors import Actor
from lib.synthetic.canvas import smooth


def _curve(count: int, steps: int) -> np.ndarray:
    """Matrix that turns `count` points into a smooth open curve."""
    eye = np.eye(count)
    return np.stack([smooth(np.column_stack([e, e]), steps)[:, 0] for e in eye], axis=1)


_LID, _LIP, _SEAM = _curve(4, 5), _curve(7, 4), _curve(5, 5)


class Features:
    """Draws eyes and mouth into frames: `scale` pixels a unit, colours times `gain` plus `lift`.

    Each feature is drawn enlarged and brought back by area averaging, which smooths its edges.
    """

    def __init__(self, actor: Actor, scale: float, gain, lift: float):
        self.scale = scale
        self.fine = 3 if scale < 65 else 2
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

    def draw(self, frame: np.ndarray, points: np.ndarray) -> None:
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
        patch = cv2.resize(view, None, fx=self.fine, fy=self.fine, interpolation=cv2.INTER_LINEAR)

        def inside(p):
            return np.round(((np.asarray(p) - (x0, y0) + 0.5) * self.fine - 0.5) * 16).astype(np.int32)

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
        fine = s * self.fine * 16
        middle = tuple(inside(iris).tolist())
        inner = tuple(inside(points[3] * 0.97 + points[0] * 0.03).tolist())
        cv2.circle(ball, inner, int(0.030 * fine), self.pink, -1, cv2.LINE_8, 4)
        cv2.circle(ball, middle, int(0.082 * fine), self.rim, -1, cv2.LINE_8, 4)
        cv2.circle(ball, middle, int(0.066 * fine), self.iris, -1, cv2.LINE_8, 4)
        cv2.circle(ball, middle, int(0.034 * fine), self.pupil, -1, cv2.LINE_8, 4)
        thick = max(1, round(0.05 * s * self.fine))
        cv2.polylines(ball, [upper], False, self.shade, thick, cv2.LINE_8, 4)
        ball = cv2.blur(ball, (3, 3))
        gleam = inside(iris + np.array([0.028 * self.light_side, -0.026]) * s)
        cv2.circle(ball, tuple(gleam.tolist()), int(0.015 * fine), self.gleam, -1, cv2.LINE_8, 4)
        mask = np.zeros(patch.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.vstack([upper, lower])], 255, cv2.LINE_8, 4)
        cv2.copyTo(ball, mask, patch)
        cv2.polylines(patch, [lower], False, self.rim_low, max(1, round(0.012 * s * self.fine)), cv2.LINE_8, 4)
        cv2.polylines(patch, [upper], False, self.lash, max(1, round(self.lash_width * s * self.fine)), cv2.LINE_8, 4)
        self._put_back(view, patch)

    def _mouth(self, frame, points):
        """Lips (they tint the skin below), teeth and the inside of the mouth; `points` are landmarks 48-67."""
        s = self.scale
        view, patch, inside = self._patch(frame, points, 0.05 * s)
        top, low = inside(_LIP @ points[0:7]), inside(_LIP @ points[[6, 7, 8, 9, 10, 11, 0]])
        seam_up, seam_low = inside(_SEAM @ points[12:17]), inside(_SEAM @ points[[16, 17, 18, 19, 12]])
        tint = np.full(patch.shape, 128, np.uint8)
        cv2.fillPoly(tint, [np.vstack([low, seam_up])], self.lower_lip, cv2.LINE_8, 4)
        shine = points[[17, 18, 19]] * 0.45 + points[[7, 9, 11]] * 0.55
        cv2.polylines(tint, [inside(shine)], False, self.lip_shine, max(1, round(0.035 * s * self.fine)), cv2.LINE_8, 4)
        tint = cv2.blur(tint, (2 * (round(0.02 * s * self.fine)) + 1,) * 2)
        cv2.fillPoly(tint, [np.vstack([top, seam_up[::-1]])], self.upper_lip, cv2.LINE_8, 4)
        tint = cv2.blur(tint, (5, 5))
        cv2.multiply(patch, tint, dst=patch, scale=1 / 128)
        gap = (points[17:20, 1] - points[[15, 14, 13], 1]).max()
        mouth = np.empty_like(patch)
        mouth[:] = self.cavity
        show = float(np.clip((gap / s - 0.025) / 0.06, 0, 1))
        if show > 0:
            thick = s * self.fine * 16  # one unit in the patch's fine pixels
            tongue = inside(points[18] + (0, 0.03 * s)) // 16
            cv2.ellipse(mouth, tongue.tolist(), (int(thick * 0.0125), int(thick * 0.0044)), 0, 0, 360, self.tongue, -1)
            arch = np.sin(np.linspace(0.18, np.pi - 0.18, len(seam_up)))[:, None]
            if gap > 0.10 * s:
                edge = seam_low[::-1] - (arch * (0, 0.035 * thick)).astype(np.int32)
                cv2.fillPoly(mouth, [np.vstack([seam_low, edge])], self.teeth_low, cv2.LINE_8, 4)
            depth = min(0.085, 0.72 * gap / s) * thick
            edge = seam_up + (arch * (0, depth)).astype(np.int32)
            tone = tuple(c + (t - c) * show for c, t in zip(self.cavity, self.teeth, strict=True))
            cv2.fillPoly(mouth, [np.vstack([seam_up - (0, 16), edge[::-1]])], tone, cv2.LINE_8, 4)
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
            max(1, round(0.014 * s * self.fine)),
            cv2.LINE_8,
            4,
        )
        self._put_back(view, patch)
