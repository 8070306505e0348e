"""The tiny study on a real Slurm, interrupted and with a job cancelled, against a local run: `make test-slurm`.

All metrics and predictions must be byte-equal. The trainings use one thread in both, as everywhere.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cluster import slurm, wait_for

from lib.base.paths import ROOT
from lib.study import load

SECONDS = 2400
TRAININGS = len(load("tiny").trainings)
COMPARED = ("metrics.json", "predictions.csv", "transfer_predictions.csv", "history.csv")


@contextlib.contextmanager
def study(workspace: Path, profile: str, *options: str) -> Iterator[subprocess.Popen]:
    """Start the tiny study in `workspace`, log its output next to it; interrupt it if the block ends early."""
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", str(ROOT / "workflow/profiles" / profile)]
    command += ["--snakefile", str(ROOT / "workflow/Snakefile"), "--directory", str(workspace)]
    # only the variable says where the workspace is: the jobs see it or their files lie elsewhere
    environment = {**os.environ, "STUDY_WORKSPACE": str(workspace)}
    with open(log_of(workspace), "a") as log:
        process = subprocess.Popen(
            [*command, *options, "--config", "study=tiny"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


def log_of(workspace: Path) -> Path:
    return workspace.with_suffix(".log")


def finish(process: subprocess.Popen, workspace: Path) -> None:
    try:
        code = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        code = f"none within {SECONDS} s"
    if code:
        sys.exit(f"{log_of(workspace).read_text()[-6000:]}\nSnakemake in {workspace} ended with exit code {code}.")


def queue(state: str = "all") -> list[tuple[str, str]]:
    """List the pending and running jobs as (number, comment); the plugin puts the rule into the comment."""
    command = ["squeue", "--noheader", "--format=%i|%k"]
    command += [] if state == "all" else ["--states", state]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    return [tuple(line.split("|", 1)) for line in lines if line]


def training() -> str | None:
    """Give the number of a training that runs."""
    return next((number for number, comment in queue("running") if "train_cell" in comment), None)


def say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def disturbed(workspace: Path, cpus: int) -> None:
    """Run the study on Slurm: Ctrl-C in the trainings, the same call again, a training cancelled there."""
    options = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"]
    options += ["--set-threads", f"render_corpus={cpus}", f"mask_faces={cpus}"]
    runs = workspace / "papermill_runs/tiny/04_training_run"

    with study(workspace, "slurm", *options) as process:
        wait_for("the first epoch", lambda: process.poll() is not None or list(runs.glob("*/history.csv")), SECONDS)
        if process.poll() is not None:
            finish(process, workspace)
            sys.exit("The study ended before it could be interrupted.")
        process.send_signal(signal.SIGINT)
        code = process.wait(180)
        wait_for("an empty queue", lambda: not queue(), 60)
    done = len(list(runs.glob("*/metrics.json")))
    say(f"interrupted in the trainings: exit code {code}, queue empty, {done} of {TRAININGS} trainings done")

    with study(workspace, "slurm", *options) as process:
        wait_for("a running training", lambda: process.poll() is not None or training(), SECONDS)
        number = training()
        if number:
            subprocess.run(["scancel", number], check=True)
            say(f"job {number}, a training, cancelled under Snakemake")
        finish(process, workspace)
    log = log_of(workspace).read_text()
    if f"SLURM-job '{number}' failed, SLURM status is: 'CANCELLED'" not in log:
        sys.exit(f"Snakemake did not notice that job {number} was cancelled; see above:\n{log[-6000:]}")
    jobs = len({line.split()[-1] for line in log.split("\n") if "has been submitted with SLURM jobid" in line})
    say(f"the second call finished the study, the cancelled training was tried again ({jobs} jobs in both calls)")


def compare(local: Path, cluster: Path) -> None:
    """End with the names of the files that differ, or say how many are equal."""
    files = {
        folder: {str(file.relative_to(folder)): file for name in COMPARED for file in folder.rglob(name)}
        for folder in (local / "papermill_runs", cluster / "papermill_runs")
    }
    ours, theirs = files.values()
    differing = [n for n in sorted(ours | theirs) if n not in ours or n not in theirs or not same(ours[n], theirs[n])]
    if differing or not ours:
        sys.exit(
            f"{len(differing)} of {len(ours | theirs)} files differ between Slurm and here: {', '.join(differing)}"
        )
    metrics = sum(name.endswith("metrics.json") for name in ours)
    say(f"equal: {metrics} metrics.json, {len(ours) - metrics} tables of histories and predictions")


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that the daemons are stopped
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's children would ignore Ctrl-C
    with tempfile.TemporaryDirectory(prefix="study-slurm-") as folder:
        local, cluster, state = (Path(folder) / name for name in ("local", "cluster", "state"))
        for path in (local, cluster, state):
            path.mkdir()
        with slurm(state) as cpus:
            say(f"Slurm runs on this node, {cpus} CPUs")
            start = time.monotonic()
            disturbed(cluster, cpus)
            say(f"on Slurm: {time.monotonic() - start:.0f} s")
        start = time.monotonic()
        with study(local, "default") as process:
            finish(process, local)
        say(f"here: {time.monotonic() - start:.0f} s")
        compare(local, cluster)


if __name__ == "__main__":
    main()
