"""CREMA-D's folder becomes a table of clips, and nothing disappears on the way."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.base.emotions import EMOTIONS
from lib.base.problems import InputProblem
from lib.corpora import cremad
from lib.corpora.folder import CLIP_COLUMNS
from lib.corpora.pointers import LISTED, read_pointer

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 265922\n"
HEADER = '"ActorID","Age","Sex","Race","Ethnicity"\n'


@pytest.fixture
def corpus(tmp_path):
    """Two actors' clips (bytes, no real video) with demographics."""
    videos = tmp_path / "VideoFlash"
    videos.mkdir()
    for clip in ["1001_DFA_ANG_XX", "1001_IEO_SAD_HI", "9002_WSI_NEU_XX"]:
        (videos / f"{clip}.flv").write_bytes(b"FLV\x01")
    text = HEADER + '1001,51,"Male","Caucasian","Not Hispanic"\n9002,,"Female","",""\n'
    (tmp_path / "VideoDemographics.csv").write_text(text)
    return tmp_path


def test_clips_have_the_columns_all_corpora_share(corpus):
    clips, problems = cremad.list_clips(corpus)
    assert problems == []
    assert list(clips.columns) == CLIP_COLUMNS
    first = clips.iloc[0]
    assert (first["clip"], first["actor"], first["emotion"], first["sentence"]) == (
        "1001_DFA_ANG_XX",
        1001,
        "angry",
        "DFA",
    )
    assert (first["sex"], first["age"], first["race"], first["ethnicity"]) == (
        "male",
        51,
        "Caucasian",
        "Not Hispanic",
    )
    assert clips["level"].tolist() == ["XX", "HI", "XX"]
    assert clips.iloc[2][["age", "race", "ethnicity"]].isna().all()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("1001_DFA_HAP.flv", b"FLV", "is not ACTOR_SENTENCE_EMOTION_LEVEL"),
        ("1001_XYZ_HAP_XX.flv", b"FLV", "is not ACTOR_SENTENCE_EMOTION_LEVEL"),
        ("1001_DFA_JOY_XX.flv", b"FLV", "is not ACTOR_SENTENCE_EMOTION_LEVEL"),
        ("1001_DFA_HAP_XX.avi", b"RIFF", "is not a .flv video"),
        ("1001_DFA_HAP_XX.flv", b"", "zero bytes"),
        ("1001_DFA_HAP_XX.flv", POINTER.format("a" * 64).encode(), "Git-LFS pointer"),
    ],
)
def test_a_bad_file_is_listed_and_the_rest_goes_on(corpus, name, content, words):
    (corpus / "VideoFlash" / name).write_bytes(content)
    clips, problems = cremad.list_clips(corpus)
    assert len(clips) == 3
    assert len(problems) == 1 and words in str(problems[0]) and name in str(problems[0])


def test_a_folder_in_place_of_a_video_is_listed(corpus):
    (corpus / "VideoFlash" / "1001_DFA_HAP_XX.flv").mkdir()
    clips, problems = cremad.list_clips(corpus)
    assert len(clips) == 3 and "is not a file" in str(problems[0])


def test_many_pointers_are_one_problem(corpus):
    for actor in range(1010, 1010 + LISTED + 1):
        (corpus / "VideoFlash" / f"{actor}_DFA_HAP_XX.flv").write_text(POINTER.format("0" * 64))
    clips, problems = cremad.list_clips(corpus)
    assert len(clips) == 3
    assert [str(p) for p in problems if f"{LISTED + 1} of the files are Git-LFS pointers" in str(p)]


def test_an_actor_without_demographics_keeps_its_clips(corpus):
    (corpus / "VideoFlash" / "1077_DFA_HAP_XX.flv").write_bytes(b"FLV")
    clips, problems = cremad.list_clips(corpus)
    assert clips["clip"].tolist().count("1077_DFA_HAP_XX") == 1
    assert clips.set_index("clip").loc["1077_DFA_HAP_XX", ["sex", "age"]].isna().all()
    assert len(problems) == 1 and "actor 1077" in str(problems[0])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "is missing"),
        (b"", "is not CREMA-D's table of actors"),
        (b"Name,Age\nA,1\n", "is not CREMA-D's table of actors"),
        ((HEADER + "x,51,Male,a,b\n").encode(), "is not CREMA-D's table of actors"),
        (b"\xff\xfe\x00" * 9, "is not CREMA-D's table of actors"),
        ((HEADER + "1001,51,Male,a,b\n" * 2).encode(), "gives actor 1001 twice"),
    ],
)
def test_broken_demographics_cost_no_clip(corpus, content, words):
    path = corpus / "VideoDemographics.csv"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    clips, problems = cremad.list_clips(corpus)
    assert len(clips) == 3 and clips["sex"].isna().all()
    assert len(problems) == 1 and words in str(problems[0]) and "\n" not in str(problems[0])


def test_no_corpus_is_one_clear_sentence(tmp_path):
    with pytest.raises(InputProblem, match="VideoFlash: is not a folder; give the folder of CREMA-D"):
        cremad.list_clips(tmp_path)
    (tmp_path / "VideoFlash").mkdir()
    with pytest.raises(InputProblem, match="holds no clip"):
        cremad.list_clips(tmp_path)


def test_a_pointer_is_distinguished_from_a_file(tmp_path):
    path = tmp_path / "clip.flv"
    path.write_text(POINTER.format("0f" * 32))
    assert read_pointer(path).bytes == 265922 and read_pointer(path).sha256 == "0f" * 32
    for content in [
        b"",
        b"FLV\x01",
        POINTER.format("0f").encode(),
        POINTER.format("0f" * 32).encode() + b"x",
    ]:
        path.write_bytes(content)
        assert read_pointer(path) is None


@given(st.text(alphabet=string.ascii_letters + string.digits + "_- .١２é\n", max_size=20))
def test_any_name_is_a_clip_or_a_clear_error(name):
    try:
        assert cremad.parse_name(name)["emotion"] in EMOTIONS
    except ValueError as error:
        assert "ACTOR_SENTENCE_EMOTION_LEVEL" in str(error)


def test_real_clips(real_data):
    clips, problems = cremad.list_clips(real_data / "cremad")
    assert clips["emotion"].tolist()[:3] == ["angry", "happy", "neutral"]
    assert all("VideoDemographics.csv" in str(p) for p in problems)
