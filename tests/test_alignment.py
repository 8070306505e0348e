"""OpenFace's alignment and mask: its geometry, and its own pictures."""

import cv2
import numpy as np
import pytest
from matplotlib.path import Path as Polygon

from lib.faces.alignment import (
    OUTLINE,
    RADIUS,
    RAISE,
    RAISED,
    RIGID,
    TEMPLATE,
    align_and_mask,
    face_mask,
    sample,
    similarity,
    transform,
)
from lib.faces.openface import find_pictures, read_features
from lib.faces.video import read_frames


@pytest.fixture
def face():
    """68 points of a made-up, upright face in a frame: mirrored halves, the rigid points near the template."""
    rng = np.random.default_rng([2021, 2])
    points = np.empty((68, 2))
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.column_stack([45 * np.cos(angle), 50 * np.sin(angle)])
    points[17:27] = np.column_stack([np.linspace(-38, 38, 10), np.full(10, -32)])
    points[27:] = rng.uniform(-20, 20, (41, 2))
    points[RIGID] = TEMPLATE
    return points * 1.7 + [240, 180] + rng.normal(0, 0.5, (68, 2))


def moved(points, angle, scale, shift):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + shift


def test_template_is_upright_symmetric_and_of_the_right_size():
    assert np.allclose(TEMPLATE.mean(axis=0), 0, atol=1e-3)
    assert np.sqrt((TEMPLATE**2).sum(axis=1).mean()) == pytest.approx(RADIUS, abs=2e-3)
    flipped = TEMPLATE * [-1, 1]
    assert all(np.abs(TEMPLATE - point).sum(axis=1).min() < 2e-3 for point in flipped)


@pytest.mark.parametrize("size", [112, 56])
def test_scale_and_middle_are_openfaces(face, size):
    aligned = transform(face, similarity(face, size))
    assert np.allclose(aligned.mean(axis=0), size / 2)
    rigid = aligned[RIGID] - aligned[RIGID].mean(axis=0)
    assert np.sqrt((rigid**2).sum(axis=1).mean()) == pytest.approx(RADIUS * size / 112)


def test_a_face_moved_in_the_frame_is_aligned_to_the_same_points(face):
    expected = transform(face, similarity(face))
    for angle, scale, shift in [(0.4, 2.5, [100, -30]), (-1.2, 0.3, [5, 900]), (3.0, 1, [0, 0])]:
        other = moved(face, angle, scale, shift)
        assert np.allclose(transform(other, similarity(other)), expected, atol=1e-8)


def test_rotation_is_kabschs(face):
    source = face[RIGID] - face[RIGID].mean(axis=0)
    u, _, vt = np.linalg.svd(TEMPLATE.T @ source)
    rotation = u @ np.diag([1, np.linalg.det(u @ vt)]) @ vt
    linear = similarity(face)[:, :2]
    assert np.allclose(linear / np.sqrt(np.linalg.det(linear)), rotation)


def test_points_that_fall_together_are_refused():
    with pytest.raises(ValueError, match="fall together"):
        similarity(np.zeros((68, 2)))


def test_mask_is_the_polygons_inside(face):
    rng = np.random.default_rng([2021, 3])
    y, x = np.mgrid[:112, :112]
    for _ in range(10):
        aligned = transform(face, similarity(face)) + rng.normal(0, 4, (68, 2))
        raised = aligned.copy()
        raised[RAISED, 1] -= RAISE
        expected = np.zeros((112, 112), bool)
        corners = raised[OUTLINE]
        for i in range(1, len(corners) - 1):  # even-odd: a fan of triangles, each turning its inside over
            triangle = Polygon(corners[[0, i, i + 1]])
            expected ^= triangle.contains_points(np.column_stack([x.ravel(), y.ravel()])).reshape(112, 112)
        assert (face_mask(aligned) == expected).mean() > 0.9999


def test_mask_may_lie_outside_the_picture(face):
    aligned = transform(face, similarity(face))
    assert not face_mask(aligned + 500).any()
    assert not face_mask(aligned - 500).any()
    assert face_mask((aligned - 56) * 50 + 56).mean() > 0.99


@pytest.mark.parametrize("border", [cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE])
def test_sample_is_warp_affine(border):
    rng = np.random.default_rng([2021, 4])
    for _ in range(60):
        frame = rng.integers(0, 256, (*rng.integers(5, 200, 2), 3), np.uint8)
        to_frame = np.column_stack([rng.normal(size=(2, 2)), rng.uniform(-80, 200, 2)])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        expected = cv2.warpAffine(frame, to_frame, (60, 60), flags=flags, borderMode=border)
        assert cv2.absdiff(sample(frame, to_frame, 60, border), expected).max() <= 1


def test_masked_picture_is_black_outside_and_the_frame_inside(face):
    frame = np.random.default_rng([2021, 5]).integers(1, 256, (360, 480, 3), np.uint8)
    masked, whole = align_and_mask(frame, face), align_and_mask(frame, face, mask=False)
    inside = face_mask(transform(face, similarity(face)))
    assert np.array_equal(masked[inside], whole[inside])
    assert not masked[~inside].any()


def test_pictures_equal_openfaces_own(real_data):
    name, openface = "1001_DFA_ANG_XX", real_data / "openface"
    points, pictures = read_features(openface / f"{name}.csv").points, find_pictures(openface, name)
    for number, frame in enumerate(read_frames(real_data / f"cremad/VideoFlash/{name}.flv"), start=1):
        theirs = cv2.imread(str(pictures[number]), cv2.IMREAD_COLOR_RGB)
        ours = align_and_mask(frame, points[number - 1])
        assert cv2.absdiff(ours, theirs).mean() < 1  # the table's landmarks are rounded to 0.1 px
        kept, kept_there = ours.any(axis=-1), theirs.any(axis=-1)
        assert (kept & kept_there).sum() / (kept | kept_there).sum() > 0.99
