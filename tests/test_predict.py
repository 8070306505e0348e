"""A network on one's own video: windows and their seconds, other frame rates, and what it must not answer."""

import base64
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.__main__ import main
from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.base.paths import ROOT
from lib.base.problems import InputProblem
from lib.corpora.corpus import FPS
from lib.faces.landmarks import FaceMesh
from lib.faces.masking import mask_clip
from lib.faces.video import read_frames
from lib.prediction.frames import LONGEST_STEP, at_rate, spans
from lib.prediction.portable import DESCRIPTION, Network
from lib.prediction.predict import predict, predict_video, videos_of
from lib.prediction.result import WINDOW_COLUMNS
from lib.sequences.cutting import pad, windows
from lib.synthetic.corpus import plan, render_clip
from tests.landmark_models import needs_models


@pytest.fixture(scope="module")
def network(exported_run):
    return Network(exported_run / "portable")


def rendered(actor, frames):
    """`frames` frames of a rendered actor, uint8; the clip goes back and forth."""
    clip = plan("cremad", actors=3, clips=21, seed=3)[7 * actor]
    once = [frame for (frame, _), _ in zip(render_clip(clip, 3), range(40), strict=False)]
    return [(once + once[::-1])[number % (2 * len(once))] for number in range(frames)]


@pytest.fixture(scope="module")
def people():
    return rendered(0, 75), rendered(2, 75)


def write(path, frames, rate=FPS, fourcc="mp4v"):
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), rate, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


# windows and rates


@pytest.mark.parametrize("length", [0, 1, 34, 35, 74, 75, 76, 110, 111, 149, 150, 184, 185, 260, 300])
def test_a_stream_is_cut_as_the_study_cuts_a_clip_and_no_frame_is_lost(length):
    cut = list(spans(iter(range(length)), 75, 35, 110))
    assert [frame for span in cut for frame in span.frames] == list(range(length))
    assert [(s.first, len(s.frames)) for s in cut if not s.left_out] == windows(length, "windows", 75, 35, 110)
    assert all(span.frames[0] == span.first for span in cut)


def test_the_first_windows_of_a_stream_are_there_before_its_end():
    def endless():
        number = 0
        while True:
            yield number
            number += 1

    assert [span.first for span, _ in zip(spans(endless(), 75, 35, 110), range(3), strict=False)] == [0, 75, 150]


def timed(rate, seconds):
    return [(number / rate, number) for number in range(round(rate * seconds))]


@pytest.mark.parametrize("rounded", [False, True])
def test_a_video_at_the_corpora_s_rate_comes_out_as_it_went_in(rounded):
    pairs = [(int(1000 * s) / 1000 if rounded else s, n) for s, n in timed(FPS, 100)]  # FLV has milliseconds
    assert list(at_rate(pairs)) == [number for _, number in pairs]


@pytest.mark.parametrize("rate", [10, 15, 24, 25, 30, 50, 59.94, 120])
def test_other_rates_keep_the_seconds(rate):
    out = list(at_rate(timed(rate, 10)))
    assert len(out) == pytest.approx(10 * FPS, abs=1.01)
    assert out == sorted(out)
    shown = np.array(out) / rate
    assert abs(shown - np.arange(len(out)) / FPS).max() <= 0.5 / rate + 1e-9


def test_a_clock_that_starts_late_stands_still_or_leaps_does_no_harm():
    late = [(50 + seconds, number) for seconds, number in timed(FPS, 2)]
    assert list(at_rate(late)) == [number for _, number in late]
    still = [(0.0, number) for number in range(60)]
    assert list(at_rate(still)) == list(range(60))
    leaping = [(seconds + 1e9 * (number > 5), number) for seconds, number in timed(FPS, 1)]
    assert len(list(at_rate(leaping))) <= 30 + LONGEST_STEP * FPS + 1
    assert list(at_rate([])) == []


# the answer


