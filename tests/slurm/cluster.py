"""A real Slurm of one node, this one, for as long as a `with` block lasts: Debian's packages, no accounting."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CONFIGURATION = Path("/etc/slurm")
FILES = ("slurm.conf", "cgroup.conf")
OURS = "# written by tests/slurm/cluster.py of the reproducibility study; may be deleted\n"
PACKAGES = ("munge", "slurm-wlm")
DAEMONS = ("munged", "slurmctld", "slurmd")

# No cgroups, since a container lacks a tree of its own: processes are found by their parents.
SLURM_CONF = """\
ClusterName=study
SlurmctldHost={host}({address})
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
KillWait=5
NodeName={host} NodeAddr={address} {hardware} State=UNKNOWN
PartitionName=study Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def run(*command: str, **options) -> str:
    """Give what a command prints; end with its complaint where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def install() -> None:
    """Install what is missing of Slurm and munge."""
    if os.geteuid() != 0:
        sys.exit("make test-slurm installs and starts Slurm's daemons: run it as root, best in a container.")
    if not all(map(shutil.which, DAEMONS)):
        if not shutil.which("apt-get"):
            sys.exit("make test-slurm installs Slurm with apt-get, which is not here: run it on Debian or Ubuntu.")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "--quiet", env=environment)
        run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *PACKAGES, env=environment)


def configure(folder: Path) -> int:
    """Write the configuration of this node, with Slurm's files in `folder`; give the number of its CPUs."""
    CONFIGURATION.mkdir(exist_ok=True)
    for name in FILES:
        file = CONFIGURATION / name
        if file.exists() and not file.read_text().startswith(OURS):
            sys.exit(f"{file} belongs to a Slurm of this machine, which is not touched: run this in a container.")
    # "NodeName=vm CPUs=2 Boards=1 ... RealMemory=24103", then the time since the start
    hardware = run("slurmd", "-C").splitlines()[0].split()[1:]
    host = socket.gethostname().split(".")[0]
    values = {"host": host, "address": "127.0.0.1", "folder": folder, "hardware": " ".join(hardware)}
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    (CONFIGURATION / "slurm.conf").write_text(OURS + SLURM_CONF.format(**values))
    # "slurm-wlm 22.05.8"; later ones look for cgroups unless the file forbids it, earlier ones do not know the option
    if tuple(map(int, run("slurmd", "-V").split()[1].split(".")[:2])) >= (23, 11):
        (CONFIGURATION / "cgroup.conf").write_text(OURS + "CgroupPlugin=disabled\n")
    return int(dict(part.split("=") for part in hardware)["CPUs"])


def wait_for(what: str, condition, seconds: float, *logs: Path) -> None:
    """Return once `condition()` holds; after `seconds`, end with the logs."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            tails = [f"--- {log}\n{log.read_text(errors='replace')[-3000:]}" for log in logs if log.exists()]
            sys.exit("\n".join([f"{what} did not happen within {seconds:.0f} s.", *tails]))
        time.sleep(0.5)


def succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def idle() -> bool:
    done = subprocess.run(["sinfo", "--noheader", "--format=%T"], capture_output=True, text=True, check=False)
    return done.stdout.strip() == "idle"


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[int]:
    """Install, configure and start Slurm, with its state and logs in `folder`; stop it whatever happens.

    Gives the number of CPUs.
    """
    install()
    with contextlib.ExitStack() as stack:
        for name in FILES:
            stack.callback(remove_ours, CONFIGURATION / name)
        cpus = configure(folder)
        logs = {name: folder / f"{name}.log" for name in DAEMONS}

        def start(*command: str, **user) -> None:
            output = stack.enter_context(open(logs[command[0]], "w"))
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **user)
            stack.callback(stop, process)

        if not succeeds("munge", "--no-input"):  # a systemd starts it when it is installed
            socket_folder = Path("/run/munge")
            socket_folder.mkdir(mode=0o755, exist_ok=True)
            shutil.chown(socket_folder, "munge", "munge")
            start("munged", "--foreground", user="munge", group="munge", extra_groups=[])
            wait_for("munged's first credential", lambda: succeeds("munge", "--no-input"), 30, logs["munged"])
        start("slurmctld", "-D")
        start("slurmd", "-D")
        wait_for("the node's first report", idle, 30, *logs.values())
        stack.callback(cancel_all)
        yield cpus


def cancel_all() -> None:
    """Cancel what a failed test left; a job outlives its slurmd."""
    if not idle():
        succeeds("scancel", "--user", "root")
        wait_for("the end of all jobs", idle, 30)


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def remove_ours(file: Path) -> None:
    if file.exists() and file.read_text().startswith(OURS):
        file.unlink()
