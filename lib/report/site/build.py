"""Build the site in a new folder, which replaces the old one when it is complete."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lib.base.emotions import EMOTIONS
from lib.base.files import telling_unwritable, write_text
from lib.base.paths import ROOT, workspace
from lib.base.problems import InputProblem
from lib.base.templates import environment
from lib.report.site.answer import answer
from lib.report.site.collect import copy_cards, copy_files, write_notebooks
from lib.report.site.comparison import Comparison
from lib.report.site.picture import points, study_shown
from lib.study import Study
from lib.study.publication import CITATION
from lib.study.steps import verify_results

log = logging.getLogger("lib")
PAGES = ROOT / "pages"
_UNUSED = ("*.map", "webpack-macros.html")  # files of the theme that only its developers need


def section(text: str, title: str) -> str:
    """The part of the Markdown `text` below ``## title``, without that line; empty if there is none."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return match.group(1).strip() if match else ""


def commands(text: str) -> str:
    """The first block of shell commands in the Markdown `text`."""
    match = re.search(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return match.group(1).rstrip() if match else ""


def within_site(text: str) -> str:
    """The README's Markdown `text` with links to the site's notebooks; links to other files become plain text."""
    text = re.sub(r"\]\(notebooks/(\w+)\.ipynb\)", r"](notebooks/\1)", text)
    return re.sub(r"\[([^\]]+)\]\((?!https?:|notebooks/\w+\))[^)]*\)", r"\1", text)


def write_sources(study: Study, folder: Path) -> None:
    """Write everything that Sphinx reads into the empty `folder`.

    Raises
    ------
    lib.base.problems.InputProblem
        If a run, table or notebook of the study is missing or damaged.
    """
    comparison = Comparison(study)
    known, (shown, below) = answer(study, comparison), study_shown(study)
    series = write_notebooks(study, comparison.best[0], folder / "notebooks")
    how = within_site(section((ROOT / "README.md").read_text(encoding="utf-8"), "Run it"))
    facts = {
        "study": study,
        "comparison": comparison,
        "answer": known,
        "points": points(shown, below, known.crowd),
        "shown": shown,
        "series": series,
        "cards": copy_cards(study, folder / "cards"),
        "files": copy_files(study, folder / "extra"),
        "how": how,
        "commands": commands(how),
        "emotions": EMOTIONS,
        "citation": CITATION,
    }
    templates = environment(PAGES)
    for template in PAGES.rglob("*.md.j2"):
        name = template.relative_to(PAGES).as_posix()
        if name.startswith("cards/") and not facts["cards"]:
            continue
        write_text(folder / name.removesuffix(".j2"), templates.get_template(name).render(facts))
    for name in ("conf.py", "_static"):
        copy = shutil.copytree if (PAGES / name).is_dir() else shutil.copy
        copy(PAGES / name, folder / name)


def run_sphinx(sources: Path, pages: Path) -> str:
    """Build `pages` from `sources`; return Sphinx's warnings, with file names relative to `sources`.

    Raises
    ------
    lib.base.problems.InputProblem
        If Sphinx fails.
    """
    command = [sys.executable, "-m", "sphinx", "--quiet", "--no-color", "-b", "html", "-d"]
    command += [str(sources / ".doctrees"), str(sources), str(pages)]
    environment = {**os.environ, "TMPDIR": str(sources)}  # where it writes the log of a failure
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    messages = done.stderr.replace(f"{sources}{os.sep}", "").strip()
    if done.returncode:
        raised = [line.strip() for line in messages.splitlines() if "Error: " in line] or [messages]
        raise InputProblem(pages, f"cannot be built ({raised[-1]})", "correct what Sphinx names and build again")
    return messages


def build(study: Study, to: Path | None = None) -> Path:
    """Build the site of `study` in the folder `to` (by default ``site/`` of the workspace), in place of an older one.

    Raises
    ------
    lib.base.problems.InputProblem
        If something of the study is missing or damaged, Sphinx fails, or `to` cannot be written.
    """
    verify_results(study)
    to = to or workspace() / "site"
    with telling_unwritable(to):
        scratch = to.with_name(f".{to.name}.building")
        shutil.rmtree(scratch, ignore_errors=True)  # left by a killed build
        try:
            (scratch / "sources").mkdir(parents=True)
            write_sources(study, scratch / "sources")
            if warnings := run_sphinx(scratch / "sources", scratch / "pages"):
                log.warning("%s", warnings)
            for pattern in _UNUSED:
                for path in (scratch / "pages" / "_static").rglob(pattern):
                    path.unlink()
            if to.exists():
                to.rename(scratch / "old")
            (scratch / "pages").rename(to)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return to
