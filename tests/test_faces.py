"""Masked faces of a small corpus: whole, broken, resumed (killed: test_faults.py)."""

import errno
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from test_openface import write_picture, write_table

from lib.base.checksums import sha256
from lib.base.problems import InputProblem
from lib.corpora.corpus import FPS
from lib.faces import corpus as module
from lib.faces import video
from lib.faces.corpus import FACE_COLUMNS, mask_clip, mask_corpus
from lib.faces.landmarks import FaceMesh
from lib.synthetic.corpus import plan, render_clip, write_video
from tests.landmark_models import needs_models

pytestmark = needs_models


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Table of five short clips of two actors: three fine, one cut short, one pointer, one without any face."""
    folder = tmp_path_factory.mktemp("videos")
    rows = []
    for number, planned in enumerate(plan("cremad", actors=2, clips=4, seed=8)[:4]):
        frames = [frame for (frame, _), _ in zip(render_clip(planned, 8), range(10 + number), strict=False)]
        path = folder / f"{planned.actor}_{number}.flv"
        write_video(path, frames, FPS, "FLV1")
        rows.append((path.stem, str(path), planned.actor))
    cut = folder / "9001_cut.flv"
    whole = (folder / rows[0][1]).read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    pointer = folder / "9001_pointer.flv"
    pointer.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    empty = folder / "9001_nobody.flv"
    write_video(empty, [np.full((360, 480, 3), 90, np.uint8)] * 4, FPS, "FLV1")
    rows += [(path.stem, str(path), 9001) for path in (cut, pointer, empty)]
    return pd.DataFrame(rows, columns=["clip", "path", "actor"])


@pytest.fixture(scope="module")
def fine(clips):
    return clips.iloc[:4]


def contents(folder):
    """All finished files. (A process killed while writing leaves a temporary folder next to them.)"""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.npz")) if path.is_file()}


def mask(clips, folder, **options):
    return mask_corpus(clips, folder, **{"processes": 1, "progress": False, **options})


def test_table_and_files(clips, tmp_path):
    table = mask(clips, tmp_path)
    assert table.columns.tolist() == FACE_COLUMNS
    assert table["clip"].tolist() == clips["clip"].tolist() and table["actor"].tolist() == clips["actor"].tolist()
    assert table["frames"].tolist()[:4] == [10, 11, 12, 13]
    assert (table["frames"] == table["frames_with_face"])[:5].all()
    problems = table.set_index("clip")["problem"]
    assert (problems[:4] == "").all()
    assert "ends early" in problems["9001_cut"] and table["frames"][4] > 0
    assert "git lfs pull" in problems["9001_pointer"] and table["frames"][5] == 0
    assert "no face was found in any of its 4 frames" in problems["9001_nobody"]

    assert {path.name for path in tmp_path.iterdir()} == {f"{actor}.npz" for actor in clips["actor"].unique()}
    for actor, rows in table.groupby("actor"):
        with np.load(tmp_path / f"{actor}.npz", allow_pickle=False) as stored:
            count = rows["frames"].sum()
            assert stored["faces"].shape == (count, 28, 28, 3) and stored["faces"].dtype == np.uint8
            assert stored["landmarks"].shape == (count, 68, 2) and stored["landmarks"].dtype == np.float32
            assert stored["clips"].tolist() == rows["clip"].tolist()
            assert np.diff(stored["offsets"]).tolist() == rows["frames"].tolist()
            black = ~stored["faces"].any(axis=(1, 2, 3))
            assert np.array_equal(black, ~stored["success"])
            assert not stored["landmarks"][black].any()


def test_two_processes_give_the_same_bytes_as_one(fine, tmp_path):
    mask(fine, tmp_path / "one")
    mask(fine, tmp_path / "two", processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_what_is_done_is_not_done_again(fine, tmp_path, monkeypatch):
    first = mask(fine, tmp_path)
    monkeypatch.setattr(module, "mask_clip", lambda *_: pytest.fail("nothing should be masked again"))
    pd.testing.assert_frame_equal(mask(fine, tmp_path), first)


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "empty", "pickle"])
def test_a_damaged_file_is_made_again(fine, tmp_path, damage):
    one = fine[fine["actor"] == fine["actor"].iloc[0]]
    mask(one, tmp_path)
    before = contents(tmp_path)
    path = tmp_path / f"{one['actor'].iloc[0]}.npz"
    whole = path.read_bytes()
    if damage == "pickle":
        np.savez(path, fingerprint=np.array([{}], dtype=object))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        path.write_bytes({"cut": whole[:middle], "flipped": flipped, "text": b"PK no zip", "empty": b""}[damage])
    mask(one, tmp_path)
    assert contents(tmp_path) == before


def test_another_recipe_or_another_clip_makes_the_file_again(fine, tmp_path):
    one = fine[fine["actor"] == fine["actor"].iloc[0]]
    mask(one, tmp_path)
    area = contents(tmp_path)
    mask(one, tmp_path, interpolation="linear")
    assert contents(tmp_path) != area
    mask(one, tmp_path)
    assert contents(tmp_path) == area
    table = mask(one.iloc[:1], tmp_path)
    assert len(table) == 1 and contents(tmp_path) != area


def test_changed_code_and_another_opencv_make_the_file_again(fine, tmp_path, monkeypatch):
    one = fine[fine["actor"] == fine["actor"].iloc[0]]
    mask(one, tmp_path / "out")
    masked = []
    whole = module.mask_clip
    monkeypatch.setattr(module, "mask_clip", lambda *arguments: masked.append(arguments) or whole(*arguments))
    text = Path(video.__file__).read_text()
    other = tmp_path / "video.py"
    for change, again in (
        (lambda: other.write_text(f"# a comment\n{text}"), False),
        (lambda: other.write_text(text.replace("HEADER_TOLERANCE = 2", "HEADER_TOLERANCE = 3")), True),
        (lambda: monkeypatch.setattr(cv2, "__version__", "5.99"), True),
    ):
        change()
        monkeypatch.setattr(video, "__file__", str(other))
        module._makers.cache_clear()
        masked.clear()
        mask(one, tmp_path / "out")
        assert bool(masked) == again
    monkeypatch.undo()
    module._makers.cache_clear()


def test_a_corpus_that_vanishes_on_the_way_leaves_no_actor_without_faces(clips, tmp_path, monkeypatch):
    """The disk goes with the second actor's first clip: one sentence; back again, nothing is lost."""
    videos = tmp_path / "disk"
    shutil.copytree(Path(clips["path"].iloc[0]).parent, videos)
    clips = clips.assign(path=[str(videos / Path(path).name) for path in clips["path"]])
    mask(clips, tmp_path / "undisturbed")
    second = sorted(clips["actor"].unique())[1]
    whole = module.mask_clip

    def unmounting(path, *arguments):
        if videos.exists() and path == clips.loc[clips["actor"] == second, "path"].iloc[0]:
            videos.rename(tmp_path / "unmounted")
        return whole(path, *arguments)

    monkeypatch.setattr(module, "mask_clip", unmounting)
    with pytest.raises(InputProblem, match="cannot be read any more .*see that the corpus' disk is there") as raised:
        mask(clips, tmp_path / "out")
    assert "\n" not in str(raised.value)
    assert contents(tmp_path / "out").items() < contents(tmp_path / "undisturbed").items()
    monkeypatch.undo()
    (tmp_path / "unmounted").rename(videos)
    mask(clips, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_a_video_overwritten_in_place_is_not_taken_for_the_one_that_was_listed(fine, tmp_path):
    one = fine.iloc[:1].assign(path=str(tmp_path / "clip.flv"))
    shutil.copy(fine["path"].iloc[0], tmp_path / "clip.flv")
    listed = one.assign(sha256=sha256(tmp_path / "clip.flv"))
    mask(listed, tmp_path / "out")
    before = contents(tmp_path / "out")
    shutil.copy(fine["path"].iloc[1], tmp_path / "clip.flv")
    mask(listed, tmp_path / "out")  # what is done was made of the listed file
    assert contents(tmp_path / "out") == before
    with pytest.raises(InputProblem, match="listed in clips.csv; delete files.csv, .* in data/<study>/<corpus>"):
        mask(listed, tmp_path / "other")
    mask(listed.assign(sha256=sha256(tmp_path / "clip.flv")), tmp_path / "out")
    assert contents(tmp_path / "out") != before


def test_no_space_left_is_one_sentence_and_what_is_finished_stays(fine, tmp_path, monkeypatch):
    whole, calls = np.savez, []

    def savez(path, **arrays):
        calls.append(path)
        if len(calls) > 1:
            path.write_bytes(b"the first bytes")
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(path, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    with pytest.raises(InputProblem, match="no space is left") as raised:
        mask(fine, tmp_path)
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == [calls[0].name]
    monkeypatch.undo()
    assert (mask(fine, tmp_path)["problem"] == "").all()


def test_wrong_models_stop_it_before_any_work(fine, tmp_path):
    with pytest.raises(InputProblem, match="missing"):
        mask(fine, tmp_path / "out", models_dir=tmp_path)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options", [{"backend": "dlib"}, {"interpolation": "sinc"}, {"backend": "openface"}], ids=lambda o: next(iter(o))
)
def test_unknown_options_are_refused(fine, tmp_path, options):
    with pytest.raises(ValueError):
        mask(fine, tmp_path, **options)


def test_a_clip_named_twice_is_refused(fine, tmp_path):
    with pytest.raises(ValueError, match="named twice"):
        mask(pd.concat([fine, fine]), tmp_path)


def test_no_clips_give_an_empty_table(tmp_path):
    assert mask(pd.DataFrame(columns=["clip", "path", "actor"]), tmp_path).columns.tolist() == FACE_COLUMNS


def test_sizes_and_interpolations_of_one_clip(fine):
    tracker = FaceMesh()
    large = mask_clip(fine["path"].iloc[0], tracker, size=112)
    small = mask_clip(fine["path"].iloc[0], tracker)
    assert large.faces.shape == (10, 112, 112, 3) and small.problem == ""
    blocks = large.faces.reshape(10, 28, 4, 28, 4, 3).mean(axis=(2, 4))
    assert np.abs(blocks - small.faces).max() <= 1  # "area" is the mean of each 4 x 4 block
    cubic = mask_clip(fine["path"].iloc[0], tracker, interpolation="cubic")
    assert not np.array_equal(cubic.faces, small.faces)


def test_openface_folder_in_place_of_the_mesh(fine, tmp_path):
    """One clip with pictures, one with its table only, one with a wrong table, one without anything."""
    openface, masked = tmp_path / "openface", mask_clip(fine["path"].iloc[1], FaceMesh())
    openface.mkdir()
    pictured, tabled, wrong, absent = fine["clip"]
    write_table(openface / f"{pictured}.csv", [(1, 0.9, 1), (2, 0.2, 0), (3, 0.9, 1), (4, 0.9, 1)])
    for number in (1, 2, 4):
        write_picture(openface, pictured, number, 200)
    table = write_table(openface / f"{tabled}.csv", [(n, 0.9, 1) for n in range(1, 12)])
    data = pd.read_csv(table)
    data[[f"x_{i}" for i in range(68)]] = masked.landmarks[..., 0]
    data[[f"y_{i}" for i in range(68)]] = masked.landmarks[..., 1]
    data.to_csv(table, index=False)
    write_table(openface / f"{wrong}.csv", [(n, 0.9, 1) for n in range(1, 4)])

    result = mask(fine, tmp_path / "out", backend="openface", openface_folder=openface).set_index("clip")
    assert result.loc[pictured, ["frames", "frames_with_face"]].tolist() == [4, 2]
    assert "1 of its 3 frames with a face have no aligned picture" in result.loc[pictured, "problem"]
    assert result.loc[tabled, ["frames", "frames_with_face"]].tolist() == [11, 11]
    assert "the table has 3 frames, the video 12" in result.loc[wrong, "problem"]
    assert "no such OpenFace table" in result.loc[absent, "problem"]
    with np.load(tmp_path / "out" / f"{fine['actor'].iloc[0]}.npz") as stored:
        assert stored["success"][:4].tolist() == [True, False, False, True]
        assert stored["faces"][0, 5, 5].tolist() == [200, 20, 10]
    stored = [np.load(path) for path in sorted((tmp_path / "out").iterdir())]
    faces = next(
        file["faces"][slice(*file["offsets"][i : i + 2])]
        for file in stored
        for i, c in enumerate(file["clips"])
        if c == tabled
    )
    assert cv2.absdiff(faces, masked.faces).max() <= 1

    write_picture(openface, pictured, 3, 90)  # the folder has changed
    again = mask(fine, tmp_path / "out", backend="openface", openface_folder=openface).set_index("clip")
    assert again.loc[pictured, "frames_with_face"] == 3 and not again.loc[pictured, "problem"]


def test_original_clips(real_data, tmp_path):
    found = sorted(real_data.glob("cremad/VideoFlash/*.flv"))[:2]
    clips = pd.DataFrame({"clip": [p.stem for p in found], "path": [str(p) for p in found], "actor": 1001})
    mesh = mask(clips, tmp_path / "mesh")
    openface = mask(clips, tmp_path / "openface", backend="openface", openface_folder=real_data / "openface")
    pd.testing.assert_frame_equal(mesh, openface)  # the two differ in nothing but the pixels
    pixels = [np.load(tmp_path / backend / "1001.npz")["faces"].astype(int) for backend in ("mesh", "openface")]
    assert 0 < np.abs(pixels[0] - pixels[1]).mean() < 8