@needs_models
def test_a_clip_gives_what_the_study_s_steps_give(tmp_path, people, tracker, network):
    video = write(tmp_path / "clip.mp4", people[0])
    prediction = predict_video(video, network, tracker, progress=False)
    assert prediction.table["problem"].tolist() == [""] and list(prediction.table) == WINDOW_COLUMNS
    row = prediction.table.iloc[0]
    masked = mask_clip(video, tracker)
    wanted = network(pad(masked.faces))
    np.testing.assert_allclose(row[PROBABILITIES].astype(float), wanted, atol=1e-4)
    assert row["emotion"] == EMOTIONS[int(wanted.argmax())]
    assert (row["start"], row["end"], row["frames"], row["share_with_face"]) == (0, 2.5, 75, 1)
    assert prediction.faces[0].shape == (28, 28, 3) and prediction.faces[0].any()


@needs_models
@pytest.mark.parametrize("backend", ["mesh", "mesh_twice", "openface"])
def test_faces_are_found_as_those_of_the_training_were(tmp_path, people, exported_run, backend):
    portable = tmp_path / "portable"
    shutil.copytree(exported_run / "portable", portable)
    description = json.loads((portable / DESCRIPTION).read_text())
    (portable / DESCRIPTION).write_text(json.dumps(description | {"face_backend": backend}))
    video = write(tmp_path / "clip.mp4", people[0][:36])
    assert predict([video], portable, tmp_path / "out", progress=False) == []
    masked = mask_clip(video, FaceMesh(twice=backend == "mesh_twice"))
    wanted = Network(portable)(pad(masked.faces))
    found = pd.read_csv(tmp_path / "out" / "clip.csv")[PROBABILITIES].iloc[0]
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@needs_models
def test_half_the_rate_gives_the_same_seconds(tmp_path, people, tracker, network):
    video = write(tmp_path / "slow.mp4", people[0][::2], FPS / 2)
    table = predict_video(video, network, tracker, progress=False).table
    assert table["problem"].iloc[0] == "" and table["end"].iloc[-1] == pytest.approx(2.5, abs=0.07)


