"""lib.run.doctor: each thing that is missing or wrong is named in one line, with the command that helps."""

import hashlib
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from lib.base import paths, processes
from lib.base.problems import InputProblem
from lib.corpora import records
from lib.corpora.obtain import cremad as source
from lib.corpora.obtain import ravdess as archives
from lib.corpora.registry import CORPORA
from lib.faces.models import MODELS
from lib.run import gpu, lengths, workflow
from lib.run.doctor import MISSING, OK, WRONG
from lib.run.doctor.__main__ import examine, main
from lib.run.doctor.disk import needed
from lib.run.doctor.machine import ask_tensorflow, available_memory, check_machine, check_packages, check_workflow
from lib.run.lengths import used
from lib.study import load


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.setenv("STUDY_WORKSPACE", str(folder))
    monkeypatch.setattr("lib.run.doctor.__main__.ask_tensorflow", lambda: None)  # it takes seconds
    return folder


def found(findings, subject):
    return [(finding.mark, finding.text) for finding in findings if finding.subject == subject]


def corpora(folders=None, **options):
    sections, _ = examine(folders=folders or {}, tensorflow=False, **options)
    return sections["The paper's corpora"]


def pointer(content):
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


def clone(folder, clips):
    """A clone of CREMA-D with a pointer for each of `clips`."""
    (folder / "VideoFlash").mkdir(parents=True)
    for name, content in clips.items():
        (folder / "VideoFlash" / f"{name}.flv").write_text(pointer(content))
    (folder / "VideoDemographics.csv").write_text(
        "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not Hispanic\n"
    )
    return folder


CLIPS = {"1001_DFA_ANG_XX": b"angry" * 99, "1001_DFA_HAP_XX": b"happy" * 99, "1001_DFA_SAD_XX": b"sad" * 99}


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """CREMA-D's records of `CLIPS`."""
    rows = [f"{clip},{len(content)},{hashlib.sha256(content).hexdigest()}" for clip, content in CLIPS.items()]
    (tmp_path / "cremad_clips.csv").write_text("\n".join(["clip,flv_bytes,flv_sha256", *rows, ""]))
    monkeypatch.setattr(source, "RECORDS", tmp_path)


def test_nothing_there_yet(capsys):
    assert main(["--config", "paper"]) == 0
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if line.startswith("  ")]
    assert all(re.match(r"  (ok      |missing |wrong   ) \S", line) for line in lines)
    assert len({re.match(r"  \S+ +(?:\S+ )*\S+  +", line + "  ").end() for line in lines if "CREMA-D" in line}) <= 2
    assert "no folder data/corpora/cremad" in out
    assert out.endswith("Next: make reproduce\n")


def test_pointers_instead_of_videos(workspace):
    clone(workspace / "data" / "corpora" / "cremad", CLIPS)
    findings = corpora()
    assert found(findings, "CREMA-D")[:2] == [
        (MISSING, "0 of 7,442 clips can be used, in data/corpora/cremad"),
        (WRONG, "3 files are Git-LFS pointers and no videos"),
    ]
    assert {finding.command for finding in findings if finding.subject == "CREMA-D"} == {"make data"}


def test_a_loop_of_links_is_one_line(workspace):
    videos = clone(workspace / "data" / "corpora" / "cremad", {}) / "VideoFlash"
    (videos / "1001_DFA_ANG_XX.flv").write_bytes(b"FLV")
    (videos / "1002_DFA_ANG_XX.flv").symlink_to(videos / "1002_DFA_ANG_XX.flv")
    (said,) = [text for mark, text in found(corpora(), "CREMA-D") if "problems" in text]
    assert said.startswith("1 problems; ") and said.endswith("1002_DFA_ANG_XX.flv is not a file")


def test_a_folder_elsewhere_is_completed_where_it_is(tmp_path):
    folder = clone(tmp_path / "CREMA-D", CLIPS)
    (command,) = {f.command for f in corpora({"cremad": str(folder)}) if f.subject == "CREMA-D" and f.mark == WRONG}
    assert command == f".venv/bin/python -m lib.corpora.obtain cremad --folder {folder}"


