import csv
import hashlib
import shutil
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from lib.base.emotions import EMOTIONS
from lib.base.problems import InputProblem
from lib.synthetic import DIALS, FPS, Clip, frames_of, plan, render_clip, render_corpus, write_video
from lib.synthetic import corpus as module
from lib.synthetic.actors import cast
from lib.synthetic.dials import AUS, PROTOTYPES
from lib.synthetic.motion import Take
from lib.synthetic.muscles import controls, shape
from lib.synthetic.render import render_take
from lib.synthetic.stage import STUDIOS


def digests(folder):
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def decode(path):
    capture = cv2.VideoCapture(str(path))
    fps, frames = capture.get(cv2.CAP_PROP_FPS), []
    while True:
        ok, frame = capture.read()
        if not ok:
            return fps, frames
        frames.append(frame)


@pytest.fixture(scope="module")
def cremad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cremad")
    render_corpus("cremad", folder, actors=2, clips=4, seed=5, processes=1, progress=False)
    return folder


def test_same_seed_same_bytes_however_many_processes(cremad, tmp_path):
    render_corpus("cremad", tmp_path, actors=2, clips=4, seed=5, processes=2, progress=False)
    assert digests(tmp_path) == digests(cremad)


def test_cremad_files_have_the_planned_frames_rate_and_size(cremad):
    clips = plan("cremad", actors=2, clips=4, seed=5)
    assert sorted(p.name for p in (cremad / "VideoFlash").iterdir()) == sorted(f"{c.name}.flv" for c in clips)
    for clip in clips:
        fps, frames = decode(clip.path(cremad))
        assert len(frames) == clip.frames
        assert frames[0].shape == (360, 480, 3)
        assert fps == pytest.approx(30000 / 1001, abs=0.001)  # FLV counts milliseconds


def test_cremad_tables_have_the_corpus_columns_and_quoting(cremad):
    people = (cremad / "VideoDemographics.csv").read_text().splitlines()
    assert people[0] == '"ActorID","Age","Sex","Race","Ethnicity"'
    assert people[1].startswith("9001,") and '"Male"' in people[1] and '"Female"' in people[2]
    stimuli = (cremad / "SentenceFilenames.csv").read_text().splitlines()
    assert stimuli[0] == '"Stimulus_Number","Filename"' and stimuli[1].startswith('1,"9001_')
    names = [row["Filename"] for row in csv.DictReader(stimuli)]
    assert sorted(names) == sorted(p.stem for p in (cremad / "VideoFlash").iterdir())


def test_ravdess_layout_and_decoding(tmp_path):
    paths = render_corpus("ravdess", tmp_path, actors=2, clips=2, seed=5, processes=1, progress=False)
    assert {p.parent.name for p in paths} == {"Actor_91", "Actor_92"}
    fps, frames = decode(paths[0])
    assert 88 <= len(frames) <= 157 and frames[0].shape == (360, 640, 3)
    assert fps == pytest.approx(FPS, abs=0.001)


def test_resume_renders_only_what_is_missing(cremad, tmp_path):
    first, second, *_ = plan("cremad", actors=2, clips=4, seed=5)
    shutil.copytree(cremad, tmp_path, dirs_exist_ok=True)
    second.path(tmp_path).unlink()
    first.path(tmp_path).write_bytes(b"already here")
    for clip in plan("cremad", actors=2, clips=4, seed=5)[2:]:
        clip.path(tmp_path).write_bytes(b"")
    render_corpus("cremad", tmp_path, actors=2, clips=4, seed=5, processes=1, progress=False)
    assert first.path(tmp_path).read_bytes() == b"already here"
    assert second.path(tmp_path).read_bytes() == second.path(cremad).read_bytes()
    assert not [p for p in tmp_path.rglob(".*")], "no temporary folder stays"


def rendered_into(folder, **changes):
    chosen = {"actors": 2, "clips": 4, "seed": 5, "processes": 1, "progress": False} | changes
    return render_corpus("cremad", folder, **chosen)


