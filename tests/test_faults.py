"""Killed at random moments, a full disk, a folder that cannot be written, damaged files, two runs in one folder.

Whatever happens, the next start ends with the bytes of an undisturbed run, or there is one clear sentence.
20 processes are killed here, another by test_workflow.py. To see other moments: FAULTS_SEED=7 pytest ...
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from test_faces import contents, mask
from test_sequences import SETTINGS
from test_training import task  # noqa: F401

from lib.base.files import written_atomically
from lib.base.paths import ROOT, models_dir
from lib.base.problems import InputProblem
from lib.base.processes import LOCK, lock_name
from lib.corpora import cremad
from lib.run import gpu, runner, workflow
from lib.sequences import cutting
from lib.study import load
from lib.synthetic import render_corpus
from lib.training import loop
from lib.training.checkpoint import State, save
from tests.landmark_models import needs_models
from tests.portable.steps import digest

SEED = int(os.environ.get("FAULTS_SEED", "2021"))
WORKFLOW_KILLS = 2


@pytest.fixture(params=[pytest.param(3, id="sample"), pytest.param(10, id="all", marks=pytest.mark.exhaustive)])
def kills(request):
    """Number of times that a process is killed."""
    return request.param


def gone(pids, seconds=10.0):
    """Whether all processes are gone (a zombie is) within some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def descendants(pid):
    """Process numbers of all that `pid` has started, in any of its threads, and they in turn."""
    children = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += thread.read_text().split()
    return [n for child in map(int, children) for n in (child, *descendants(child))]


# --- killed ---------------------------------------------------------------------------------------------------

#: Trains in forked processes and kills the first ones at random moments, later and later into the training.
KILLER = """
import json, os, signal, sys, time
from pathlib import Path
import numpy as np
from lib.training import loop

loop.configure(threads=1)
task = json.loads(Path("task.json").read_text())
sequences = np.load("sequences.npy", mmap_mode="r")
rng, planned, kills = np.random.default_rng([int(sys.argv[2]), 1]), int(sys.argv[1]), 0
while True:
    child = os.fork()  # spares the import; TensorFlow itself starts in the child
    if not child:
        loop.train(Path("run"), sequences=sequences, **task)
        os._exit(0)
    if kills < planned:
        goal = kills * task["epochs"] // (planned + 2)
        epoch = lambda: max([0, *(int(p.stem[6:]) for p in Path("run/checkpoints").glob("epoch-*.npz"))])
        early = epoch() >= goal  # the one before came further: kill this one as it starts
        while epoch() < goal:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 1.2 if early else 0.12))
        os.kill(child, signal.SIGKILL)
        kills += 1
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        print(kills if os.WEXITSTATUS(status) == 0 else "failed")
        break
"""


