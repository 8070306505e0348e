"""The command that compares our masked faces with OpenFace's."""

import zipfile

import numpy as np
import pandas as pd
import pytest

from lib.corpora import records
from lib.corpora.corpus import FPS
from lib.faces import check_real, samples
from lib.faces.check_real import CHECK_COLUMNS, differences, main, person, verdicts
from lib.faces.masking import mask_openface_clip
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
        ({}, [True, True, True, True, True]),
        ({"found": 0.99}, [True, False, True, True, True]),
        ({"frames": 59}, [True, True, False, True, True]),
        ({"difference": 6.51}, [True, True, True, False, False]),
        ({"difference": 4.51}, [True, True, True, True, False]),
        ({"problem": "it ends early"}, [False, True, True, True, True]),
        ({"difference": np.nan}, [True, True, True, False, False]),
        ({"reference": np.nan, "difference": np.nan}, [True, True, None, None, None]),
    ],
)
def test_each_criterion_can_fail(change, expected):
    row = {"clip": "a", "frames": 60, "reference": 60, "found": 1.0, "difference": 4.0, "problem": ""} | change
    assert [passed for _, passed in verdicts(pd.DataFrame([row], columns=list(CHECK_COLUMNS)))] == expected


def test_differences_are_judged_by_person():
    assert [person(clip) for clip in ("1001_DFA_ANG_XX", "01-01-05-02-02-01-01", "sample_03", "a_clip")] == [
        "1001",
        "01",
        "04",
        "a_clip",
    ]
    rows = [("1001_DFA_ANG_XX", 7.0), ("1001_DFA_HAP_XX", 5.8), ("sample_03", 2.0), ("01-01-06-02-01-02-04", 2.4)]
    table = pd.DataFrame(rows, columns=["clip", "difference"]).reindex(columns=list(CHECK_COLUMNS))
    table = table.assign(frames=60, reference=60, found=1.0, problem="")
    assert [passed for _, passed in verdicts(table)][3:] == [True, True]  # 6.4 and 2.2, mean 4.3
    table.loc[1, "difference"] = np.nan
    assert [passed for _, passed in verdicts(table)][3:] == [False, False]


@needs_models
def test_original_clips_pass(real_data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    (tmp_path / "DATA/cremad/VideoFlash").mkdir(parents=True)
    (tmp_path / "DATA/openface").symlink_to(real_data / "openface")
    name = "cremad/VideoFlash/1001_DFA_ANG_XX.flv"
    (tmp_path / "DATA" / name).symlink_to(real_data / name)
    assert main([str(tmp_path / "DATA")]) == 0
    said = capsys.readouterr().out
    assert "1001_DFA_ANG_XX" in said and "FAIL" not in said and said.count("pass: ") == 5
    table, _ = check_real.check_clips(check_real.find_clips(tmp_path / "DATA"), tmp_path / "DATA/openface")
    assert table["difference"].between(0, 4.5).all()
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
    monkeypatch.setattr(samples, "download_wheel", lambda *_: wheel)
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "Attribution-NonCommercial" in said and "sample_01" in said
    monkeypatch.setattr(samples, "download_wheel", lambda *_: pytest.fail("nothing should be fetched again"))
    assert main([]) == 0
    assert not (tmp_path / "sample_01.mp4").exists()


@pytest.fixture
def sample_files(real_data, tmp_path, monkeypatch):
    """The three samples with a reference, as if they had been fetched."""
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    folder = tmp_path / "data/ravdess-samples"
    folder.mkdir(parents=True)
    for clip, (name, _) in samples.CLIPS.items():
        (folder / f"{clip}.mp4").write_bytes(next(real_data.glob(f"ravdess/*/{name}.mp4")).read_bytes())
    (folder / samples.LICENCE).write_text("Attribution-NonCommercial")
    monkeypatch.setattr(samples, "download_wheel", lambda *_: pytest.fail("nothing should be fetched"))
    return folder


@needs_models
def test_the_samples_are_compared_with_the_committed_facts(sample_files, monkeypatch, capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert said.count("pass: ") == 5 and "not checked" not in said
    monkeypatch.setattr(check_real, "LARGEST_DIFFERENCE", 3.0)
    assert main([]) == 1
    assert "FAIL: for each person, difference at most 3 grey levels" in capsys.readouterr().out


def test_the_facts_give_openfaces_faces(real_data, sample_files):
    """Committed facts are rounded; the faces are those of the whole table but for a pixel at the edge."""
    for clip, (name, _) in samples.CLIPS.items():
        theirs = mask_openface_clip(name, sample_files / f"{clip}.mp4", real_data / "openface", 112, pictures=False)
        found = differences(samples.openface_faces(sample_files / f"{clip}.mp4").faces, theirs.faces)
        assert found["difference"] < 0.1 and found["iou"] > 0.998
    pd.testing.assert_frame_equal(
        samples.facts(real_data / "openface").set_index(["clip", "frame"]).astype(float),
        pd.read_csv(records.committed(samples.TABLE)).set_index(["clip", "frame"]).astype(float),
    )


def test_another_file_under_a_samples_name_has_no_reference(tmp_path):
    (tmp_path / "sample_02.mp4").write_bytes(b"another clip")
    assert not samples.has_reference(tmp_path / "sample_02.mp4")
    assert not samples.has_reference(tmp_path / "sample_03.mp4")
