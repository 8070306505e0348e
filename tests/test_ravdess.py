"""RAVDESS' folders become a table of clips: speech, one modality, six emotions."""

import itertools

import pytest

from lib.base.problems import InputProblem
from lib.corpora import ravdess
from lib.corpora.folder import CLIP_COLUMNS


def put(folder, clip, content=b"mp4"):
    path = folder / f"Actor_{clip[-2:]}" / f"{clip}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def whole_actor(folder, actor):
    """The 60 speech takes of one actor in both modalities, and one song."""
    for modality, (emotion, intensity), statement, repetition in itertools.product(
        ["01", "02"],
        [(f"0{e}", i) for e in range(1, 9) for i in ("01", "02") if (e, i) != (1, "02")],
        ["01", "02"],
        ["01", "02"],
    ):
        put(folder, f"{modality}-01-{emotion}-{intensity}-{statement}-{repetition}-{actor:02d}")
    put(folder, f"01-02-03-01-01-01-{actor:02d}")


@pytest.mark.parametrize("modality", ["01", "02"])
def test_44_of_an_actors_takes_show_the_six_emotions(tmp_path, modality):
    whole_actor(tmp_path, 1)
    clips, problems = ravdess.list_clips(tmp_path, modality)
    assert problems == []
    assert list(clips.columns) == CLIP_COLUMNS
    counts = clips["emotion"].value_counts().to_dict()
    assert counts == {"neutral": 4, "happy": 8, "sad": 8, "angry": 8, "fear": 8, "disgust": 8}
    assert clips["clip"].str.startswith(modality).all()


def test_24_actors_make_the_1056_clips_behind_the_papers_percentages(tmp_path):
    for actor in range(1, 25):
        whole_actor(tmp_path, actor)
    clips, _ = ravdess.list_clips(tmp_path)
    assert len(clips) == 1056
    assert clips.groupby("sex")["actor"].nunique().to_dict() == {"female": 12, "male": 12}


def test_the_archives_own_folder_may_be_there(tmp_path):
    put(tmp_path / "Video_Speech_Actor_04", "01-01-06-02-01-02-04")
    put(tmp_path, "01-01-01-01-01-02-04")
    clips, problems = ravdess.list_clips(tmp_path)
    assert clips[["emotion", "level", "sex"]].values.tolist() == [
        ["neutral", "normal", "female"],
        ["fear", "strong", "female"],
    ]
    assert problems == []


def test_a_take_that_is_there_twice_is_used_once(tmp_path):
    put(tmp_path / "Video_Speech_Actor_04", "01-01-06-02-01-02-04")
    put(tmp_path, "01-01-06-02-01-02-04")
    clips, problems = ravdess.list_clips(tmp_path)
    assert len(clips) == 1 and "is there twice" in str(problems[0])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("01-01-05-02-02-01.mp4", b"x", "is not MM-VV-EE-II-SS-RR-AA"),
        ("01-01-09-02-02-01-01.mp4", b"x", "is not MM-VV-EE-II-SS-RR-AA"),
        ("01-01-05-02-02-01-01.wav", b"x", "is not a .mp4 video"),
        ("01-01-05-02-02-01-01.mp4", b"", "zero bytes"),
        (
            "01-01-05-02-02-01-01.mp4",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n",
            "Git-LFS pointer",
        ),
    ],
)
def test_a_bad_file_is_listed_and_the_rest_goes_on(tmp_path, name, content, words):
    put(tmp_path, "01-01-01-01-01-02-01")
    (tmp_path / "Actor_01" / name).write_bytes(content)
    clips, problems = ravdess.list_clips(tmp_path)
    assert clips["clip"].tolist() == ["01-01-01-01-01-02-01"]
    assert len(problems) == 1 and words in str(problems[0])


def test_no_corpus_is_one_clear_sentence(tmp_path):
    with pytest.raises(InputProblem, match="holds no audio-video speech clip"):
        ravdess.list_clips(tmp_path)
    with pytest.raises(ValueError, match="modality must be"):
        ravdess.list_clips(tmp_path, "03")


def test_real_clips(real_data):
    clips, problems = ravdess.list_clips(real_data / "ravdess")
    assert problems == []
    assert dict(zip(clips["clip"], clips["emotion"], strict=True)) == {
        "01-01-01-01-01-02-04": "neutral",
        "01-01-05-02-02-01-01": "angry",
        "01-01-06-02-01-02-04": "fear",
    }
