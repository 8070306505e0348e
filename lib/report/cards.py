"""Model card and data sheet of a study: ``python -m lib.report.cards --study NAME`` writes ``cards/NAME/*.md``.

The headings are those of Mitchell et al. 2019, Model cards for model reporting, doi:10.1145/3287560.3287596, and of
Gebru et al. 2021, Datasheets for datasets, doi:10.1145/3458723. The words stand in ``lib/report/templates``, the
numbers come from `lib.report.card_facts`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

from lib.base.files import write_text
from lib.base.paths import relative, workspace
from lib.base.problems import InputProblem
from lib.report.card_facts import corpus_facts, limits, model_facts, percent
from lib.study import Study, load
from lib.study.cells import spelled
from lib.study.paper import CITATION

log = logging.getLogger("lib.report.cards")

CARDS = ("model_card", "data_sheet")


def markdown(table: pd.DataFrame) -> str:
    """`table` as a Markdown table, without its index."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.astype(object).to_numpy().tolist()]
    cells = [[" ".join(str(cell).split()).replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def rendered(study: Study) -> dict[str, str]:
    """The text of each card, by its name in `CARDS`; raises as `lib.report.card_facts` does."""
    words = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    words.filters |= {"markdown": markdown, "percent": percent, "spelled": spelled}
    words.filters["limits"] = lambda found: limits(found["low"], found["high"])
    facts = {
        "study": study,
        "synthetic": study.render is not None,
        "settings": study.settings,
        "citation": CITATION,
        "corpora": {corpus: corpus_facts(study, corpus) for corpus in study.corpora},
        "model": model_facts(study),
    }
    try:
        return {card: words.get_template(f"{card}.md.j2").render(facts) for card in CARDS}
    except UndefinedError as error:
        problem = f"holds a metrics.json that lacks what the cards tell ({error})"
        raise InputProblem(study.runs(""), problem, "delete it and run the study again") from None


def write(study: Study) -> list[Path]:
    """Write ``cards/<study>/model_card.md`` and ``data_sheet.md``; give their paths."""
    texts = rendered(study)
    paths = {card: workspace() / "cards" / study.name / f"{card}.md" for card in CARDS}
    for card, path in paths.items():
        write_text(path, texts[card])
    return list(paths.values())


def main(arguments: list[str] | None = None) -> int:
    """Write the cards of a study; 1 and one clear sentence if a run is missing."""
    parser = argparse.ArgumentParser(prog="python -m lib.report.cards", description=__doc__)
    parser.add_argument("--study", default="sample", help="a file of config/, or a .yaml file")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        for path in write(load(chosen.study)):
            log.info("%s", relative(path))
    except InputProblem as problem:
        log.error("%s", problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
