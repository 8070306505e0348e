"""Build a study's site: ``python -m lib.report.site --study NAME``."""

from __future__ import annotations

import argparse
import logging
import sys

from lib.base.paths import relative
from lib.base.problems import InputProblem
from lib.report.site.build import build
from lib.study import load

log = logging.getLogger("lib")


def main(arguments: list[str] | None = None) -> int:
    """Build the site; 1 and one clear sentence if something that it shows is missing."""
    parser = argparse.ArgumentParser(prog="python -m lib.report.site", description=__doc__)
    parser.add_argument("--study", default="sample", help="a file of config/, or a .yaml file")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        site = build(load(chosen.study))
    except InputProblem as problem:
        log.error("%s", problem)
        return 1
    log.info("The site is built: open %s/index.html", relative(site))
    return 0


if __name__ == "__main__":
    sys.exit(main())
