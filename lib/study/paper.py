"""What the paper states and what it leaves out, read from ``paper/``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
import yaml

from lib.base.paths import PAPER

CITATION = (
    "A. S. A. Hans and S. Rao, A CNN-LSTM based deep neural networks for facial emotion detection in videos, "
    "International Journal of Advances in Signal and Image Sciences 7(1), 11-20, 2021, "
    "doi:10.29284/ijasis.7.1.2021.11-20"
)


@dataclass(frozen=True)
class Assumption:
    """One thing that the paper leaves open: our `value`, `where` in the paper, and the `reason`."""

    value: Any
    where: str
    reason: str


@cache
def assumptions() -> dict[str, Assumption]:
    """All assumptions of ``paper/assumptions.yaml``, by name; read once, so not to be changed."""
    with open(PAPER / "assumptions.yaml", encoding="utf-8") as file:
        return {name: Assumption(**entry) for name, entry in yaml.safe_load(file).items()}


def table(name: str) -> pd.DataFrame:
    """The paper's published figures ``paper/<name>.csv``; an empty cell is one that we do not know."""
    return pd.read_csv(PAPER / f"{name}.csv", comment="#")
