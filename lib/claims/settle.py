"""The paper's claims (``paper/claims.csv``), each settled by a computation in notebook 08."""

from __future__ import annotations

import pandas as pd

from lib.base.markdown import markdown
from lib.base.paths import PAPER
from lib.corpora.records import committed

CLAIM_COLUMNS = ["id", "section", "statement", "paper", "check", "verdict", "result"]

#: Verdicts on a claim.
VERDICTS = {
    "consistent": "the numbers agree",
    "corrected": "does not hold; the right value follows",
    "inconsistent": "does not hold",
    "unknown": "cannot be known from the paper and CREMA-D's records",
}


class Claims:
    """All claims, and which of them are settled.

    A notebook calls `settle` with its result, which must equal that in ``claims.csv``. So a change of the computation
    or of the file is noticed.
    """

    def __init__(self, path=PAPER / "claims.csv"):
        self._claims = pd.read_csv(committed(path.name, path.parent), dtype=str, keep_default_na=False).set_index("id")
        self._settled: list[str] = []

    def settle(self, claim: str, holds: bool | None, result: str, *, right_value_follows: bool = False) -> None:
        """Settle `claim`.

        Parameters
        ----------
        claim
            Its id.
        holds
            Whether the claim holds; None if that cannot be known.
        result
            The result as text.
        right_value_follows
            For a claim that does not hold: the right value follows from the same numbers.

        Raises
        ------
        AssertionError
            If ``claims.csv`` states another verdict or result.
        """
        verdict = "unknown" if holds is None else "consistent" if holds else "inconsistent"
        if verdict == "inconsistent" and right_value_follows:
            verdict = "corrected"
        stated = self._claims.loc[claim]
        computed = {"verdict": verdict, "result": result}
        for column, value in computed.items():
            if stated[column] != value:
                raise AssertionError(f"{claim}: {column} is {value!r}, but claims.csv says {stated[column]!r}")
        self._settled.append(claim)

    def unsettled(self) -> list[str]:
        """Ids of the claims that are not settled yet."""
        return [claim for claim in self._claims.index if claim not in self._settled]

    def table(self) -> pd.DataFrame:
        """Table of the settled claims with `CLAIM_COLUMNS`, in the order of the file."""
        return self._claims.loc[[c for c in self._claims.index if c in self._settled]].reset_index()[CLAIM_COLUMNS]

    def markdown(self, verdict: str) -> str:
        """Settled claims of one `verdict` as a Markdown table: id, section, statement, the paper's value, result."""
        titles = {"id": "", "section": "section", "statement": "the paper says", "paper": "printed"}
        titles["result"] = "what comes out"
        return markdown(self.table().query("verdict == @verdict")[list(titles)].rename(columns=titles))

    def counts(self) -> pd.Series:
        """Count the settled claims by verdict, in the order of `VERDICTS`."""
        return self.table()["verdict"].value_counts().reindex(list(VERDICTS), fill_value=0)
