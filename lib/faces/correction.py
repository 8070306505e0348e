"""Move the mesh's 68 points towards OpenFace's, in the same way for every face.

There are two steps with few degrees of freedom, because they were fitted on three people only. First the scale: most
of the difference between the masked faces comes from it, and the ends of the jaw (the face's width) predict OpenFace's
scale better for a new person than the rigid points do. The points are scaled half way to it. Then the points are moved
by shifts that are left-right symmetric, since an asymmetry of the three people does not apply to others, and shrunken.
`tests/benchmarks/bench_mask_quality.py --fit` fits the constants and measures them on each person left out.
"""

from __future__ import annotations

import numpy as np

from lib.faces.alignment import similarity

__all__ = ["JAW_RADIUS", "MIRROR", "TOWARDS_OPENFACE", "correct", "jaw_radius", "symmetric"]

# fmt: off
#: For each of the 68 points, its mirror point on the other side of the face.
MIRROR = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])

#: RMS distance of the jaw's ends from their mean in the aligned picture of a mean face, in pixels at 112 px.
JAW_RADIUS = 50.668

#: Left-right symmetric shifts of the scaled points, pixels in the aligned 112 px picture.
TOWARDS_OPENFACE = np.array([
    (0.34, -2.44), (0.25, 0.09), (-0.08, -4.37), (-0.32, -1.62), (-1.20, -1.96), (0.36, 1.25),
    (-1.30, 0.33), (-2.52, 0.61), (0.00, 1.43), (2.52, 0.61), (1.30, 0.33), (-0.36, 1.25),
    (1.20, -1.96), (0.32, -1.62), (0.08, -4.37), (-0.25, 0.09), (-0.34, -2.44), (-0.57, 0.83),
    (0.65, -0.41), (1.90, -0.06), (1.95, 0.44), (1.07, 2.06), (-1.07, 2.06), (-1.95, 0.44),
    (-1.90, -0.06), (-0.65, -0.41), (0.57, 0.83), (0.00, 1.08), (0.00, -0.53), (0.00, -1.83),
    (0.00, -0.17), (-0.40, 0.48), (0.23, -0.43), (0.00, 0.52), (-0.23, -0.43), (0.40, 0.48),
    (0.49, 0.62), (0.77, 0.19), (0.25, 0.50), (-0.84, 0.31), (-0.71, 0.38), (-0.17, 0.48),
    (0.84, 0.31), (-0.25, 0.50), (-0.77, 0.19), (-0.49, 0.62), (0.17, 0.48), (0.71, 0.38),
    (-0.18, 0.42), (-0.89, 0.99), (0.29, 0.36), (0.00, 0.69), (-0.29, 0.36), (0.89, 0.99),
    (0.18, 0.42), (1.40, -1.51), (-0.16, -1.15), (0.00, -1.27), (0.16, -1.15), (-1.40, -1.51),
    (0.12, 0.80), (-0.74, 0.21), (0.00, 0.38), (0.74, 0.21), (-0.12, 0.80), (0.55, -1.03),
    (0.00, -0.88), (-0.55, -1.03),
])
# fmt: on

_JAW_ENDS = np.array([0, 1, 2, 14, 15, 16])
_SCALED = 0.5  # exponent: the part of the way that the scale is moved


def symmetric(shifts: np.ndarray) -> np.ndarray:
    """Left-right symmetric half of `shifts`, (68, 2) in an upright picture."""
    return (shifts + shifts[MIRROR] * [-1, 1]) / 2


def jaw_radius(points: np.ndarray) -> float:
    """RMS distance of the jaw's ends from their mean in the aligned picture of `points` (68, 2), pixels at 112 px."""
    ends = (points[_JAW_ENDS] - points[_JAW_ENDS].mean(axis=0)) @ similarity(points)[:, :2].T
    return float(np.sqrt((ends**2).sum(axis=1).mean()))


def correct(points: np.ndarray, shifts: np.ndarray = TOWARDS_OPENFACE, radius: float = JAW_RADIUS) -> np.ndarray:
    """Move the mesh's points towards OpenFace's.

    Parameters
    ----------
    points : float32 array, (68, 2)
        Pixels in a frame.
    shifts : float array, (68, 2)
        Pixels in the aligned picture of the scaled points.
    radius
        The :func:`jaw_radius` of a face that keeps its scale.

    Returns
    -------
    float32 array, (68, 2)
    """
    middle = points.mean(axis=0, dtype=np.float64)
    scaled = middle + (points - middle) * (jaw_radius(points) / radius) ** _SCALED
    linear = similarity(scaled)[:, :2]
    return (scaled + shifts @ np.linalg.inv(linear).T).astype(np.float32)