@needs_models
def test_a_file_that_ends_early_is_predicted_as_far_as_it_goes(tmp_path, people, tracker, network):
    whole = write(tmp_path / "whole.flv", people[0], fourcc="FLV1").read_bytes()
    (tmp_path / "part.flv").write_bytes(whole[: 2 * len(whole) // 3])
    prediction = predict_video(tmp_path / "part.flv", network, tracker, progress=False)
    assert "ends early" in prediction.problem and 35 <= prediction.table["frames"].sum() < 75
    (tmp_path / "none.flv").write_bytes(b"no video at all")
    with pytest.raises(InputProblem, match="no frame of it can be decoded"):
        predict_video(tmp_path / "none.flv", network, tracker, progress=False)


def turned(frames, degrees=60):
    """The head turned to the side, its front half taken for a cylinder."""
    [(_, points)] = FaceMesh().follow(frames[:1])
    middle, radius = (points[0] + points[16])[0] / 2, (points[16] - points[0])[0] / 2 * 1.02
    height, width = frames[0].shape[:2]
    angle = np.arcsin(((np.arange(width) - middle) / radius).clip(-1, 1)) - np.radians(degrees)
    source = np.where(abs(np.arange(width) - middle) < radius, middle + radius * np.sin(angle), np.arange(width))
    columns = np.tile(source.astype(np.float32), (height, 1))
    rows = np.indices((height, width), dtype=np.float32)[0]
    return [cv2.remap(frame, columns, rows, cv2.INTER_LINEAR) for frame in frames]


def wrong(kind, one, other):
    """75 frames that are wrong on purpose."""
    noise = np.random.default_rng(5).integers(0, 256, one[0].shape, np.uint8)
    small = cv2.resize(one[0], (24, 18), interpolation=cv2.INTER_AREA)
    return {
        "black": [np.zeros_like(frame) for frame in one],
        "noise": [noise for _ in one],
        "upside down": [np.ascontiguousarray(frame[::-1, ::-1]) for frame in one],
        "mirrored upside down": [np.ascontiguousarray(frame[::-1]) for frame in one],
        "on its side": [np.ascontiguousarray(np.rot90(frame)) for frame in one],
        "cut": one[:40] + other[:35],
        "two faces": [np.concatenate(pair, axis=1) for pair in zip(one, other, strict=True)],
        "half black": [frame if n % 2 else np.zeros_like(frame) for n, frame in enumerate(one)],
        "face leaves": one[:40] + [np.full_like(one[0], 60)] * 35,
        "shaken": [np.roll(frame, 90 * (n // 4 % 2), axis=1) for n, frame in enumerate(one)],
        "turned": turned(one),
        "far away": [cv2.copyMakeBorder(small, 60, 60, 80, 80, cv2.BORDER_CONSTANT) for _ in one],
    }[kind]


REASONS = {
    "black": "no face",
    "noise": "no face",
    "upside down": "upside down",
    "mirrored upside down": "upside down",
    "on its side": "tilted|upside down|no face",
    "cut": "a cut",
    "two faces": "second face",
    "half black": "a cut|too few",
    "face leaves": "a cut|too few",
    "shaken": "a cut|jump",
    "turned": "turned to the side",
    "far away": "smaller|no face|too few",
}


@needs_models
@pytest.mark.parametrize("kind", REASONS)
def test_what_is_wrong_gets_a_reason_and_no_answer(kind, tmp_path, people, tracker, network):
    video = write(tmp_path / "wrong.mp4", wrong(kind, *people))
    table = predict_video(video, network, tracker, progress=False).table
    assert table["problem"].str.contains(REASONS[kind]).all(), table["problem"].tolist()
    assert table[PROBABILITIES].isna().all(axis=None) and (table["emotion"] == "").all()


@needs_models
def test_right_rendered_clips_get_an_answer(tmp_path, tracker, network):
    for corpus in ("cremad", "ravdess"):
        for clip in plan(corpus, actors=2, clips=14 if corpus == "cremad" else 16, seed=11)[::5]:
            frames = [frame for (frame, _), _ in zip(render_clip(clip, 11), range(40), strict=False)]
            table = predict_video(write(tmp_path / "a.mp4", frames), network, tracker, progress=False).table
            assert table["problem"].tolist() == [""], clip.name


@needs_models
def test_windows_before_and_after_a_cut_are_answered(tmp_path, people, tracker, network):
    video = write(tmp_path / "long.mp4", people[0] + people[1] + people[0][:40] + people[1][:35])
    table = predict_video(video, network, tracker, progress=False).table
    assert [reason for reason, _ in groupby(table["problem"].str[:5])] == ["", "a cut"]
    assert table["start"].tolist() == [0, 2.5, 5.0]


@pytest.fixture(scope="module")
def real_clips():
    """Real clips next to the checkout, or those that REAL_DATA names."""
    folder = Path(os.environ.get("REAL_DATA") or ROOT.parent / "shared" / "data")
    clips = sorted([*folder.glob("cremad/VideoFlash/*.flv"), *folder.glob("ravdess/Actor_*/*.mp4")])
    if not clips:
        pytest.skip("there are no real clips at ../shared/data, and REAL_DATA names none")
    return clips


@needs_models
def test_real_clips_get_an_answer_and_the_same_upside_down_none(real_clips, tmp_path, tracker, network):
    for clip in real_clips:
        table = predict_video(clip, network, tracker, progress=False).table
        assert table["problem"].iloc[0] == "" and table["share_with_face"].min() == 1, clip.name
        assert table["problem"].str.contains("^$|^left out").all()
        turned = write(tmp_path / "turned.mp4", [frame[::-1, ::-1].copy() for frame in read_frames(clip)])
        table = predict_video(turned, network, tracker, progress=False).table
        assert table["problem"].str.contains("upside down|left out").all(), clip.name


@needs_models
def test_a_cut_between_real_people_is_seen(real_clips, tmp_path, tracker, network):
    people = [list(read_frames(clip))[:38] for clip in real_clips if clip.parent.name in ("Actor_01", "Actor_04")]
    if len(people) < 2:
        pytest.skip("there are no clips of two people of RAVDESS")
    table = predict_video(write(tmp_path / "cut.mp4", people[0] + people[1]), network, tracker, progress=False).table
    assert table["problem"].iloc[0].startswith("a cut")


# the command


@needs_models
def test_the_command_writes_tables_pictures_and_a_page(tmp_path, people, exported_run, monkeypatch, caplog):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    (tmp_path / "mine" / "more").mkdir(parents=True)
    write(tmp_path / "mine" / "a clip & more.mp4", people[0])
    write(tmp_path / "mine" / "b.avi", wrong("black", *people)[:36])
    (tmp_path / "mine" / "notes.txt").write_text("no video")
    again = write(tmp_path / "mine" / "more" / "b.mp4", people[1][:20])
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    given = [str(tmp_path / "mine"), str(again), str(tmp_path / "broken.mp4")]
    assert main(["predict", *given, "--run", str(exported_run), "--to", "out"]) == 1  # for the broken one
    assert "broken.mp4: no frame of it can be decoded" in caplog.text
    out = tmp_path / "out"
    names = ["a clip & more", "b", "b-2"]
    assert sorted(p.name for p in out.iterdir()) == sorted(
        ["index.html", *(f"{name}.{kind}" for name in names for kind in ("csv", "svg"))]
    )
    line = "Trained on drawn faces (synthetic CREMA-D); on a filmed one its answer means nothing."
    problems = []
    for name in names:
        table = pd.read_csv(out / f"{name}.csv")
        assert (table["trained_on"] == line).all()
        problems.append(str(table["problem"].iloc[0]).replace("nan", "").partition(":")[0])
        picture = ElementTree.parse(out / f"{name}.svg").getroot()
        assert line in " ".join(picture.itertext())
    assert problems == ["", "no face", "left out"]
    faces = [e for e in ElementTree.parse(out / "a clip & more.svg").iter() if e.tag.endswith("image")]
    assert len(faces) == 1
    page = (out / "index.html").read_text()
    assert line in page and "broken.mp4" in page and 'src="a%20clip%20%26%20more.svg"' in page
    assert "a clip &amp; more.mp4" in page and "http" not in page.partition("</head>")[2]


@needs_models
def test_a_prediction_loads_neither_tensorflow_nor_pandas_and_takes_little_memory(tmp_path, people, exported_run):
    video = write(tmp_path / "clip.mp4", people[0])
    code = (
        "import sys; from lib.__main__ import main; "
        f"code = main(['predict', {str(video)!r}, '--run', {str(exported_run)!r}, '--to', {str(tmp_path)!r}]); "
        "print(int(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0]) // 1024, "
        "[m for m in ('tensorflow', 'keras', 'pandas', 'matplotlib', 'sklearn', 'jsonschema') if m in sys.modules]); "
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    megabytes, loaded = done.stdout.split(maxsplit=1)
    assert loaded.strip() == "[]" and int(megabytes) < 150


def test_what_is_not_given_or_holds_no_video_is_said(tmp_path):
    for wrong_step in (["predict"], ["check", "clip.mp4"]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong_step)
    with pytest.raises(InputProblem, match="holds no video"):
        videos_of([tmp_path])


#: Two frames of AV1 in an MP4 file, compressed.
AV1 = """
eNqNE8tKw0BwkrZQSxEfRXqIUKEeq0kQPeihkEsPHkTQgwhl201oaLYJyTagJ+tdkJ69ixf9BQ9+jH9RZ5PGbqsVh52dx87Mzs7MAkDN4TeBG/
kMQAVBSawbSE0WHBgAUHRC20Z6xCjhpRJy6tvkoa0XzdU1eFULldoIjeDx3VzX1fxKfXxcFZEQns4AcgXm+zEKHot7FOYg94mbBQqINQNl3mpR
bsKfgDer+zwkfeSveT+5M/dLNOuH53/ubX4nULcpj5BqthdxycOa+SrPjLoEmRqji28/QczDxUciNHrUC7OT2KW2bHmJst8iA+rZwkY5Z+7AQa
YSsySonGadpmcaDW1HSqo8DL1ayisbEe94yI8jHlHJ5l70fUkpxKOb0ELaWmqxCNXJROwkNqwRlCGbnLs2Dgtm3+HhtGxbxRShGvGkpFl8dTpH
FcxU1gvUUNdd0KnS2e38SICGuJnG6vqSn47YGVIu2nTF7IQK2JFbgm0MSRB48vMabtr33Rfui4Db+DtIVphTEjuH5p6BSze/AM2EZXY=
"""


@needs_models
def test_a_codec_that_opencv_cannot_decode_is_named_with_the_remedy(tmp_path, exported_run):
    video = tmp_path / "clip.mp4"
    video.write_bytes(zlib.decompress(base64.b64decode(AV1)))
    (problem,) = predict([video], exported_run / "portable", tmp_path / "out", progress=False)
    assert "AV1" in str(problem) and "ffmpeg -i clip.mp4 -c:v libx264" in str(problem)
