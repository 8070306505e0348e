"""The command that compares our masked faces with OpenFace's."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from lib.corpora.corpus import FPS
from lib.faces import check_real
from lib.faces.check_real import CHECK_COLUMNS, differences, main, verdicts
from lib.synthetic.corpus import plan, render_clip, write_video
from tests.landmark_models import needs_models


@pytest.fixture
def clip(tmp_path):
    planned = plan("cremad", actors=1, clips=1, seed=8)[0]
    path = tmp_path / "DATA/cremad/VideoFlash/9001.flv"
    path.parent.mkdir(parents=True)
    write_video(path, [frame for (frame, _), _ in zip(render_clip(planned, 8), range(9), strict=False)], FPS, "FLV1")
    return path


def test_differences_over_picture_and_masks():
    ours, theirs = np.zeros((2, 1, 10, 10, 3), np.uint8)
    ours[0, :5], theirs[0, :4] = 100, 90
    found = differences(ours, theirs)
    assert found["iou"] == pytest.approx(0.8)
    assert found["difference"] == pytest.approx((40 * 10 + 10 * 100) / 100)
    assert found["in_mask"] == pytest.approx((40 * 10 + 10 * 100) / 50)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [True, True, True, True]),
        ({"found": 0.99}, [True, False, True, True]),
        ({"frames": 59}, [True, True, False, True]),
        ({"difference": 8.01}, [True, True, True, False]),
        ({"problem": "it ends early"}, [False, True, True, True]),
        ({"difference": np.nan}, [True, True, True, False]),
        ({"reference": np.nan, "difference": np.nan}, [True, True, None, None]),
    ],
)
def test_each_criterion_can_fail(change, expected):
    row = {"clip": "a", "frames": 60, "reference": 60, "found": 1.0, "difference": 6.0, "problem": ""} | change
    assert [passed for _, passed in verdicts(pd.DataFrame([row], columns=list(CHECK_COLUMNS)))] == expected


@needs_models
def test_original_clips_pass(real_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    (tmp_path / "DATA/cremad/VideoFlash").mkdir(parents=True)
    (tmp_path / "DATA/openface").symlink_to(real_data / "openface")
    name = "cremad/VideoFlash/1001_DFA_ANG_XX.flv"
    (tmp_path / "DATA" / name).symlink_to(real_data / name)
    assert main([str(tmp_path / "DATA")]) == 0
    said = capsys.readouterr().out
    assert "1001_DFA_ANG_XX" in said and "FAIL" not in said and said.count("pass: ") == 4
    assert check_real.compare(tmp_path / "DATA")["difference"].between(0, 8).all()
    assert (tmp_path / "data/check-real/faces.png").stat().st_size > 10_000


@needs_models
def test_a_folder_without_reference_and_one_with_a_broken_clip(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    data = clip.parents[2]
    assert main([str(data)]) == 0
    assert "not checked (no reference)" in capsys.readouterr().out
    clip.with_name("9002.flv").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert main([str(data)]) == 1
    said = capsys.readouterr().out
    assert "FAIL: every clip can be read" in said and "git lfs pull" in said


def test_a_folder_without_clips_is_reported(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "it holds no clips" in capsys.readouterr().err


@needs_models
def test_without_data_the_samples_are_fetched_once_and_their_licence_shown(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    wheel = tmp_path / "pyfame.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pyfame/data/sample/01/../../../../sample_01.mp4", clip.read_bytes())
        archive.writestr("pyfame/data/sample/license/LICENSE-RAVDESS.txt", "Attribution-NonCommercial\nMore\n")
    monkeypatch.setattr(check_real, "download_wheel", lambda *_: wheel)
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "Attribution-NonCommercial" in said and "sample_01" in said
    monkeypatch.setattr(check_real, "download_wheel", lambda *_: pytest.fail("nothing should be fetched again"))
    assert main([]) == 0
    assert not (tmp_path / "sample_01.mp4").exists()