@pytest.mark.parametrize("change", [{"seed": 6}, {"clips": 3}, {"actors": 1}], ids=lambda change: next(iter(change)))
def test_another_rendering_never_mixes_with_the_one_that_is_there(cremad, tmp_path, change):
    shutil.copytree(cremad, tmp_path / "cremad")
    paths = rendered_into(tmp_path / "cremad", **change)
    assert sorted(tmp_path.rglob("*.flv")) == sorted(paths)
    rendered_into(tmp_path / "afresh", **change)
    assert digests(tmp_path / "cremad") == digests(tmp_path / "afresh")


def test_another_renderer_draws_every_clip_anew(cremad, tmp_path, monkeypatch):
    shutil.copytree(cremad, tmp_path / "cremad")
    drawn = []
    monkeypatch.setattr(module, "_render_file", lambda clip, path, seed: drawn.append(path) or 0)
    rendered_into(tmp_path / "cremad")
    assert not drawn
    monkeypatch.setattr(module, "code_digest", lambda *_: "of other code")
    assert rendered_into(tmp_path / "cremad") == drawn


def test_a_clip_that_was_not_rendered_is_never_overwritten_or_mixed_in(cremad, tmp_path):
    shutil.copytree(cremad, tmp_path / "cremad")
    (tmp_path / "cremad/VideoFlash/1001_DFA_ANG_XX.FLV").write_bytes(b"a real one")
    before = digests(tmp_path)
    for seed in (5, 6):
        with pytest.raises(InputProblem, match=r"1001_DFA_ANG_XX\.FLV: lies where a synthetic corpus"):
            rendered_into(tmp_path / "cremad", seed=seed)
        assert digests(tmp_path) == before


@pytest.mark.parametrize(("corpus", "actors", "clips"), [("cremad", 8, 60), ("cremad", 12, 300), ("ravdess", 6, 72)])
def test_plan_is_balanced_and_named_as_the_real_corpus(corpus, actors, clips):
    planned = plan(corpus, actors=actors, clips=clips, seed=3)
    assert len({c.name for c in planned}) == len(planned) == clips
    counts = Counter(c.emotion for c in planned)
    assert set(EMOTIONS) <= set(counts)
    others = [counts[e] for e in EMOTIONS if e != "neutral"]
    assert max(others) - min(others) <= 1 and counts["neutral"] <= max(others)
    for number in {c.actor for c in planned}:
        assert {c.emotion for c in planned if c.actor == number} >= set(EMOTIONS)
    frames = [c.frames for c in planned]
    if corpus == "cremad":
        assert min(frames) < 35 and max(frames) > 110 and sum(f > 75 for f in frames) > clips / 3
        assert 70 < np.mean(frames) < 82
        for c in planned:
            with_levels = c.shown.sentence == "IEO" and c.emotion != "neutral"
            assert (c.shown.level in ("LO", "MD", "HI")) == with_levels and (c.shown.level == "XX") != with_levels
    else:
        assert counts["calm"] and counts["surprised"]
        assert min(frames) >= 88 and max(frames) <= 157 and 105 < np.mean(frames) < 115
        assert not [c for c in planned if c.emotion == "neutral" and c.shown.level == "strong"]


def test_too_many_clips_are_refused():
    with pytest.raises(ValueError, match="too many"):
        plan("cremad", actors=1, clips=100, seed=0)


def still(emotion, strength=1.0):
    """A take of three frames that holds one expression, without speech or head motion."""
    aus = np.zeros((3, len(AUS)))
    for au, value in PROTOTYPES[emotion].items():
        aus[:, AUS.index(au)] = strength * value
    one = np.ones(3)
    return Take(aus, 0 * one, 0 * one, one, np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 3)))


