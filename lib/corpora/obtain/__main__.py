"""``python -m lib.corpora.obtain cremad|ravdess|all``: the command behind ``make data``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lib.base.files import write_problems
from lib.base.paths import relative, workspace
from lib.base.problems import InputProblem
from lib.corpora.obtain import cremad, ravdess
from lib.corpora.registry import CORPORA

LISTED = 10


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if all files are there and verified, 1 if one is missing, 130 after Ctrl-C."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    corpora = _corpora(parser, options)
    folder = options.to if options.to else workspace() / "data" / "corpora"
    folders = {corpus: folder / corpus for corpus in corpora}
    if options.folder:
        if options.corpus == "all":
            parser.error("--folder goes with one corpus; name cremad or ravdess")
        folders = {options.corpus: options.folder}
    problems: list[InputProblem] = []
    for corpus in corpora:
        sys.stdout.write((cremad if corpus == "cremad" else ravdess).TERMS + "\n")
        sys.stdout.flush()
        try:
            problems += _obtain(corpus, folders[corpus], options)
        except InputProblem as problem:
            problems.append(problem)
        except KeyboardInterrupt:
            sys.stderr.write("\nStopped. Run the command again; it goes on from here.\n")
            return 130
    for one in problems[:LISTED]:
        sys.stderr.write(f"{one}\n")
    path = folders[corpora[0]].parent / "problems.csv"
    if problems:
        write_problems(problems, path)
        sys.stderr.write(f"{len(problems)} problems, listed in {relative(path)}. What is verified stays.\n")
        return 1
    path.unlink(missing_ok=True)  # of an earlier download
    where = " ".join(f"{corpus.upper()}={relative(folders[corpus])}" for corpus in corpora)
    sys.stdout.write(f"All there and verified. Next: make doctor, then make paper {where}\n")
    return 0


def _corpora(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """The corpora to obtain, without those of which no actor is named; argparse's error for an actor of none."""
    corpora = ["cremad", "ravdess"] if options.corpus == "all" else [options.corpus]
    records = [CORPORA[corpus] for corpus in corpora]
    for actor in options.actors or ():
        if not any(actor in record.actors for record in records):
            known = " or ".join(f"{record.title} ({record.actors[0]} to {record.actors[-1]})" for record in records)
            parser.error(f"argument --actors: {actor} is no actor of {known}")
    return [record.name for record in records if not options.actors or {*options.actors} & {*record.actors}]


def _obtain(corpus: str, folder: Path, options: argparse.Namespace) -> list[InputProblem]:
    actors = options.actors and [actor for actor in options.actors if actor in CORPORA[corpus].actors]
    common: dict[str, Any] = {"actors": actors, "progress": not options.quiet}
    if corpus == "ravdess":
        return ravdess.obtain(
            folder, zenodo=options.zenodo.rstrip("/"), all_modalities=options.all_modalities,
            keep_archives=options.keep_archives, **common,
        )  # fmt: skip
    chosen = cremad.REPOSITORIES.get(options.mirror, options.mirror)
    others = [url for url in cremad.REPOSITORIES.values() if url != chosen]
    repositories = [chosen, *(others if options.mirror in cremad.REPOSITORIES else [])]
    return cremad.obtain(folder, repositories=repositories, lfs=options.lfs, **common)


def _folder(text: str) -> Path:
    """Path of a folder named on the command line; argparse's error for the home of an unknown user."""
    path = os.path.expanduser(text)
    if path.startswith("~"):
        raise argparse.ArgumentTypeError(f"{text}: there is no such user; name the folder in full")
    return Path(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lib.corpora.obtain",
        description="Download the paper's corpora from their publishers, resume after an interruption, verify.",
    )
    parser.add_argument("corpus", choices=["cremad", "ravdess", "all"])
    parser.add_argument("--to", type=_folder, metavar="FOLDER", help="where cremad/ and ravdess/ go [data/corpora]")
    parser.add_argument(
        "--folder", type=_folder, help="the corpus' own folder instead, e.g. a clone with Git-LFS pointers"
    )
    parser.add_argument("--actors", type=int, nargs="+", metavar="N", help="only these, e.g. 1001 1002, or 1 2")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    crema = parser.add_argument_group("CREMA-D")
    crema.add_argument(
        "--mirror", default="github", metavar="NAME",
        help="github, gitlab, or a repository's address; the other is used if one fails [github]",
    )  # fmt: skip
    crema.add_argument("--lfs", nargs="+", metavar="URL", help="its Git-LFS server [the repository's own]")
    rav = parser.add_argument_group("RAVDESS")
    rav.add_argument("--all-modalities", action="store_true", help="unpack the video-only clips too")
    rav.add_argument("--keep-archives", action="store_true", help="keep the zip files (13 GB)")
    rav.add_argument("--zenodo", default=ravdess.ZENODO, metavar="URL", help=f"[{ravdess.ZENODO}]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
