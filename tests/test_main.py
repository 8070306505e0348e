"""Listing clips by one command: what the folder holds is used or listed, by the study's rule on bad clips."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from lib.__main__ import main
from lib.base.paths import CONFIG
from lib.corpora.pointers import LISTED
from lib.sequences import cutting
from lib.sequences.cutting import read_table

BAD = ["1076_MTI_SAD_XX"]
MIXED = ["1064_IEO_DIS_MD"]  # a minute long, all emotions
SUSPICIOUS = ["1006_TIE_HAP_XX", "1047_IEO_SAD_LO"]
FINE = ["1001_DFA_ANG_XX", "1006_TIE_SAD_XX", "1064_DFA_SAD_XX"]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 265922\n"


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """CREMA-D's layout with good, bad, suspicious and unusable files; none of them is opened at listing."""
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    videos = tmp_path / "cremad" / "VideoFlash"
    videos.mkdir(parents=True)
    for clip in BAD + MIXED + SUSPICIOUS + FINE:
        (videos / f"{clip}.flv").write_bytes(b"FLV\x01")
    (videos / "1076_MTI_NEU_XX.flv").write_bytes(b"")  # bad by the records too, but not even a file to leave out
    (videos / "1002_DFA_SAD_XX.flv").write_text(POINTER.format("a" * 64))
    (videos / "notes.txt").write_text("no clip")
    actors = "".join(f"{actor},40,Male,Asian,\n" for actor in (1001, 1006, 1047, 1064))  # 1076 is unknown
    (tmp_path / "cremad" / "VideoDemographics.csv").write_text("ActorID,Age,Sex,Race,Ethnicity\n" + actors)
    return videos


def list_clips(corpus, leave_out):
    """Tables of clips and problems that ``list-clips`` writes, and its exit status."""
    workspace = corpus.parents[1]
    content = yaml.safe_load((CONFIG / "paper.yaml").read_text())
    content["corpora"]["cremad"]["folder"] = str(corpus.parent)
    content["assumptions"] = {} if leave_out is None else {"leave_out": leave_out}
    study = workspace / "study.yaml"
    study.write_text(yaml.safe_dump(content))
    status = main(["list-clips", "--study", str(study), "--corpus", "cremad"])
    folder = workspace / "data" / "paper" / "cremad"
    if status:
        return status, None, None
    return status, read_table(folder / "clips.csv"), pd.read_csv(folder / "problems_clips.csv")


@pytest.mark.parametrize(
    "leave_out", [[], ["bad"], ["mixed"], ["suspicious"], ["bad", "mixed", "suspicious"]], ids="+".join
)
def test_every_file_is_used_or_listed(corpus, leave_out):
    status, clips, problems = list_clips(corpus, leave_out)
    assert status == 0
    used = [f"{clip}.flv" for clip in clips["clip"]]
    listed = [file.rpartition("/")[2] for file in problems["file"] if "VideoFlash/" in file]
    assert sorted(used + listed) == sorted(path.name for path in corpus.iterdir())
    for kind, named in (("bad", BAD), ("mixed", MIXED), ("suspicious", SUSPICIOUS)):
        assert {clip in set(clips["clip"]) for clip in named} == {kind not in leave_out}


def test_a_finding_is_named_whether_used_or_not(corpus):
    _, clips, problems = list_clips(corpus, ["bad", "mixed"])
    assert clips.set_index("clip")["finding"].to_dict() == dict.fromkeys(FINE, "") | dict.fromkeys(
        SUSPICIOUS, "suspicious"
    )
    said = problems.set_index("file")["problem"]["cremad/VideoFlash/1064_IEO_DIS_MD.flv"]
    assert said == "is left out as mixed (README: the video runs about a minute and shows all emotions)"


def test_the_papers_study_leaves_out_the_clip_of_all_emotions(corpus):
    _, clips, problems = list_clips(corpus, None)
    assert sorted(clips["clip"]) == sorted(BAD + SUSPICIOUS + FINE)
    assert problems["problem"].str.contains("left out").sum() == 1
    assert clips["finding"].value_counts().to_dict() == {"": 3, "suspicious": 2, "bad": 1}


def test_many_pointers_are_counted_in_one_line(corpus):
    before = len(list(corpus.iterdir()))
    for actor in range(LISTED):
        (corpus / f"10{actor:02d}_WSI_SAD_XX.flv").write_text(POINTER.format("b" * 64))
    _, clips, problems = list_clips(corpus, ["bad", "suspicious"])
    counted = problems["problem"].str.extract(r"^([\d,]+) of the files are Git-LFS pointers")[0].dropna()
    assert counted.tolist() == [str(LISTED + 1)]
    rows = problems["file"].str.contains("VideoFlash/").sum()
    assert len(clips) + rows + int(counted.iloc[0]) == before + LISTED


@pytest.mark.parametrize("leave_out", [["worst"], ["bad", 3], [["bad"]]])
def test_an_unknown_finding_is_named_and_nothing_written(corpus, leave_out, caplog):
    status, _, _ = list_clips(corpus, leave_out)
    assert status == 1 and "leave_out" in caplog.text and "'bad', 'suspicious'" in caplog.text
    assert not (corpus.parents[1] / "data").exists()


@pytest.mark.parametrize("step", ["mask-faces", "cut-sequences", "summarise"])
def test_a_step_without_the_one_before_it_names_the_table_and_the_command(step, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    assert main([step, *([] if step == "summarise" else ["--corpus", "cremad"])]) == 1
    table = "tables/sample/table1_grid.csv" if step == "summarise" else "data/sample/cremad/clips.csv"
    (said,) = caplog.messages
    assert table in said and "is not there" in said and "run `make reproduce STUDY=sample` first" in said


def test_the_command_for_a_file_of_the_users_names_the_file(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    mine = shutil.copy(CONFIG / "paper.yaml", tmp_path / "mine.yaml")
    for study, command in (("paper", "make paper"), (mine, f"make reproduce STUDY={mine}")):
        assert main(["summarise", "--study", str(study)]) == 1
        assert caplog.messages[-1].endswith(f"is not there; run `{command}` first.")


@pytest.mark.parametrize("step", ["render", "list-clips", "mask-faces", "cut-sequences", "predict-transfer"])
def test_an_argument_that_a_step_needs_is_named(step, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([step])
    wanted = "training: --run NAME" if step == "predict-transfer" else "corpus: --corpus cremad or ravdess"
    assert f"{step} needs a {wanted}" in capsys.readouterr().err


def test_the_second_corpus_is_predicted_in_the_order_of_frames_of_the_training(monkeypatch, tmp_path):
    """Like the predictions that notebook 04 writes for the study's own windows."""
    from lib.training import loop  # which loads TensorFlow

    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    frames = np.broadcast_to(np.arange(75, dtype=np.uint8)[:, None, None, None], (1, 75, 2, 2, 3))
    table = pd.DataFrame({"sequence": [0]})
    read = []
    monkeypatch.setattr(cutting, "load", lambda folder: (frames, table))
    monkeypatch.setattr(loop, "load_model", lambda path: None)
    monkeypatch.setattr(loop, "predictions", lambda model, array, *_: read.append(array[[0]]) or table)
    assert main(["predict-transfer", "--run", "any", "--changes", "{frame_order: last}"]) == 0
    assert np.unique(read[0]).tolist() == [74]