@pytest.mark.parametrize("number", [9001, 9004, 91, 92])
def test_landmarks_move_as_the_action_units_say(number):
    actor = cast(number)
    y = {e: shape(actor, still(e), controls(actor, still(e)))[0][:, 1] for e in EMOTIONS}
    corners, inner_brows, rest = [48, 54], [21, 22], y["neutral"]
    assert (y["happy"][corners] < rest[corners] - 0.05).all()
    assert (y["sad"][corners] > rest[corners] + 0.05).all()
    assert (y["sad"][inner_brows] < rest[inner_brows]).all()
    assert (y["angry"][inner_brows] > rest[inner_brows] + 0.03).all()

    def opening(face):
        return (face[[46, 47]] - face[[44, 43]]).mean()

    assert opening(y["fear"]) > 1.15 * opening(rest) > 1.15 * opening(y["happy"])


@pytest.mark.parametrize(
    ("emotion", "pose"), [("neutral", (0, 0, 0)), ("sad", (0.15, 0, 0.1)), ("angry", (-0.1, 0.1, 0))]
)
def test_true_landmarks_lie_where_the_picture_shows_them(emotion, pose):
    """Brows are warped with the skin, lips are drawn: both are darkest at their landmarks, however the head turns."""
    rng = np.random.default_rng(0)
    take = replace(still(emotion), pose=np.tile(pose, (3, 1)))
    frame, points = next(render_take(STUDIOS["white"], 93, take, rng, DIALS))
    grey = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (3, 3), 0)
    for landmark in (18, 19, 24, 25, 62):
        x, y = np.round(points[landmark]).astype(int)
        column = grey[y - 7 : y + 8, x].astype(int)
        if landmark == 62:  # the seam is a thin line between bright lips
            assert abs(column.argmin() - 7) < 2
        else:
            dark = np.flatnonzero(column < (column.min() + column.max()) / 2)
            assert abs(dark.mean() - 7) < 2, landmark


def test_landmarks_stay_in_the_frame_and_frames_of_repeats_the_file(cremad):
    path = sorted((cremad / "VideoFlash").iterdir())[0]
    _, decoded = decode(path)
    again = list(frames_of(path, seed=5))
    assert len(again) == len(decoded)
    for frame, points in again:
        assert frame.shape == (360, 480, 3) and frame.dtype == np.uint8
        assert points.shape == (68, 2) and points.dtype == np.float32
        assert (points > 0).all() and (points < (480, 360)).all()
    difference = np.abs(again[9][0].astype(int) - decoded[9][..., ::-1]).mean()
    assert difference < 8, "only compression lies between them"
    other, _ = next(frames_of(path, seed=6))
    assert np.abs(other.astype(int) - again[0][0]).mean() > difference


@pytest.mark.parametrize(
    ("corpus", "name", "digest"),
    [
        ("cremad", "9001_IEO_HAP_HI", "bc2f331f72066c72"),
        ("cremad", "9008_TIE_SAD_XX", "d404ec28bfd4be5b"),
        ("ravdess", "01-01-02-01-02-01-94", "38d13c25de292ffc"),
    ],
)
def test_the_samples_clips_are_those_that_were_committed(corpus, name, digest):
    """Whatever else the renderer learns: another picture would change every number of the sample."""
    found = hashlib.sha256()
    for frame, points in render_clip(Clip(corpus, name, 6), seed=2021):
        found.update(frame.tobytes() + points.tobytes())
    assert found.hexdigest().startswith(digest)


def test_expressions_differ_but_the_actor_stays_the_same():
    happy, sad = (
        np.mean([p for _, p in render_clip(Clip("cremad", f"9002_DFA_{e}_XX", 40), seed=1)], axis=0)
        for e in ("HAP", "SAD")
    )

    def smile(points):  # corners above the middle of the lips, in eye distances
        return (points[[51, 57], 1].mean() - points[[48, 54], 1].mean()) / np.linalg.norm(points[45] - points[36])

    assert smile(happy) > smile(sad) + 0.05
    assert cast(9002) == cast(9002) != cast(9004)


def test_a_video_that_cannot_be_written_is_a_clear_problem(tmp_path):
    with pytest.raises(InputProblem, match="0 frames"):
        write_video(tmp_path / "empty.mp4", [], FPS, "mp4v")
    assert not list(tmp_path.iterdir())
