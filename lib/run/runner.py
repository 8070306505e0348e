"""Execute a notebook with papermill: ``python -m lib.run.runner NOTEBOOK FOLDER -p NAME VALUE ...``.

A run is done if the exit code is 0 and the folder has a ``metrics.json``: papermill itself also reports a run as
completed whose kernel died. The executed notebook gets its name only when it is done; a failed one is kept as
``notebook.failed.ipynb``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml
from traitlets.config import Config

from lib.base.checksums import NAME, seal
from lib.base.files import telling_unwritable, temporary_folder, write_text
from lib.base.paths import ROOT, relative
from lib.base.problems import InputProblem
from lib.base.processes import end_with_run

log = logging.getLogger("lib.run.runner")
#: Prefix of the folders of kernels' files, in the temporary folder: the path of a socket has at most 100 characters.
KERNELS = Path(tempfile.gettempdir()) / f"study-kernel-{os.getuid()}"
STARTS = 3  # of a kernel that dies before its first answer


@contextmanager
def kernel_files() -> Iterator[Config]:
    """Configure a kernel to use sockets in its own folder: kernels that start at once compete for network ports."""
    folder, lock = temporary_folder(KERNELS)  # also removes those of killed runs
    try:
        yield Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/ipc"}})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def source_digest(notebook: Path) -> str:
    """SHA-256 of the notebook's sources and alternative texts; executing the notebook does not change it."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    written = [("".join(cell["source"]), cell["metadata"].get("mystnb")) for cell in cells]
    return hashlib.sha256(repr(written).encode()).hexdigest()


def check_parameters(notebook: Path, parameters: dict[str, Any]) -> None:
    """Raise InputProblem for a parameter that `notebook` does not have; papermill only warns."""
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise InputProblem(notebook, f"has no parameter {', '.join(unknown)}", f"use {', '.join(known)}")


def run(notebook: Path, folder: Path, parameters: dict[str, Any], leaves: Iterable[Path] = ()) -> None:
    """Execute `notebook` with `parameters`, into ``folder/notebook.ipynb``; write the checksums of what it leaves.

    Parameters
    ----------
    leaves
        The files that it must write in addition to metrics.json, tables and figures elsewhere included.

    Raises
    ------
    lib.base.problems.InputProblem
        For an unknown parameter, and if the notebook ends without its ``metrics.json`` or one of `leaves`.
    papermill.PapermillExecutionError
        If a cell fails.
    """
    check_parameters(notebook, parameters)
    metrics = folder / "metrics.json"
    with telling_unwritable(metrics):
        folder.mkdir(parents=True, exist_ok=True)
        metrics.unlink(missing_ok=True)
        (folder / NAME).unlink(missing_ok=True)
    write_text(folder / "params.yaml", yaml.safe_dump(parameters, sort_keys=True))
    unfinished, failed, done = (folder / n for n in ("notebook.part.ipynb", "notebook.failed.ipynb", "notebook.ipynb"))
    failed.unlink(missing_ok=True)
    try:
        with open(folder / "log.txt", "w", encoding="utf-8") as output:
            _execute(notebook, unfinished, parameters, output)
        if not metrics.exists():
            raise InputProblem(failed, "ended without metrics.json", "read it to see where it stopped")
    except BaseException:
        if unfinished.exists():
            os.replace(unfinished, failed)
        raise
    os.replace(unfinished, done)
    seal(folder / NAME, [metrics, done, folder / "params.yaml", *leaves])


def _execute(notebook: Path, output: Path, parameters: dict[str, Any], log_file: IO[str]) -> None:
    """Execute the notebook with papermill; restart a kernel that dies before its first answer."""
    import papermill
    from nbclient.exceptions import DeadKernelError

    for attempt in range(1, STARTS + 1):
        try:
            with kernel_files() as config:
                papermill.execute_notebook(
                    str(notebook),
                    str(output),
                    parameters,
                    kernel_name="python3",
                    progress_bar=False,
                    stdout_file=log_file,
                    stderr_file=log_file,
                    cwd=str(ROOT),
                    config=config,
                )
            return
        except DeadKernelError:  # while a cell runs, e.g. out of memory
            raise
        except RuntimeError as error:
            if attempt == STARTS:
                raise
            log.warning("%s: %s; starting it again (%d of %d)", notebook.name, error, attempt + 1, STARTS)


def main(arguments: list[str] | None = None) -> int:
    """Run one notebook; return 1 and log the reason if it fails."""
    parser = argparse.ArgumentParser(prog="python -m lib.run.runner", description=__doc__)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), dest="parameters")
    parser.add_argument("--leaves", nargs="*", type=Path, default=[], metavar="FILE", help="what it must leave")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("papermill").setLevel(logging.ERROR)
    log.setLevel(logging.INFO)
    started = time.monotonic()
    # values as YAML, as papermill's own -p reads them
    parameters = {name: yaml.safe_load(value) if value else "" for name, value in chosen.parameters}
    end_with_run()
    try:
        run(chosen.notebook, chosen.folder, parameters, chosen.leaves)
    except InputProblem as problem:
        log.error("%s", problem)
        return 1
    except Exception as error:
        last = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        log.error("%s failed: %s", chosen.notebook.name, last[0])
        failed = chosen.folder / "notebook.failed.ipynb"
        if failed.exists():
            log.error("see %s", relative(failed))
        return 1
    log.info("%s done in %.0f s", relative(chosen.folder), time.monotonic() - started)
    return 0


if __name__ == "__main__":
    sys.exit(main())
