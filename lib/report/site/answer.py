"""The facts of the opening page: what is known of the paper's claims from its own numbers, and from trainings."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from lib.base.paths import in_workspace
from lib.claims import audit
from lib.claims.verdicts import VERDICTS
from lib.report.site.comparison import Comparison, Share, Table
from lib.study import Study, results
from lib.study.metrics import read_metrics

#: Claims shown on the opening page, by their id in ``paper/claims.csv``.
OPENING = ("A01", "A02", "N06", "T10", "F07", "P15")

#: Verdicts of ``claims.csv`` as phrases, for one statement and for several.
PHRASES = {
    "consistent": ("agrees", "agree"),
    "corrected": ("does not hold", "do not hold"),
    "inconsistent": ("does not hold", "do not hold"),
    "unknown": ("cannot be known", "cannot be known"),
}


@dataclass(frozen=True)
class Answer:
    """Facts of the opening page.

    Attributes
    ----------
    cremad, ravdess
        The paper's two accuracies in percent, as printed.
    statements
        Number of statements that notebook 08 checked, by the second phrase in `PHRASES`.
    claims
        For each of `OPENING`: statement, printed value (empty if it is in the statement), first of `PHRASES`, result.
    crowd
        Accuracy of CREMA-D's raters, the plurality of each clip, in percent.
    verdicts
        The study's verdicts.csv; for a rendered study it has only which rules ran.
    counts
        Number of verdicts, by `lib.claims.verdicts.VERDICTS`; for a rendered study, of rules that ran and did not run.
    test, transfer
        Right predictions of the study's best network.
    """

    cremad: str
    ravdess: str
    statements: dict[str, int]
    claims: tuple[tuple[str, str, str, str], ...]
    crowd: float
    verdicts: pd.DataFrame
    counts: dict[str, int]
    test: Share
    transfer: Share

    def table(self, study: Study) -> Table:
        """The verdicts; for a rendered study only which rules ran, since drawn faces cannot test the paper's claims."""
        verdicts = self.verdicts.fillna({"reason": ""})
        if study.render is not None:
            counted = (verdicts["ran"] == "yes").groupby(verdicts["rule"], sort=False).agg(["sum", "size"])
            rows = tuple((rule, str(ran), str(of)) for rule, ran, of in counted.itertuples())
            return Table(f"{study.title}: the rules and whether they ran", (), ("rule", "ran", "of"), rows)
        judged: tuple[tuple[str, ...], ...] = tuple(
            (
                row.id,
                row.statement,
                row.verdict + (", close" if row.close else ""),
                _number(row.paper),
                _with_interval(row),
                row.reason,
            )
            for row in verdicts.itertuples()
        )
        caption = f"{study.title}: verdicts" if study.title else "Verdicts"
        return Table(caption, (), ("claim", "statement", "verdict", "paper", "ours", "why"), judged)


def _counts(verdicts: pd.DataFrame) -> dict[str, int]:
    if "ran" not in verdicts:
        return verdicts["verdict"].value_counts().reindex(VERDICTS, fill_value=0).to_dict()
    ran = verdicts["ran"].value_counts()
    return {"ran": int(ran.get("yes", 0)), "did not run": int(ran.get("no", 0))}


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.2f}"


def _with_interval(row) -> str:
    return _number(row.ours) + ("" if pd.isna(row.low) else f" ({row.low:.2f} to {row.high:.2f})")


def answer(study: Study, comparison: Comparison) -> Answer:
    """Collect the facts of the opening page from the tables and runs of `study`.

    Raises
    ------
    lib.base.problems.InputProblem
        If a table or run is missing.
    """
    text = audit.printed("text").set_index("name")["value"]
    claims = results.saved_table(study, "audit_claims", "paper").set_index("id")
    statements = dict.fromkeys((many for _, many in PHRASES.values()), 0)
    for verdict in claims["verdict"]:
        statements[PHRASES[verdict][1]] += 1
    shown = []
    for row in claims.loc[list(OPENING)].itertuples():
        stated = set(re.findall(r"\w+", f"{row.statement} not stated".lower()))
        printed = "" if stated.issuperset(re.findall(r"\w+", row.paper.lower())) else row.paper
        shown.append((row.statement, printed, PHRASES[row.verdict][0], row.result))
    verdicts = results.saved_table(study, "verdicts")
    return Answer(
        cremad=text["accuracy_cremad_abstract"],
        ravdess=text["accuracy_ravdess_abstract"],
        statements=statements,
        claims=tuple(shown),
        crowd=100 * read_metrics(in_workspace("papermill_runs/paper/09_human_baseline/default"))["plurality"],
        verdicts=verdicts,
        counts=_counts(verdicts),
        test=comparison.share(comparison.best[0], "test"),
        transfer=comparison.share(comparison.best[0], "transfer"),
    )
