"""Check what is installed, missing or wrong, and name the next command: ``python -m lib.run.doctor``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OK, MISSING, WRONG = "ok", "missing", "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the report: `mark` (ok, missing or wrong), subject, text, and the `command` that helps.

    A finding that `blocks` keeps the sample study from running.
    """

    mark: str
    subject: str
    text: str
    command: str = ""
    blocks: bool = False


def some(names: Iterable[object], most: int = 5) -> str:
    """The first of `names` as text, and how many more there are."""
    texts = [str(name) for name in names]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
