"""Judge the paper's claims by a study's trainings, with the rules of ``paper/verdicts.yaml``, fixed beforehand.

A claim is *reproduced*, *not reproduced* or *cannot be tested*; `lib.claims.rules` says when.
"""

from __future__ import annotations

import pandas as pd

from lib.claims.evidence import Evidence, Missing
from lib.claims.rulebook import Rulebook, read
from lib.claims.rules import RULES
from lib.study import Study

VERDICTS = ("reproduced", "not reproduced", "cannot be tested")
VERDICT_COLUMNS = ["id", "claims", "rule", "statement", "paper", "ours", "low", "high", "difference", "margin"]
VERDICT_COLUMNS += ["verdict", "close", "reason"]


def judge(study: Study, rulebook: Rulebook | None = None) -> pd.DataFrame:
    """Judge every claim of ``paper/verdicts.yaml`` by the study's trainings.

    Parameters
    ----------
    rulebook
        The claims and rules; by default those of `lib.claims.rulebook.read`.

    Returns
    -------
    pandas.DataFrame
        `VERDICT_COLUMNS`, one row per claim in the order of the file. ``paper, ours, low, high`` are percent, nats, or
        the lead in points; ``difference`` is ours minus the paper's; ``verdict`` is one of `VERDICTS`; ``close`` is
        whether it is reproduced within half the margin. Missing numbers are NaN.

    Raises
    ------
    lib.base.problems.InputProblem
        If a finished training is damaged. Claims whose trainings are not done are not tested.
    """
    rulebook, evidence = rulebook or read(), Evidence(study)
    rows = []
    for entry in rulebook.entries:
        row = {"id": entry.id, "claims": ", ".join(entry.claims), "rule": entry.rule, "statement": entry.statement}
        row |= {"paper": entry.paper, "margin": entry.margin, "verdict": "cannot be tested", "close": False}
        try:
            finding = RULES[entry.rule](evidence, entry)
        except Missing as missing:
            row["reason"] = str(missing)
        else:
            row |= {"ours": finding.ours, "low": finding.low, "high": finding.high, "reason": finding.reason}
            row |= {"difference": round(finding.ours - entry.paper, 9), "close": finding.close}
            if finding.verdict is not None:
                row["verdict"] = VERDICTS[0 if finding.verdict else 1]
        rows.append(row)
    return pd.DataFrame(rows, columns=VERDICT_COLUMNS)


def runs(table: pd.DataFrame) -> pd.DataFrame:
    """The part of `judge`'s table that is shown for a rendered study: which rules ran, and why others did not."""
    ran = table["ours"].notna()
    shown = table[["id", "claims", "rule", "statement"]].assign(ran=ran.map({True: "yes", False: "no"}))
    return shown.assign(reason=table["reason"].where(~ran, ""))