def test_a_training_killed_at_random_moments_ends_with_the_same_bytes(task, kills, tmp_path):  # noqa: F811
    epochs = 3 * kills
    loop.train(tmp_path / "undisturbed", epochs=epochs, **task)
    arrays = ("labels", "train", "validation")
    parameters = {key: np.asarray(value).tolist() if key in arrays else value for key, value in task.items()}
    np.save(tmp_path / "sequences.npy", parameters.pop("sequences"))
    (tmp_path / "task.json").write_text(json.dumps(parameters | {"epochs": epochs}))
    command = [sys.executable, "-c", KILLER, str(kills), str(SEED)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == str(kills), done.stderr
    for name in ("history.csv", f"checkpoints/epoch-{epochs:04d}.npz"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name
    models = [loop.load_model(tmp_path / run / "model.keras") for run in ("run", "undisturbed")]
    assert digest(*models[0].get_weights()) == digest(*models[1].get_weights())
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 3, "two checkpoints and the lock"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Folder of a CREMA-D of three clips of two actors."""
    folder = tmp_path_factory.mktemp("corpus")
    render_corpus("cremad", folder / "cremad", actors=2, clips=3, seed=4, progress=False)
    return folder


MASK = """
import sys, pandas as pd
from lib.faces.corpus import mask_corpus
if __name__ == "__main__":
    mask_corpus(pd.read_csv(sys.argv[1]), sys.argv[2], processes=int(sys.argv[3]), progress=False)
"""


@needs_models
def test_masking_killed_at_random_moments_ends_with_the_same_bytes(corpus, kills, tmp_path):
    """Only the parent is killed, as the system does that is out of memory: its workers go by themselves."""
    clips, _ = cremad.list_clips(corpus / "cremad")
    mask(clips, tmp_path / "undisturbed")
    clips.to_csv(tmp_path / "clips.csv", index=False)
    (tmp_path / "start.py").write_text(MASK)
    rng = np.random.default_rng([SEED, 2])
    command = [sys.executable, tmp_path / "start.py", tmp_path / "clips.csv", tmp_path / "killed"]
    for number in range(kills):
        work = subprocess.Popen([*command, str(1 + number % 2)], stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.6, 2.0))
        workers = descendants(work.pid)
        work.kill()
        work.wait()
        assert gone(workers), "the workers outlive their parent"
    mask(clips, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")
    assert {path.name for path in (tmp_path / "killed").iterdir()} == set(contents(tmp_path / "undisturbed"))


@pytest.fixture
def study(corpus, tmp_path):
    """Call of `lib.run.workflow` for a study on the corpus in a workspace of its own, up to CREMA-D's sequences."""
    content = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    del content["render"]
    content |= {"study": "faults", "title": "faults"}
    content["corpora"]["cremad"]["folder"] = str(corpus / "cremad")
    (tmp_path / "faults.yaml").write_text(yaml.safe_dump(content))
    workspace = tmp_path / "workspace"
    environment = os.environ | {"STUDY_WORKSPACE": str(workspace), "STUDY_MODELS": str(models_dir())}
    command = [sys.executable, "-m", "lib.run.workflow", "--cores", "2", "data/faults/cremad/sequences.csv"]
    command += ["--config", f"study={tmp_path / 'faults.yaml'}"]

    def start(**options):
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=ROOT, env=environment | options, **streams)

    start.workspace, start.data = workspace, workspace / "data/faults"
    start.settings = load(str(tmp_path / "faults.yaml")).settings
    return start


def snakemake_of(run, workspace):
    """Number of Snakemake's process, once it has begun."""
    lock = workspace / ".snakemake/study.lock"
    while run.poll() is None:
        if lock.exists() and (number := int(lock.read_text() or 0)) in descendants(run.pid):
            return number
        time.sleep(0.01)
    raise AssertionError(run.stdout.read())


@needs_models
def test_snakemake_killed_at_random_moments_and_started_twice(study, corpus):
    """Each time but the last Snakemake is killed, and nothing is cleared up; a second start at once is refused."""
    rng = np.random.default_rng([SEED, 3])
    kills, seen = 0, []
    while kills < WORKFLOW_KILLS:
        run = study()
        number = snakemake_of(run, study.workspace)
        time.sleep(rng.uniform(1, 7))
        while not (jobs := descendants(number)) and alive(number):
            time.sleep(0.01)  # a moment with a job at work, importing or further on
        seen += jobs
        if alive(number):
            os.kill(number, signal.SIGKILL)
            kills += 1
        else:  # this machine is faster
            run.wait()
            shutil.rmtree(study.data)
            continue
        assert gone([number, *jobs]), "jobs outlive the run"
        output = run.communicate()[0]
        assert run.returncode == 128 + signal.SIGKILL, output
        assert "the same command goes on where it stopped" in output
    assert seen, "no job was seen"
    last = study()
    number = snakemake_of(last, study.workspace)
    second = study()
    output = second.communicate()[0]
    assert second.returncode == 1, output
    assert output.count("\n") == 1 and f"a study is running here already, as process {number}; wait" in output
    output = last.communicate()[0]
    assert last.returncode == 0, output

    clips, _ = cremad.list_clips(corpus / "cremad")
    expected, made = study.workspace / "expected", study.data / "cremad"
    table = mask(clips, expected)
    rule = study.settings["window_rule"]
    table = cutting.cut(clips, table, expected, expected / "sequences.npy", study.settings, rule)
    assert contents(made / "faces") == contents(expected)
    assert (made / "sequences.npy").read_bytes() == (expected / "sequences.npy").read_bytes()
    assert cutting.read_table(made / "sequences.csv")["clip"].tolist() == table["clip"].tolist()
    assert not list(made.rglob(".*")), "nothing half-written is left"


def test_a_job_that_a_killed_run_left_is_ended_before_the_next_one_starts(tmp_path):
    """Such a job may still be importing, and knows of no lock; another workspace's jobs are not touched."""
    lock = tmp_path / ".snakemake/study.lock"
    lock.parent.mkdir()
    ended = subprocess.Popen(["true"])
    ended.wait()
    lock.write_text(f"{ended.pid}\n")  # of a Snakemake that was killed
    importing = [sys.executable, "-c", "import time; time.sleep(120)"]
    deaf = [sys.executable, "-c", f"import fcntl, time; f = open({str(lock)!r}); fcntl.flock(f, 1); time.sleep(120)"]
    ours = os.environ | {LOCK: lock_name(str(lock))}
    jobs = [subprocess.Popen(command, env=ours) for command in (importing, deaf)]
    other = subprocess.Popen(importing, env=os.environ | {LOCK: lock_name(str(tmp_path / "other.lock"))})
    left = Path(tempfile.mkdtemp(prefix=f".{runner.KERNELS.name}.", dir=runner.KERNELS.parent))
    try:
        time.sleep(1)
        command = [sys.executable, "-m", "lib.run.workflow", "--version"]
        environment = os.environ | {"STUDY_WORKSPACE": str(tmp_path)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        assert [job.wait(5) for job in jobs] == [-signal.SIGKILL] * 2
        assert other.poll() is None
        assert not left.exists(), "a killed kernel's folder stays"
    finally:
        for process in (*jobs, other):
            process.kill()
            process.wait()


def test_a_run_takes_no_more_than_the_machines_memory(monkeypatch):
    monkeypatch.setattr(workflow, "available_memory", lambda: 16e9)
    command = workflow.snakemake("--cores", "all")
    assert command[command.index("--resources") + 1] == "mem_mb=14400"
    monkeypatch.setattr(workflow, "available_memory", lambda: 2e9)  # one training at a time
    assert f"mem_mb={gpu.LARGEST_JOB}" in workflow.snakemake()


def test_make_clean_leaves_a_run_alone(tmp_path):
    data = tmp_path / "data/sample"
    data.mkdir(parents=True)
    (tmp_path / ".snakemake/metadata").mkdir(parents=True)
    lock = tmp_path / ".snakemake/study.lock"
    command = [sys.executable, "-m", "lib.run.workflow", "clean", "data/sample"]
    options = {"cwd": ROOT, "env": os.environ | {"STUDY_WORKSPACE": str(tmp_path)}, "capture_output": True}
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = subprocess.run(command, text=True, **options)
    assert done.returncode == 1 and "a study is running here already" in done.stderr and data.exists()
    assert subprocess.run(command, **options).returncode == 0
    assert not data.exists() and {path.name for path in lock.parent.iterdir()} == {"study.lock", "metadata"}


def test_a_lock_that_is_not_ours_is_left_alone(tmp_path):
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("x")
    command = [sys.executable, "-m", "lib.run.workflow", "--cores", "1", "--config", "study=tiny"]
    environment = os.environ | {"STUDY_WORKSPACE": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "locked by a Snakemake that was started without `make`" in done.stderr
    assert (locks / "0.input.lock").exists()


# --- nowhere to write -----------------------------------------------------------------------------------------


def mounted(folder, *options):
    """Mount at `folder`, or skip where that is not allowed."""
    folder.mkdir()
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here ({done.stderr.strip()})")
    return folder


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 1 MiB."""
    if not shutil.which("mount"):
        pytest.skip("there is no mount(8)")
    folder = mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a map of the failed array may live on


@pytest.fixture
def read_only(tmp_path):
    """A folder that cannot be written, and holds a finished file."""
    folder = tmp_path / "closed"
    if os.geteuid():
        folder.mkdir()
        (folder / "done.csv").write_text("done")
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
    else:  # whom no mode stops
        (tmp_path / "open").mkdir()
        (tmp_path / "open/done.csv").write_text("done")
        mounted(folder, "--bind", str(tmp_path / "open"))
        try:
            remounted = subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], capture_output=True)
            if remounted.returncode:
                pytest.skip("no folder can be made read-only here")
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)


def fill(disk, free):
    """Leave `free` bytes on a disk."""
    status = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - free)))


def full(disk, call):
    """Assert that `call` ends with one sentence about the full disk, and leaves nothing half-written there."""
    before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file() and path.name != "lock"}
    with pytest.raises(InputProblem, match="no space is left; free some space and start again") as raised:
        call()
    assert "\n" not in str(raised.value)
    after = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file() and path.name != "lock"}
    assert after == before
    (disk / "ballast").unlink()


def few_faces(folder, frames=100):
    """Tables and a file of faces of one clip."""
    faces = np.random.default_rng(1).integers(0, 255, (frames, 28, 28, 3), dtype=np.uint8)
    found = np.ones(frames, bool)
    np.savez(folder / "1.npz", faces=faces, success=found, clips=np.array(["a"]), offsets=np.array([0, frames]))
    clips = {"clip": ["a"], "actor": [1], "emotion": ["sad"], "sentence": ["01"], "level": ["XX"], "sex": ["male"]}
    return pd.DataFrame(clips).assign(age=30), pd.DataFrame({"clip": ["a"], "frames": frames, "frames_with_face": 90})


def test_a_full_disk_at_the_sequences(small_disk, tmp_path):
    """Written through a map, a full disk would be a bus error that ends the process without a word."""
    arguments = (*few_faces(tmp_path), tmp_path, small_disk / "sequences.npy", SETTINGS, "windows")
    fill(small_disk, 100_000)
    full(small_disk, lambda: cutting.cut(*arguments))
    assert len(cutting.cut(*arguments)) == 1


@needs_models
def test_a_full_disk_at_masking(small_disk, corpus):
    clips = cremad.list_clips(corpus / "cremad")[0].sort_values("actor")
    first, second = (clips[clips["actor"] == actor] for actor in clips["actor"].unique())
    mask(first.iloc[:1], small_disk)
    fill(small_disk, 50_000)
    full(small_disk, lambda: mask(pd.concat([first.iloc[:1], second.iloc[:1]]), small_disk))
    (small_disk / f"{first['actor'].iloc[0]}.npz").unlink()


def test_a_full_disk_at_training(task, small_disk, tmp_path):  # noqa: F811
    loop.train(tmp_path / "run", epochs=3, **task)
    loop.train(small_disk / "run", epochs=2, **task)
    fill(small_disk, 20_000)
    full(small_disk, lambda: loop.train(small_disk / "run", epochs=3, **task))
    loop.train(small_disk / "run", epochs=3, **task)
    assert (small_disk / "run/history.csv").read_bytes() == (tmp_path / "run/history.csv").read_bytes()


def test_a_full_disk_at_the_network_file(task, small_disk):  # noqa: F811
    loop.train(small_disk / "run", epochs=1, **task)
    model = loop.load_model(small_disk / "run/model.keras")
    fill(small_disk, 20_000)

    def write():
        with written_atomically(small_disk / "run/model.keras") as temporary:
            model.save(temporary)

    full(small_disk, write)
    assert loop.load_model(small_disk / "run/model.keras").get_weights()


def test_a_folder_that_cannot_be_written(task, read_only, caplog):  # noqa: F811
    state = State("x", np.zeros((1, 4)), [], [], [])
    calls = [
        lambda: loop.train(read_only / "run", epochs=1, **task),
        lambda: save(state, read_only),
        lambda: written_atomically(read_only / "done.csv").__enter__(),
    ]
    for call in calls:
        with pytest.raises(InputProblem, match="cannot be written .*make its folder writable") as raised:
            call()
        assert "\n" not in str(raised.value)
    caplog.clear()
    assert runner.main([str(ROOT / "notebooks/01_dataset_audit.ipynb"), str(read_only / "run")]) == 1
    assert len(caplog.records) == 1 and "cannot be written" in caplog.text
    command = [sys.executable, "-m", "lib.run.workflow", "--cores", "1", "--config", "study=tiny"]
    environment = os.environ | {"STUDY_WORKSPACE": str(read_only)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "cannot be written" in done.stderr
    assert [path.name for path in read_only.iterdir()] == ["done.csv"]


# --- damaged files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["cut", "other", "empty"])
def test_a_damaged_cache_is_named_with_what_to_do(tmp_path, damage):
    """Faces (the masking makes them anew: test_faces.py) and sequences; checkpoints: test_training.py."""
    clips, faces = few_faces(tmp_path)
    array = tmp_path / "sequences.npy"
    cutting.cut(clips, faces, tmp_path, array, SETTINGS, "windows").to_csv(tmp_path / "sequences.csv", index=False)
    whole = array.read_bytes()
    for path, call in (
        (array, lambda: cutting.load(tmp_path)),
        (tmp_path / "1.npz", lambda: cutting.cut(clips, faces, tmp_path, array, SETTINGS, "windows")),
    ):
        content = path.read_bytes()
        path.write_bytes({"cut": content[: len(content) // 2], "other": bytes(9999), "empty": b""}[damage])
        with pytest.raises(InputProblem, match=rf"{path.name}: .*; delete it and .*run again") as raised:
            call()
        assert "\n" not in str(raised.value)
        path.write_bytes(content)
    assert array.read_bytes() == whole, "what was finished stays"
