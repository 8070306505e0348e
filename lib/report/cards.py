"""Model card and data sheet of a study: ``python -m lib.report.cards --study NAME`` writes ``cards/NAME/*.md``.

The headings are those of Mitchell et al. 2019, Model cards for model reporting, doi:10.1145/3287560.3287596, and of
Gebru et al. 2021, Datasheets for datasets, doi:10.1145/3458723. The text stands in ``lib/report/templates``, the
numbers come from `lib.report.card_facts`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jinja2 import UndefinedError

from lib.base.checksums import seal, seal_of
from lib.base.files import write_text
from lib.base.markdown import markdown
from lib.base.paths import workspace
from lib.base.problems import InputProblem
from lib.base.templates import environment
from lib.report.card_facts import corpus_facts, limits, model_facts, percent
from lib.report.command import of_study
from lib.study import Study
from lib.study.cells import spelled
from lib.study.publication import CITATION

CARDS = ("model_card", "data_sheet")


def rendered(study: Study) -> dict[str, str]:
    """The text of each card, by its name in `CARDS`; raises as `lib.report.card_facts` does."""
    templates = environment(
        Path(__file__).parent / "templates",
        markdown=markdown,
        percent=percent,
        spelled=spelled,
        limits=lambda estimate: limits(estimate["low"], estimate["high"]),
    )
    facts = {
        "study": study,
        "synthetic": study.render is not None,
        "settings": study.settings,
        "citation": CITATION,
        "corpora": {corpus: corpus_facts(study, corpus) for corpus in study.corpora},
        "model": model_facts(study),
    }
    try:
        return {card: templates.get_template(f"{card}.md.j2").render(facts) for card in CARDS}
    except UndefinedError as error:
        problem = f"holds a metrics.json without what the cards need ({error})"
        raise InputProblem(study.runs(""), problem, "delete it and run the study again") from None


def write(study: Study) -> list[Path]:
    """Write ``cards/<study>/model_card.md`` and ``data_sheet.md``; return their paths."""
    texts = rendered(study)
    paths = {card: workspace() / "cards" / study.name / f"{card}.md" for card in CARDS}
    seal_of(paths["model_card"]).unlink(missing_ok=True)
    for card, path in paths.items():
        write_text(path, texts[card])
    seal(seal_of(paths["model_card"]), paths.values())
    return list(paths.values())


def main(arguments: list[str] | None = None) -> int:
    """Write the cards of a study; return 1 and log one clear sentence if a run is missing."""
    return of_study("lib.report.cards", __doc__, write, arguments)


if __name__ == "__main__":
    sys.exit(main())
