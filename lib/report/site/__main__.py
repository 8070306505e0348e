"""Build a study's site: ``python -m lib.report.site --study NAME``."""

from __future__ import annotations

import sys

from lib.report.command import of_study
from lib.report.site.build import build


def main(arguments: list[str] | None = None) -> int:
    """Build the site; 1 and one clear sentence if something that it shows is missing."""
    message = "The site is built: open %s"
    return of_study("lib.report.site", __doc__, lambda study: [build(study) / "index.html"], arguments, message)


if __name__ == "__main__":
    sys.exit(main())
