"""The table of clips follows the files themselves: overwritten in place, copied, dated in the future, twice, looped."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml

from lib.__main__ import main
from lib.base.checksums import sha256
from lib.base.paths import CONFIG, ROOT
from lib.base.problems import InputProblem
from lib.corpora import listing
from lib.sequences.cutting import read_table
from lib.study import load


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study on three files in CREMA-D's layout, in a workspace of its own."""
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    videos = tmp_path / "cremad/VideoFlash"
    videos.mkdir(parents=True)
    for number in range(3):
        (videos / f"100{number + 1}_DFA_ANG_XX.flv").write_bytes(b"FLV" + bytes([number]) * 50)
    content = yaml.safe_load((CONFIG / "paper.yaml").read_text())
    content["corpora"]["cremad"]["folder"] = "cremad"
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    return load(tmp_path / "study.yaml")


def places(study):
    """What `listing` must know of the study."""
    return study.corpora["cremad"]["folder"], study.settings, study.data("cremad")


def state(study):
    return listing.state("cremad", *places(study))


def overwrite(path):
    """Other bytes of the same length; the folder's date and the file's size stay."""
    folder = path.parent.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path.parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))


def test_the_table_names_each_file_by_its_checksum_and_place(study, tmp_path):
    assert main(["list-clips", "--study", str(study.config), "--corpus", "cremad"]) == 0
    table = read_table(study.data("cremad") / "clips.csv")
    assert table["sha256"].tolist() == [sha256(path) for path in table["path"]]
    assert "path" in table and str(tmp_path) not in (study.data("cremad") / "clips.csv").read_text()


def test_a_file_overwritten_in_place_is_another_state_and_a_copy_is_none(study, tmp_path, monkeypatch):
    before = state(study)
    read = []
    whole = listing.sha256
    monkeypatch.setattr(listing, "sha256", lambda path: read.append(path) or whole(path))
    assert state(study) == before and not read, "what has its size and date is not read again"
    clip = tmp_path / "cremad/VideoFlash/1002_DFA_ANG_XX.flv"
    os.utime(clip, (4e9, 4e9))  # in the future
    assert state(study) == before and len(read) == 1
    shutil.copytree(tmp_path / "cremad", tmp_path / "copy", copy_function=shutil.copyfile)
    shutil.rmtree(tmp_path / "cremad")
    (tmp_path / "copy").rename(tmp_path / "cremad")
    assert state(study) == before
    overwrite(clip)
    assert state(study) != before


@pytest.mark.parametrize("text", ["", "x", "file,bytes,mtime_ns,sha256\na,b,c,d\n", "file,sha256\na,b\n"])
def test_a_damaged_memory_of_checksums_is_made_anew(study, text):
    before = state(study)
    (study.data("cremad") / "files.csv").write_text(text)
    assert state(study) == before


def test_only_the_first_actors_where_the_study_says_so(study):
    content = yaml.safe_load(study.config.read_text())
    content["corpora"]["cremad"]["actors"] = 2
    study.config.write_text(yaml.safe_dump(content))
    assert main(["list-clips", "--study", str(study.config), "--corpus", "cremad"]) == 0
    assert read_table(study.data("cremad") / "clips.csv")["actor"].tolist() == [1001, 1002]
    assert listing.state("cremad", *places(study), 2) != state(study)


def test_odd_files_are_listed_in_one_sentence_each(study, tmp_path):
    videos = tmp_path / "cremad/VideoFlash"
    shutil.copy(videos / "1001_DFA_ANG_XX.flv", videos / "1001_DFA_ANG_XX.FLV")
    (videos / "1009_DFA_ANG_XX.flv").symlink_to(videos / "1010_DFA_ANG_XX.flv")
    (videos / "1010_DFA_ANG_XX.flv").symlink_to(videos / "1009_DFA_ANG_XX.flv")
    clips, problems = listing.listed("cremad", *places(study))
    assert clips["clip"].is_unique and len(clips) == 3
    said = "\n".join(map(str, problems))
    assert "is there twice, also as 1001_DFA_ANG_XX.FLV" in said
    assert "1009_DFA_ANG_XX.flv: is not a file" in said and "1010_DFA_ANG_XX.flv: is not a file" in said


