"""Where muscles move a drawn face: there, then, and nowhere else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.base.problems import InputProblem
from lib.faces.alignment import similarity, transform
from lib.synthetic import Clip, plan, render_clip, render_corpus
from lib.synthetic import movement as module
from lib.synthetic.corpus import clip_of, performance
from lib.synthetic.movement import difference, draw, draw_sequences

SEED = 5
FRAMES = np.arange(5, 40, 10)


def clip(emotion, actor=9002, level="HI"):
    return Clip("cremad", f"{actor}_DFA_{emotion}_{level}", 45)


def landmarks(of):
    return np.array([points for _, points in render_clip(of, SEED)])


def mean_movement(emotion):
    """Mean movement of a clip, and where its landmarks lie in the masked face."""
    shown = clip(emotion)
    points = landmarks(shown)[FRAMES]
    pictures = [draw(shown, SEED, FRAMES, points, at_rest) for at_rest in (False, True)]
    placed = np.mean([transform(p.astype(float), similarity(p, 28)) for p in points], axis=0)
    return difference(*pictures).mean(axis=0), placed


def around(found, point, size=3):
    """Mean movement in a square around a landmark."""
    column, row = np.round(point).astype(int)
    return found[max(row - size, 0) : row + size + 1, max(column - size, 0) : column + size + 1].mean()


def test_the_faces_are_those_of_the_clip():
    """Drawn at some frames only, the face is the rendered one but for the camera's noise."""
    from lib.faces.masking import masked_face

    shown = clip("HAP")
    frames = list(render_clip(shown, SEED))
    expected = np.array([masked_face(frames[k][0], frames[k][1]) for k in FRAMES])
    found = draw(shown, SEED, FRAMES, landmarks(shown)[FRAMES], at_rest=False)
    assert np.abs(found.astype(float) - expected).mean() < 1.5


def test_a_smile_moves_the_mouths_corners_and_a_frown_the_brows():
    happy, points = mean_movement("HAP")
    sad, _ = mean_movement("SAD")
    corners, brows = [48, 54], [21, 22]
    assert min(around(happy, points[k]) for k in corners) > 3 * max(around(happy, points[k]) for k in brows)
    assert min(around(sad, points[k]) for k in brows) > 2 * happy.mean()
    assert min(around(sad, points[k]) for k in brows) > 3 * max(around(happy, points[k]) for k in brows)


def test_without_muscles_nothing_moves(monkeypatch):
    """Speech, blinks and head motion are the same in both pictures, and so is the noise."""

    def still(of, seed):
        take, rng = performance(of, seed)
        resting = np.clip(module.cast(of.actor, of.person).resting, 0, None)
        return replace(take, aus=np.broadcast_to(resting, take.aus.shape)), rng

    shown = clip("HAP")
    monkeypatch.setattr(module, "performance", still)
    points = landmarks(shown)[FRAMES]
    assert (difference(*(draw(shown, SEED, FRAMES, points, at_rest) for at_rest in (False, True))) == 0).all()


def test_movement_grows_with_the_level_and_neutral_moves_little():
    totals = {}
    for name in ("HAP_LO", "HAP_HI", "NEU_XX"):
        shown = clip(*name.split("_")[:1], level=name[-2:])
        points = landmarks(shown)[FRAMES]
        totals[name] = difference(*(draw(shown, SEED, FRAMES, points, rest) for rest in (False, True))).mean()
    assert totals["NEU_XX"] < totals["HAP_LO"] < totals["HAP_HI"]


def test_a_frame_without_a_face_is_black():
    shown = clip("HAP")
    points = landmarks(shown)[FRAMES]
    points[1] = 0
    found = draw(shown, SEED, FRAMES, points, at_rest=False)
    assert (found[1] == 0).all() and found[0].any() and found[2].any()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A drawn corpus with the true landmarks as its actors' files, and a table of sequences."""
    folder = tmp_path_factory.mktemp("drawn")
    paths = render_corpus("cremad", folder, actors=2, clips=4, seed=SEED, processes=1, progress=False)
    faces = folder / "faces"
    faces.mkdir()
    rows = []
    for actor in sorted({int(path.name[:4]) for path in paths}):
        own = [path for path in paths if path.name.startswith(str(actor))]
        points = [landmarks(clip_of(path)) for path in own]
        arrays = {"landmarks": np.concatenate(points), "clips": np.array([path.stem for path in own])}
        offsets = np.cumsum([0, *map(len, points)])
        np.savez(faces / f"{actor}.npz", offsets=offsets, **arrays)
        for path, found in zip(own, points, strict=True):
            rows.append({"clip": path.stem, "actor": actor, "first_frame": 0, "frames": min(len(found), 75)})
    return pd.DataFrame(rows), {path.stem: path for path in paths}, faces


def test_a_videos_clip_is_the_one_that_was_drawn(corpus):
    _, videos, _ = corpus
    planned = {clip.name: clip for clip in plan("cremad", actors=2, clips=4, seed=SEED)}
    assert {name: clip_of(path) for name, path in videos.items()} == planned
    with pytest.raises(ValueError, match="named after no corpus"):
        clip_of("holiday.mp4")


def test_sequences_are_drawn_in_their_order_and_padded_with_the_last_frame(corpus):
    table, videos, faces = corpus
    table = table.iloc[::-1].reset_index(drop=True).assign(frames=40)
    moments = np.array([3, 39, 74])
    shown, at_rest = draw_sequences(table, videos, faces, SEED, moments)
    assert shown.shape == at_rest.shape == (4, 3, 28, 28, 3) and shown.dtype == np.uint8
    repeated = np.abs(shown[:, 1].astype(float) - shown[:, 2]).mean()
    assert repeated < 1.5 < np.abs(shown[:, 0].astype(float) - shown[:, 2]).mean()
    first = table.iloc[0]
    (points,) = (np.load(faces / f"{first['actor']}.npz")["landmarks"],)
    start = dict(zip(*(np.load(faces / f"{first['actor']}.npz")[n] for n in ("clips", "offsets")), strict=False))
    frames = np.array([3, 39, 39])
    drawn = draw(clip_of(videos[first["clip"]]), SEED, frames, points[start[first["clip"]] + frames], at_rest=False)
    assert np.array_equal(shown[0], drawn)


def test_a_missing_actors_file_is_one_sentence(corpus, tmp_path):
    table, videos, _ = corpus
    with pytest.raises(InputProblem, match="is not there"):
        draw_sequences(table, videos, tmp_path, SEED, np.array([0]))
