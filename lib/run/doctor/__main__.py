"""``python -m lib.run.doctor``: the command behind ``make doctor``."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lib.base.paths import relative
from lib.base.problems import InputProblem
from lib.corpora.registry import CORPORA
from lib.run.doctor import OK, WRONG, Finding
from lib.run.doctor.corpora import check_runs, check_study
from lib.run.doctor.machine import WAIT, ask_tensorflow, check_machine, check_model_files, check_workflow
from lib.study import load

SAMPLE, REAL = "The sample", "The paper's corpora"


def next_command(sections: dict[str, list[Finding]], folders: dict[str, Path]) -> str:
    """The next command to run."""
    everything = [finding for findings in sections.values() for finding in findings]
    for finding in everything:
        if finding.command == WAIT:
            return WAIT
    for finding in everything:
        if finding.subject == "config":
            return "correct the file named under config"
        if finding.blocks and finding.command:
            return finding.command
    if any(finding.mark != OK for finding in sections[SAMPLE] if finding.subject == "sample study"):
        return "make reproduce"
    for finding in everything:
        if finding.mark != OK and finding.command:
            return finding.command
    return "make paper " + " ".join(f"{corpus.upper()}={relative(path)}" for corpus, path in folders.items())


def examine(
    config: str = "paper",
    folders: dict[str, str | None] | None = None,
    *,
    checksums: bool = False,
    tensorflow: bool = True,
) -> tuple[dict[str, list[Finding]], dict[str, Path]]:
    """All findings by section, with the two studies last; and the folders of the paper's corpora.

    Parameters
    ----------
    config
        The study on the paper's corpora.
    folders
        Folders of its corpora, in place of those in its file.
    checksums
        Whether to read every video and compare its SHA-256, which takes minutes.
    tensorflow
        Whether to ask TensorFlow for GPUs.
    """
    probe = ask_tensorflow() if tensorflow else None
    sections: dict[str, list[Finding]] = {"This machine": []}
    places: dict[str, Path] = {}
    loaded = []
    studies = {SAMPLE: ("sample", {}), REAL: (config, folders)}
    for section, (name, chosen) in studies.items():
        findings = sections[section] = []
        try:
            study = load(name, chosen)
            loaded.append(study)
        except InputProblem as problem:
            findings.append(Finding(WRONG, "config", str(problem), blocks=name == "sample"))
            continue
        for corpus in study.corpora:
            findings += check_study(study, corpus, checksums)
        findings.append(check_runs(study))
        places = {corpus: entry["folder"] for corpus, entry in study.corpora.items()}
    sections["This machine"] = [*check_machine(probe, loaded), *check_model_files(), check_workflow()]
    return sections, places


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; return 0 if the sample study can be run."""
    parser = argparse.ArgumentParser(prog="python -m lib.run.doctor", description=__doc__)
    parser.add_argument("--config", default="paper", help="study on the paper's corpora [paper]")
    for corpus in CORPORA.values():
        parser.add_argument(f"--{corpus.name}", help=f"folder of {corpus.title}, instead of the study's")
    parser.add_argument("--checksums", action="store_true", help="read every video and compare its SHA-256")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    folders = {corpus: getattr(options, corpus) for corpus in CORPORA}
    sections, places = examine(options.config, folders, checksums=options.checksums)
    width = max(len(finding.subject) for findings in sections.values() for finding in findings)
    for section, findings in sections.items():
        sys.stdout.write(f"{section}\n")
        for finding in findings:
            sys.stdout.write(f"  {finding.mark:<8} {finding.subject:<{width}}  {finding.text}\n")
    sys.stdout.write(f"\nNext: {next_command(sections, places)}\n")
    return int(any(finding.blocks for findings in sections.values() for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
