"""OpenFace's aligned and masked face picture, computed from 68 landmarks.

An independent implementation of what FeatureExtraction's ``-simalign`` writes by default (Baltrusaitis et al.,
"OpenFace 2.0", 2018): a similarity transform onto a mean face, then everything outside the face's outline black.
Points are numbered 0-67 as in OpenFace: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67. Coordinates
are pixels; pixel centres have whole numbers.
"""

from __future__ import annotations

import cv2
import numpy as np

#: Width and height of OpenFace's aligned picture.
SIZE = 112

#: The points that hardly move with the expression; only they decide scale and rotation.
RIGID = np.array([1, 2, 3, 4, 12, 13, 14, 15, 27, 28, 29, 31, 32, 33, 34, 35, 36, 39, 40, 41, 42, 45, 46, 47])

#: Outline of the mask: along the jaw, then back along the brows.
OUTLINE = np.array([*range(17), 26, 25, 24, 19, 18, 17])

#: Points moved up before masking, so that the mask includes the forehead, and by how many pixels at `SIZE`.
RAISED = np.array([0, 16, *range(17, 27)])
RAISE = 30.0

#: RMS distance of the rigid points from their mean, in pixels at `SIZE` (OpenFace's mean shape x 0.7).
RADIUS = 35.642

#: The rigid points of an upright, symmetric mean face, mean-centred. Only their directions matter for the
#: rotation and their RMS radius for the scale, so no data file of OpenFace is needed: this is the generalised
#: Procrustes mean of the mesh's points on real clips of three people, averaged with its mirror image.
TEMPLATE = np.array(
    [
        [-49.553, -6.681],
        [-47.326, 13.896],
        [-44.589, 23.836],
        [-38.974, 37.811],
        [38.974, 37.811],
        [44.589, 23.836],
        [47.326, 13.896],
        [49.553, -6.681],
        [0.000, -24.158],
        [0.000, -13.375],
        [0.000, -3.009],
        [-9.748, 10.142],
        [-5.655, 13.199],
        [0.000, 13.355],
        [5.655, 13.199],
        [9.748, 10.142],
        [-33.162, -21.051],
        [-12.960, -20.185],
        [-19.505, -18.659],
        [-27.019, -18.715],
        [12.960, -20.185],
        [33.162, -21.051],
        [27.019, -18.715],
        [19.505, -18.659],
    ]
)

_TEMPLATE = TEMPLATE @ [1, 1j]


