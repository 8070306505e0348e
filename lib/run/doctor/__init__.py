"""What is there, what is missing, what is wrong, and the next command to type: ``python -m lib.run.doctor``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

OK, MISSING, WRONG = "ok", "missing", "wrong"


@dataclass(frozen=True)
class Finding:
    """One line: `mark` (ok, missing or wrong), of what, what was found, and the `command` that helps.

    A finding that `blocks` keeps the sample study from running.
    """

    mark: str
    subject: str
    text: str
    command: str = ""
    blocks: bool = False


def some(names: Iterable[object], most: int = 5) -> str:
    """The first of `names` and how many more there are."""
    texts = [str(name) for name in names]
    return ", ".join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")