def test_missing_actors_and_demographics(workspace, recorded):
    folder = clone(workspace / "data" / "corpora" / "cremad", CLIPS)
    source.read_manifest(folder)
    for name, content in CLIPS.items():
        (folder / "VideoFlash" / f"{name}.flv").write_bytes(content)
    assert found(corpora(), "CREMA-D") == [
        (MISSING, "3 of 7,442 clips can be used, in data/corpora/cremad"),
        (MISSING, "90 actors: 1002, 1003, 1004, 1005, 1006 and 85 more"),
        (OK, "3 clips have the published size (SHA-256: make doctor CHECKSUMS=1)"),
    ]
    (folder / "VideoDemographics.csv").unlink()
    assert any(
        mark == WRONG and "VideoDemographics.csv is missing" in text for mark, text in found(corpora(), "CREMA-D")
    )


def test_a_study_of_the_video_only_clips_is_examined_for_those(workspace, tmp_path):
    content = yaml.safe_load((paths.CONFIG / "paper.yaml").read_text())
    content["assumptions"] = {"transfer_modality": "02"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    clips = workspace / "data/corpora/ravdess/Actor_01"
    clips.mkdir(parents=True)
    for name in ("01-01-05-02-02-01-01.mp4", "02-01-05-02-02-01-01.mp4", "02-01-05-02-02-02-01.mp4"):
        (clips / name).write_bytes(b"video")
    sections, _ = examine(str(tmp_path / "mine.yaml"), tensorflow=False)
    finding = next(finding for finding in sections["The paper's corpora"] if finding.subject == "RAVDESS")
    assert finding.text.startswith("2 of 1,056 clips can be used")
    wanted = ".venv/bin/python -m lib.corpora.obtain ravdess --folder data/corpora/ravdess --all-modalities"
    assert finding.command == wanted


def test_a_study_of_some_actors_needs_no_others(workspace):
    """Those that are there come first; the published ones are named for those that are missing."""
    videos = clone(workspace / "data/corpora/cremad", {}) / "VideoFlash"
    names = [name for name in records.clips()["clip"] if int(name[:4]) in (1001, 1004, 1005)]
    for name in names:
        (videos / f"{name}.flv").write_bytes(b"FLV")
    said = found(examine("paper-try", tensorflow=False)[0]["The paper's corpora"], "two actors of CREMA-D")
    assert said[0] == (OK, "164 of 164 clips can be used, in data/corpora/cremad")
    assert not any("actors:" in text for _, text in said)
    for name in names:
        if not name.startswith("1004"):
            (videos / f"{name}.flv").unlink()
    said = found(examine("paper-try", tensorflow=False)[0]["The paper's corpora"], "two actors of CREMA-D")
    assert said[0] == (MISSING, "82 of 164 clips can be used, in data/corpora/cremad")
    assert (MISSING, "1 actors: 1001") in said
    findings = examine("paper-try", tensorflow=False)[0]["The paper's corpora"]
    assert {finding.command for finding in findings if finding.command} == {'make data ACTORS="1001 1002 1 2"'}


def test_actors_and_clips_that_a_study_uses():
    whole, part = load("paper"), load("paper-try")
    for corpus, known in CORPORA.items():
        assert [*used(whole, corpus)] == [*known.actors]
        assert sum(map(len, used(whole, corpus).values())) == known.clips
        assert [*used(part, corpus)] == [*known.actors[:2]]
    assert [*used(part, "cremad", {1090, 1005, 1003})] == [1003, 1005]
    assert [*used(part, "cremad", {1090})] == [1090, 1001]
    assert len(used(load("twin-pilot"), "cremad")) == 20


def test_altered_records_do_not_stop_the_doctor(tmp_path, monkeypatch):
    def altered(*_):
        raise InputProblem(tmp_path, "is not the table of this checkout", "run `git checkout records`")

    monkeypatch.setattr(lengths, "_planned", altered)
    study = load("paper")
    assert [*used(study, "cremad")] == [*CORPORA["cremad"].actors]
    assert 5e9 < sum(needed(study).values()) < 10e9


def test_wrong_size_and_wrong_checksum(workspace, recorded):
    folder = clone(workspace / "data" / "corpora" / "cremad", CLIPS)
    source.read_manifest(folder)
    for name, content in CLIPS.items():
        (folder / "VideoFlash" / f"{name}.flv").write_bytes(content[::-1])
    assert (WRONG, "3 clips have another SHA-256 than published: " + ", ".join(f"{n}.flv" for n in CLIPS)) in found(
        corpora(checksums=True), "CREMA-D"
    )
    (folder / "VideoFlash" / "1001_DFA_ANG_XX.flv").write_bytes(b"cut")
    assert (WRONG, "1 clips have another size than published: 1001_DFA_ANG_XX.flv") in found(corpora(), "CREMA-D")


def test_a_manifest_that_names_other_videos_confirms_none(workspace):
    """Written by a mirror's pointers before the records counted."""
    folder = clone(workspace / "data" / "corpora" / "cremad", CLIPS)
    rows = [f"{clip}.flv,{hashlib.sha256(content).hexdigest()},{len(content)}" for clip, content in CLIPS.items()]
    (folder / "pointers.csv").write_text("\n".join(["file,sha256,bytes", *rows, ""]))
    for name, content in CLIPS.items():
        (folder / "VideoFlash" / f"{name}.flv").write_bytes(content)
    said = found(corpora(checksums=True), "CREMA-D")
    assert any(mark == WRONG and "3 clips have another SHA-256 than published" in text for mark, text in said)


def test_broken_manifest_is_one_line(workspace):
    folder = clone(workspace / "data" / "corpora" / "cremad", CLIPS)
    (folder / "pointers.csv").write_text("nonsense")
    assert any("pointers.csv is not the list of pointers" in text for _, text in found(corpora(), "CREMA-D"))


def test_real_clips_are_known_from_the_records(real_data):
    findings = corpora({"cremad": str(real_data / "cremad"), "ravdess": str(real_data / "ravdess")}, checksums=True)
    count = len(list((real_data / "cremad" / "VideoFlash").glob("*.flv")))
    assert (OK, f"{count} clips have the published SHA-256") in found(findings, "CREMA-D")
    assert any("they stay unverified" in text for _, text in found(findings, "RAVDESS"))


def test_archive_that_the_record_does_not_confirm(workspace):
    folder = workspace / "data" / "corpora" / "ravdess"
    clip = folder / "Actor_01" / "01-01-05-02-02-01-01.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_bytes(b"video")
    row = [f"Actor_01/{clip.name}", 5, hashlib.sha256(b"video").hexdigest(), "Video_Speech_Actor_01.zip", "md5:0"]
    pd.DataFrame([row], columns=["file", "bytes", "sha256", "archive", "archive_md5"]).to_csv(
        folder / archives.FILES, index=False
    )
    findings = found(corpora(checksums=True), "RAVDESS")
    assert (OK, "1 clips have the published SHA-256") in findings
    assert findings[-1] == (
        WRONG, "1 archives were unpacked without the record's checksum: Video_Speech_Actor_01.zip",
    )  # fmt: skip


def test_config_that_is_wrong_is_one_line(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text("study: paper\nunknown: 1\n")
    assert main(["--config", str(path)]) == 0  # the sample can still be run
    assert "wrong    config" in capsys.readouterr().out


def test_versions_against_the_lock(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==1.0 \\\n    --hash=sha256:00\npandas==0.1 ; sys_platform == 'none'\n# comment\n")
    finding = check_packages(lock)
    assert finding.mark == WRONG
    assert re.fullmatch(r"1 of 1 differ from requirements.lock: numpy \S+ instead of 1.0", finding.text)
    lock.write_text("no-such-package==1.0\n")
    assert check_packages(lock).blocks
    assert check_packages(tmp_path / "none").mark == MISSING
    assert check_packages(paths.ROOT / "requirements.lock").mark == OK


def test_models_missing_and_wrong(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_MODELS", str(tmp_path))
    sections, _ = examine(tensorflow=False)
    assert found(sections["This machine"], "models")[0][0] == MISSING
    for name in MODELS:
        (tmp_path / name).write_bytes(b"other")
    sections, _ = examine(tensorflow=False)
    assert found(sections["This machine"], "models")[0][0] == WRONG


def snakemakes_lock(workspace):
    locks = workspace / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("x")


def test_a_study_that_is_running_is_to_be_waited_for(workspace, capsys):
    snakemakes_lock(workspace)
    with workflow.locked_workspace() as lock:
        lock.write("4711\n")
        lock.flush()
        assert (check_workflow().mark, check_workflow().text) == (OK, "a study is running here, as process 4711")
        main([])
    out = capsys.readouterr().out
    assert "unlock" not in out and out.splitlines()[-1].startswith("Next: wait for the study that is running")


def test_a_study_that_was_killed_goes_on_by_itself(workspace, capsys):
    assert check_workflow().text == "no study is running here"
    snakemakes_lock(workspace)
    (workspace / ".snakemake" / "study.lock").write_text("4711\n")  # as a run that was killed leaves it
    assert "the same command goes on where it stopped" in check_workflow().text
    main([])
    assert "unlock" not in capsys.readouterr().out


def test_a_snakemake_that_was_started_without_make(workspace):
    snakemakes_lock(workspace)
    assert check_workflow().blocks and "started without `make`" in check_workflow().text
    code = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, "snakemake"], cwd=workspace, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert check_workflow().text == f"a study is running here, as process {process.pid}"
        process.kill()


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """A machine with one card, as far as ``nvidia-smi`` says so."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA Example (UUID: GPU-1)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return program


@pytest.mark.parametrize(
    ("build", "setting", "at_once"), [(False, None, 0), (True, None, 1), (True, "4", 4), (True, "0", 0), (True, "", 1)]
)
def test_one_training_at_a_time_on_a_card(smi, monkeypatch, build, setting, at_once):
    """Sixteen cores must not start sixteen trainings on one card; without CUDA's build the card is not used."""
    monkeypatch.setattr(gpu, "has_cuda_build", lambda: build)
    if setting is not None:
        monkeypatch.setenv(gpu.TRAININGS, setting)
    assert gpu.trainings_at_once() == at_once
    assert [word for word in workflow.snakemake() if word.startswith("gpu=")] == [f"gpu={at_once}"] * bool(at_once)


@pytest.mark.parametrize(("setting", "visible"), [("0", "-1"), ("2", "0"), ("", "0")])
def test_trainings_on_the_processor_see_no_card(workspace, monkeypatch, setting, visible):
    code = "import os; open('seen', 'w').write(os.environ['CUDA_VISIBLE_DEVICES'])"
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv(gpu.TRAININGS, setting)
    monkeypatch.setattr(workflow, "snakemake", lambda *_: [sys.executable, "-c", code])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with workflow.locked_workspace() as lock:
        assert workflow._run(load("sample"), [], lock) == 0
    assert (workspace / "seen").read_text() == visible


def test_a_machine_without_nvidia_smi_has_no_card(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.cards() == [] and gpu.trainings_at_once() == 0


@pytest.mark.parametrize(
    ("build", "seen", "mark", "text", "command"),
    [
        (False, [], MISSING, "is the build for processors", "make setup-gpu"),
        (True, [], WRONG, "does not see this machine's GPU 0: NVIDIA Example", ""),
        (True, ["GPU:0"], OK, "sees GPU:0: 1 training(s) at once", ""),
    ],
)
def test_whether_tensorflow_sees_the_card(smi, monkeypatch, build, seen, mark, text, command):
    monkeypatch.setattr(gpu, "has_cuda_build", lambda: build)
    monkeypatch.setattr("lib.run.doctor.machine.has_cuda_build", lambda: build)
    code = f"import json; print(json.dumps(['2.21.0', {seen}]))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as probe:
        *_, finding = check_machine(probe)
    assert (finding.mark, finding.command) == (mark, command) and text in finding.text


def test_too_little_disk_and_memory(monkeypatch):
    usage = type("usage", (), {"free": 10_000_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr("lib.run.doctor.machine.available_memory", lambda: 2e9)
    findings = {finding.subject: finding for finding in check_machine(studies=[load("sample")])}
    assert findings["disk"].blocks
    assert findings["memory"].mark == WRONG
    assert "10.0 MB free" in findings["disk"].text
    assert "the sample study will write another" in findings["disk"].text


def test_the_disk_is_that_of_the_study_named(workspace):
    full = needed(load("paper-full"))
    cremad = {path: size for path, size in full.items() if "cremad" in path.parts}
    assert len(cremad) == 3 + 4, "faces by three interpolations, sequences by one window rule more"
    assert 10e9 < sum(cremad.values()) < 12e9
    assert 1e9 < sum(needed(load("sample")).values()) < 2e9
    assert sum(needed(load("paper")).values()) < sum(full.values()) / 2
    trial = {path: size for path, size in needed(load("paper-try")).items() if "cremad" in path.parts}
    assert sum(trial.values()) < 0.2e9, "two actors"


def test_what_is_there_needs_no_disk(workspace):
    study = load("paper")
    folder = study.faces("cremad") / "faces"
    folder.mkdir(parents=True)
    before = needed(study)
    with open(folder / "1001.npz", "wb") as file:
        file.truncate(1_000_000)
    after = needed(study)
    assert before.pop(folder) - after.pop(folder) == 1_000_000 and before == after
    with open(folder / "1002.npz", "wb") as file:
        file.truncate(10_000_000_000)  # more than expected
    assert needed(study)[folder] == 0


def test_the_study_named_is_the_one_whose_disk_is_counted(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("usage", (), {"free": 9_000_000_000}))
    main(["--config", "paper-full"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if " disk " in line]
    assert line.startswith("  wrong") and "the paper-full study will write another" in line
    assert "GB data/paper/cremad/faces" in line
    main(["--config", "paper"])
    assert "ok       disk" in capsys.readouterr().out


def test_trainings_side_by_side_follow_from_the_memory(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("lib.run.doctor.machine.available_memory", lambda: 32e9)
    assert found(check_machine(), "memory") == [(OK, "32.0 GB, room for 9 trainings at a time")]


def test_memory_is_that_of_this_machine():
    assert 1e8 < available_memory() < 1e14


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, None),
        ({"": "9000"}, 9000),  # a container
        ({"slurm/job_1/step_0": "max", "slurm/job_1": "5000", "slurm": "7000"}, 5000),
        ({"slurm/job_1/step_0": "4000", "slurm/job_2": "1"}, 4000),
        ({"memory": "6000"}, 6000),
    ],
)
def test_memory_is_that_of_the_job_of_slurm(tmp_path, monkeypatch, limits, expected):
    machine = available_memory()
    for group, limit in limits.items():
        (tmp_path / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / group / ("memory.limit_in_bytes" if group == "memory" else "memory.max")).write_text(f"{limit}\n")
    (tmp_path / "own").write_text("1:name=systemd:/x\n0::/slurm/job_1/step_0\n")
    monkeypatch.setattr(processes, "_GROUPS", tmp_path)
    monkeypatch.setattr(processes, "_OWN_GROUP", tmp_path / "own")
    assert available_memory() == expected or (expected is None and available_memory() >= machine)


@pytest.mark.parametrize("code", ["raise ImportError", "print('nonsense')", "import os; os._exit(139)"])
def test_tensorflow_that_cannot_be_imported(code):
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as p:
        *_, finding = check_machine(p)
    assert (finding.mark, finding.blocks) == (WRONG, True)


def test_tensorflow_of_this_machine():
    with ask_tensorflow() as probe:
        *_, finding = check_machine(probe)
    assert finding.subject == "TensorFlow"
    assert not finding.blocks