def test_folders_that_link_to_themselves_end_in_one_sentence(study, tmp_path):
    videos = tmp_path / "cremad/VideoFlash"
    (videos / "again").symlink_to(videos, target_is_directory=True)
    clips, problems = listing.listed("cremad", *places(study))
    assert len(clips) == 3 and any("'again' is not a .flv video" in str(problem) for problem in problems)
    shutil.rmtree(videos)
    videos.symlink_to(videos, target_is_directory=True)
    with pytest.raises(InputProblem, match="VideoFlash: is not a folder"):
        listing.listed("cremad", *places(study))


def test_a_folder_of_a_user_who_does_not_exist_is_one_sentence(study, tmp_path, caplog):
    content = yaml.safe_load(study.config.read_text())
    content["corpora"]["cremad"]["folder"] = "~nosuchuser/x"
    study.config.write_text(yaml.safe_dump(content))
    assert main(["list-clips", "--study", str(study.config), "--corpus", "cremad"]) == 1
    assert "~nosuchuser/x/VideoFlash: is not a folder" in caplog.text and len(caplog.records) == 1


def snakemake(study, workspace, target, *options):
    command = [sys.executable, "-m", "snakemake", "--profile", str(ROOT / "workflow/profiles/default")]
    command += ["--snakefile", str(ROOT / "workflow/Snakefile"), "--directory", str(workspace), "--cores", "1", target]
    command += [*options, "--config", f"study={study.config}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    return done.returncode, done.stdout + done.stderr


def test_the_workflow_masks_again_when_openface_has_gone_on(study, tmp_path):
    """Its output is often completed later, and is no input of a rule: nobody knows its files."""
    openface = tmp_path / "openface"
    (openface / "1001_DFA_ANG_XX_aligned").mkdir(parents=True)
    content = yaml.safe_load(study.config.read_text())
    content |= {"assumptions": {"face_backend": "openface"}, "openface_folder": "openface"}
    study.config.write_text(yaml.safe_dump(content))
    target = "data/paper/cremad/faces.csv"
    status, said = snakemake(study, tmp_path, target)
    assert status == 0, said
    assert "Nothing to be done" in snakemake(study, tmp_path, target, "--dry-run")[1]
    (openface / "1001_DFA_ANG_XX.csv").write_text("more")
    assert "mask_faces" in snakemake(study, tmp_path, target, "--dry-run")[1]
    assert snakemake(study, tmp_path, target)[0] == 0
    (openface / "1001_DFA_ANG_XX_aligned/frame_det_00_000001.bmp").write_text("more")
    assert "mask_faces" in snakemake(study, tmp_path, target, "--dry-run")[1]


def test_the_workflow_lists_a_real_corpus_anew_when_a_file_changes_and_not_for_its_dates(study, tmp_path):
    target = "data/paper/cremad/clips.csv"

    def run(*options):
        return snakemake(study, tmp_path, target, *options)

    clip = tmp_path / "cremad/VideoFlash/1002_DFA_ANG_XX.flv"
    os.utime(tmp_path / "cremad/VideoFlash/1001_DFA_ANG_XX.flv", (4e9, 4e9))  # from the start
    assert run()[0] == 0
    for file in (clip, clip.parent):
        os.utime(file, (4e9, 4e9))
    assert "Nothing to be done" in run("--dry-run")[1]
    overwrite(clip)
    assert "list_clips" in run("--dry-run")[1]
    shutil.rmtree(tmp_path / "cremad")
    status, said = run()
    assert status == 1 and "VideoFlash: is not a folder" in said and "Traceback" not in said, said
