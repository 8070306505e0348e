"""What the paper states and what it leaves open, read from ``paper/``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from lib.base.paths import PAPER
from lib.base.problems import InputProblem
from lib.base.tables import pd
from lib.corpora.records import committed

CITATION = (
    "A. S. A. Hans and S. Rao, A CNN-LSTM based deep neural networks for facial emotion detection in videos, "
    "International Journal of Advances in Signal and Image Sciences 7(1), 11-20, 2021, "
    "doi:10.29284/ijasis.7.1.2021.11-20"
)


@dataclass(frozen=True)
class Assumption:
    """One setting: its `value`, `where` in the paper, the `reason`, and whether the paper has `stated` it."""

    value: Any
    where: str
    reason: str
    stated: bool


@cache
def assumptions() -> dict[str, Assumption]:
    """All settings of ``paper/assumptions.yaml`` by name, those stated first. Do not modify: it is read once.

    Raises
    ------
    InputProblem
        If the file is missing, no YAML, or has another form.
    """
    path = PAPER / "assumptions.yaml"
    try:
        lists = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {
            name: Assumption(**entry, stated=key == "stated")
            for key in ("stated", "open")
            for name, entry in lists[key].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputProblem(path, f"cannot be read ({reason})", "run `git checkout paper`") from None


def table(name: str) -> pd.DataFrame:
    """Read ``paper/<name>.csv``, what the paper prints, as numbers."""
    return pd.read_csv(committed(f"{name}.csv", PAPER), comment="#")
