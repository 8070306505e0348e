"""Display tables and findings in notebooks; the same numbers give the same bytes, for nbval."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from IPython.display import HTML, Markdown, display

from lib.study.cells import spelled

#: A learning rate is written as in the study's file, 0.00001 and not 1e-05.
RATES = {"learning_rate": spelled, "learning rate": spelled}


def show(
    table: pd.DataFrame,
    caption: str = "",
    formats: Mapping[str, str | Callable] | None = None,
    *,
    precision: int = 2,
    left: bool = False,
) -> None:
    """Display `table` without its index.

    Parameters
    ----------
    table
        At most seven columns are readable on a page.
    caption
        Text above the table.
    formats
        Formats of columns; learning rates need none.
    precision
        Decimals of all other fractions.
    left
        Whether to align text to the left.
    """
    known = {name: how for name, how in {**RATES, **(formats or {})}.items() if name in table.columns}
    styled = table.style.hide(axis="index").format(precision=precision, na_rep="")
    for name, how in known.items():
        styled = styled.format(how, subset=[name], na_rep="")
    if left:
        styled = styled.set_properties(**{"text-align": "left"})
    if caption:
        styled = styled.set_caption(caption)
    # pandas gives a table a random name; here the name follows from the content
    content = caption + table.to_csv(index=False)
    styled = styled.set_uuid(hashlib.sha256(content.encode()).hexdigest()[:8])
    display(HTML(styled.to_html()))


def finding(sentence: str, study_title: str = "") -> None:
    """Display the finding of a section; for a rendered study with a note that names the study."""
    note = f" (*Ours: {study_title}; nothing about the paper follows.*)" if study_title else ""
    display(Markdown(f"**Found:** {sentence}{note}"))


def tied(values: pd.Series, end: str = "max") -> str:
    """Labels of the highest of `values`, or with ``min`` of the lowest, all that are equal: ``"neutral and sad"``."""
    names = [str(name) for name in values.index[np.isclose(values, values.agg(end))]]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
