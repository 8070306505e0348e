"""Move the mesh's 68 points towards OpenFace's, in the same way for every face.

There are three steps with few degrees of freedom, because they were fitted on three people only. The points are
moved by mean shifts, which are left-right symmetric, since an asymmetry of the three people does not apply to others,
and shrunken. OpenFace's jaw turns against the mesh's when the head turns to a side: shifts in proportion to that turn
are antisymmetric. OpenFace's points follow an opening jaw less than the mesh's: shifts in proportion to the face's
length are symmetric. Beyond the turns and lengths of the three people the last two stay constant.
`tests/benchmarks/bench_mask_quality.py --fit` fits the constants and measures them on each person left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lib.faces.alignment import similarity, transform

__all__ = ["MIRROR", "TOWARDS_OPENFACE", "Correction", "correct", "length", "symmetric", "turn"]

# fmt: off
#: For each of the 68 points, its mirror point on the other side of the face.
MIRROR = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])
# fmt: on

#: Largest turn (tangent of the angle; 6 degrees) and largest difference from the mean length (pixels at 112 px) that
#: the shifts follow.
LARGEST_TURN, LARGEST_STRETCH = 0.105, 8.0

_RIGHT_EYE, _LEFT_EYE = 36, 45  # outer corners
_BRIDGE, _CHIN = 27, 8


class Correction(NamedTuple):
    """Constants of :func:`correct`; shifts are pixels in the aligned 112 px picture.

    Attributes
    ----------
    shifts : float array, (68, 2)
        For a face that looks into the camera and has the mean length.
    turned : float array, (68, 2)
        To add per unit of :func:`turn`.
    stretched : float array, (68, 2)
        To add per pixel of :func:`length` above `mean_length`.
    mean_length : float
        Pixels at 112 px.
    """

    shifts: np.ndarray
    turned: np.ndarray
    stretched: np.ndarray
    mean_length: float


#: Fitted on three people: actor 1001 of CREMA-D, actors 01 and 04 of RAVDESS.
# fmt: off
TOWARDS_OPENFACE = Correction(
    shifts=np.array([
        (0.45, -2.35), (0.47, 0.18), (-0.63, -4.57), (-0.54, -2.08), (-0.52, -2.82), (1.24, 0.30),
        (-0.69, -0.89), (-2.28, -0.93), (0.00, -0.06), (2.28, -0.93), (0.69, -0.89), (-1.24, 0.30),
        (0.52, -2.82), (0.54, -2.08), (0.63, -4.57), (-0.47, 0.18), (-0.45, -2.35), (-0.26, 0.39),
        (1.21, -1.03), (2.80, -0.60), (2.80, 0.06), (1.51, 1.49), (-1.51, 1.49), (-2.80, 0.06),
        (-2.80, -0.60), (-1.21, -1.03), (0.26, 0.39), (0.00, -0.14), (0.00, -1.73), (0.00, -2.34),
        (0.00, -0.22), (-0.74, 0.46), (0.45, -0.12), (0.00, 0.65), (-0.45, -0.12), (0.74, 0.46),
        (0.11, 0.10), (0.74, -0.16), (0.39, 0.08), (-1.16, -0.33), (-0.80, 0.10), (-0.35, -0.09),
        (1.16, -0.33), (-0.39, 0.08), (-0.74, -0.16), (-0.11, 0.10), (0.35, -0.09), (0.80, 0.10),
        (-0.50, 0.54), (-1.23, 1.03), (0.28, 0.48), (0.00, 0.68), (-0.28, 0.48), (1.23, 1.03),
        (0.50, 0.54), (1.25, -1.79), (-0.23, -1.36), (0.00, -1.52), (0.23, -1.36), (-1.25, -1.79),
        (0.43, 0.62), (-0.53, 0.52), (0.00, 0.71), (0.53, 0.52), (-0.43, 0.62), (0.61, -1.03),
        (0.00, -0.90), (-0.61, -1.03),
    ]),
    turned=np.array([
        (0.9, -7.4), (0.1, -8.2), (-9.0, -8.5), (-10.9, -7.5), (-8.3, -7.2), (-10.0, -7.0),
        (-12.7, -5.7), (-13.5, -2.1), (-12.0, 0.0), (-13.5, 2.1), (-12.7, 5.7), (-10.0, 7.0),
        (-8.3, 7.2), (-10.9, 7.5), (-9.0, 8.5), (0.1, 8.2), (0.9, 7.4), (2.1, -1.7),
        (1.0, 0.2), (-0.5, 2.0), (-1.6, 2.2), (-2.8, 2.3), (-2.8, -2.3), (-1.6, -2.2),
        (-0.5, -2.0), (1.0, -0.2), (2.1, 1.7), (-2.8, 0.0), (-3.3, 0.0), (-3.5, 0.0),
        (-1.4, 0.0), (-2.6, -0.9), (-2.7, -0.3), (-2.8, 0.0), (-2.7, 0.3), (-2.6, 0.9),
        (-1.5, -1.7), (-0.7, -1.5), (0.0, -1.1), (-1.6, -0.5), (-0.3, -0.7), (-0.8, -0.8),
        (-1.6, 0.5), (0.0, 1.1), (-0.7, 1.5), (-1.5, 1.7), (-0.8, 0.8), (-0.3, 0.7),
        (-3.0, -1.1), (-1.3, -0.5), (0.9, -0.1), (-0.7, 0.0), (0.9, 0.1), (-1.3, 0.5),
        (-3.0, 1.1), (-1.8, -0.1), (0.5, 0.2), (-1.0, 0.0), (0.5, -0.2), (-1.8, 0.1),
        (-1.7, -1.2), (0.6, -0.1), (-1.2, 0.0), (0.6, 0.1), (-1.7, 1.2), (0.8, 0.1),
        (-0.7, 0.0), (0.8, -0.1),
    ]),
    stretched=np.array([
        (0.072, -0.083), (0.071, -0.057), (0.093, 0.070), (0.052, 0.089), (0.007, 0.059), (0.004, 0.123),
        (0.090, 0.098), (0.060, -0.055), (0.000, -0.086), (-0.060, -0.055), (-0.090, 0.098), (-0.004, 0.123),
        (-0.007, 0.059), (-0.052, 0.089), (-0.093, 0.070), (-0.071, -0.057), (-0.072, -0.083), (0.119, -0.050),
        (0.076, -0.037), (0.030, -0.027), (-0.003, -0.016), (-0.032, -0.023), (0.032, -0.023), (0.003, -0.016),
        (-0.030, -0.027), (-0.076, -0.037), (-0.119, -0.050), (0.000, 0.125), (0.000, 0.113), (0.000, 0.107),
        (0.000, 0.067), (-0.006, 0.062), (-0.008, 0.045), (0.000, 0.057), (0.008, 0.045), (0.006, 0.062),
        (0.042, 0.034), (-0.012, -0.015), (0.005, -0.018), (0.035, 0.062), (0.048, 0.058), (0.048, 0.062),
        (-0.035, 0.062), (-0.005, -0.018), (0.012, -0.015), (-0.042, 0.034), (-0.048, 0.062), (-0.048, 0.058),
        (0.032, -0.039), (0.103, 0.138), (0.048, 0.107), (0.000, 0.119), (-0.048, 0.107), (-0.103, 0.138),
        (-0.032, -0.039), (-0.146, -0.445), (-0.099, -0.528), (0.000, -0.567), (0.099, -0.528), (0.146, -0.445),
        (-0.016, -0.063), (0.023, 0.129), (0.000, 0.128), (-0.023, 0.129), (0.016, -0.063), (-0.020, -0.460),
        (0.000, -0.481), (0.020, -0.460),
    ]),
    mean_length=90.25,
)
# fmt: on


def symmetric(shifts: np.ndarray) -> np.ndarray:
    """Left-right symmetric half of `shifts`, (..., 68, 2) in an upright picture."""
    return (shifts + shifts[..., MIRROR, :] * [-1, 1]) / 2


def turn(points: np.ndarray) -> float:
    """Tangent of the angle by which the line of the eyes of `points` (68, 3) leaves the picture's plane.

    Positive if the eye on the picture's right is farther from the camera.
    """
    across, down, away = np.asarray(points[_LEFT_EYE] - points[_RIGHT_EYE], dtype=np.float64)
    return float(away / max(np.sqrt(across**2 + down**2), 1e-9))


def length(aligned: np.ndarray) -> float:
    """Distance from the nose's bridge to the chin of `aligned` points (68, 2), pixels at 112 px."""
    across, down = aligned[_CHIN] - aligned[_BRIDGE]
    return float(np.sqrt(across**2 + down**2))


def correct(points: np.ndarray, correction: Correction = TOWARDS_OPENFACE) -> np.ndarray:
    """Move the mesh's points towards OpenFace's.

    Parameters
    ----------
    points : float array, (68, 3)
        Pixels in a frame and depth, as :meth:`lib.faces.landmarks.FaceMesh.follow_mesh` gives them.
    correction
        The constants.

    Returns
    -------
    float32 array, (68, 2)
        Pixels in the frame.
    """
    flat = points[:, :2].astype(np.float64)
    matrix = similarity(flat)
    turned = min(max(turn(points), -LARGEST_TURN), LARGEST_TURN)
    stretch = min(max(length(transform(flat, matrix)) - correction.mean_length, -LARGEST_STRETCH), LARGEST_STRETCH)
    shifts = correction.shifts + turned * correction.turned + stretch * correction.stretched
    return (flat + shifts @ np.linalg.inv(matrix[:, :2]).T).astype(np.float32)
