"""A table as Markdown text."""

from __future__ import annotations

import pandas as pd


def markdown(table: pd.DataFrame) -> str:
    """Markdown of `table` without its index: one line per row, whatever its cells contain."""
    text = table.astype(object).map(lambda cell: " ".join(str(cell).split()).replace("|", "\\|"))
    return text.to_markdown(index=False, tablefmt="github", stralign=None, disable_numparse=True)
