"""The command line of the modules that write a study's cards and site."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from lib.base.paths import relative
from lib.base.problems import InputProblem
from lib.study import Study, load

log = logging.getLogger("lib")


def of_study(
    module: str,
    description: str | None,
    write: Callable[[Study], list[Path]],
    arguments: list[str] | None,
    message: str = "%s",
) -> int:
    """Call `write` with the study that ``--study`` names, and log a `message` for each path that it returns.

    Returns
    -------
    int
        0, or 1 after one clear sentence about an input that cannot be used.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--study", default="sample", help="a file of config/, or a .yaml file")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        for path in write(load(chosen.study)):
            log.info(message, relative(path))
    except InputProblem as problem:
        log.error("%s", problem)
        return 1
    return 0