def similarity(points: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Similarity transform that OpenFace aligns a face with.

    The rotation (without reflection) is Kabsch's least-squares fit of the rigid points to `TEMPLATE`, the scale is the
    ratio of the two RMS radii. The translation is not from that fit: it moves the mean of all 68 points to the
    picture's middle.

    Parameters
    ----------
    points : float array, (68, 2)
        Landmarks in the frame, pixels.
    size
        Width and height of the aligned picture, pixels.

    Returns
    -------
    float64 array, (2, 3)
        Matrix from frame to aligned picture, as `cv2.warpAffine` takes it.

    Raises
    ------
    ValueError
        If the rigid points are all in the same place.
    """
    # Points as complex numbers x + iy: the best rotation is the angle of one sum of products.
    shape = np.ascontiguousarray(points, dtype=np.float64).view(np.complex128)[:, 0]
    rigid = shape[RIGID] - shape[RIGID].sum() / len(RIGID)
    radius = np.sqrt(np.vdot(rigid, rigid).real / len(RIGID))
    turn = np.vdot(rigid, _TEMPLATE)
    if not (radius > 0 and abs(turn) > 0):
        raise ValueError("the landmarks fall together in one point")
    factor = turn / abs(turn) * (RADIUS / radius * size / SIZE)
    shift = size / 2 * (1 + 1j) - factor * (shape.sum() / len(shape))
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def transform(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply the (2, 3) `matrix` to `points` (n, 2)."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def sample(frame: np.ndarray, to_frame: np.ndarray, size: int, border: int) -> np.ndarray:
    """Sample a square picture bilinearly from a frame.

    Equal to `cv2.warpAffine`, in half the time: OpenCV samples four channels more than twice as fast as three, and
    the fourth channel is added only to the part of the frame that is read.

    Parameters
    ----------
    frame : uint8 array, (height, width, 3)
    to_frame : float array, (2, 3)
        Matrix from the picture's pixels to the frame's.
    size
        Width and height of the picture.
    border
        What is outside the frame: `cv2.BORDER_CONSTANT` (black) or `cv2.BORDER_REPLICATE`.

    Returns
    -------
    uint8 array, (size, size, 3)
    """
    height, width = frame.shape[:2]
    across, down = to_frame[:, 0] * (size - 1), to_frame[:, 1] * (size - 1)
    low = to_frame[:, 2] + np.minimum(across, 0) + np.minimum(down, 0)
    high = to_frame[:, 2] + np.maximum(across, 0) + np.maximum(down, 0)
    # Two more pixels on each side, so that no border of this part is sampled inside the frame.
    left, top = (min(max(int(edge) - 2, 0), end - 1) for edge, end in zip(low, (width, height), strict=True))
    right, bottom = (max(int(edge) + 4, start + 1) for edge, start in zip(high, (left, top), strict=True))
    part = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_RGB2RGBA)
    to_part = to_frame - [[0, 0, left], [0, 0, top]]
    picture = cv2.warpAffine(
        part, to_part, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return cv2.cvtColor(picture, cv2.COLOR_RGBA2RGB)


def face_mask(aligned: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Pixels inside OpenFace's outline of the face.

    Even-odd scan lines: a pixel belongs to the mask if its centre is inside the polygon. (`cv2.fillPoly` also fills
    pixels on the edge: intersection over union 0.989.)

    Parameters
    ----------
    aligned : float array, (68, 2)
        Landmarks in the aligned picture.
    size
        Width and height of the picture, pixels.

    Returns
    -------
    bool array, (size, size)
    """
    raised = np.array(aligned, dtype=np.float64)
    raised[RAISED, 1] -= RAISE * size / SIZE
    start = raised[OUTLINE]
    (x0, y0), (x1, y1) = start.T, np.concatenate([start[1:], start[:1]]).T
    rows = np.arange(size)[:, None]
    row, edge = np.nonzero((y0 <= rows) != (y1 <= rows))  # never a level edge
    crossing = x0[edge] + (row - y0[edge]) * ((x1 - x0)[edge] / (y1 - y0)[edge])
    first = np.clip(np.ceil(crossing), 0, size).astype(np.intp)  # first pixel right of the edge
    # Summing along the first axis of the transposed picture is twice as fast as along the rows.
    flips = np.bincount(first * size + row, minlength=(size + 1) * size).astype(np.uint8)
    crossed = np.cumsum(flips.reshape(size + 1, size)[:size], axis=0, dtype=np.uint8)
    return np.ascontiguousarray(crossed.T & 1).view(bool)


def align_and_mask(frame: np.ndarray, points: np.ndarray, size: int = SIZE, mask: bool = True) -> np.ndarray:
    """OpenFace's face picture of one frame.

    Parameters
    ----------
    frame : uint8 array, (height, width, 3)
        The frame, RGB.
    points : float array, (68, 2)
        Its landmarks, pixels.
    size
        Width and height of the result.
    mask
        Whether everything outside the face's outline is black.

    Returns
    -------
    uint8 array, (size, size, 3)
        Bilinearly sampled; black where the frame ends.
    """
    matrix = similarity(points, size)
    face = sample(frame, cv2.invertAffineTransform(matrix), size, cv2.BORDER_CONSTANT)
    if mask:
        inside = face_mask(transform(points, matrix), size)
        face = cv2.copyTo(face, inside.view(np.uint8))
    return face
