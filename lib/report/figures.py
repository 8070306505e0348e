"""One look for all figures; a figure is saved with the numbers behind it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib.figure import Figure

from lib.base.files import write_table, written_atomically
from lib.base.paths import relative, workspace

#: One colour per thing, in every figure; those of the emotions are `lib.base.emotions.COLOURS`.
PARTS = {"train": "#C7B7E0", "validation": "#8467B5", "test": "#3F2A6B"}
SOURCES = {"paper": "#000000", "ours": "#882255", "crowd": "#999933"}
SEXES = {"female": "#A6611A", "male": "#DFC27D"}


def use_style() -> None:
    """Set the style of every figure of the series."""
    sns.set_theme(context="notebook", style="ticks", palette="colorblind")
    plt.rcParams.update(
        {
            "figure.figsize": (8.0, 4.5),
            "figure.dpi": 80,
            "savefig.dpi": 150,
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "legend.frameon": False,
            "svg.hashsalt": "study",
        }
    )


def titled(title: str, study_title: str) -> str:
    """`title` with the study's word in front: ``"synthetic sample: ..."``; unchanged where that is empty."""
    return f"{study_title}: {title}" if study_title else title


def announce(study_title: str) -> None:
    """Say above a notebook's tables of which world they are; nothing where `study_title` is empty."""
    if study_title:
        display(Markdown(f"> **All our numbers below are of the {study_title}; nothing about the paper follows.**"))


def confusion_figure(matrix: pd.DataFrame, title: str) -> Figure:
    """Draw a confusion matrix: counts, shaded by the share of the row, so that the diagonal's shade is the recall."""
    figure, axis = plt.subplots(figsize=(6.4, 5.2))
    shares = matrix.div(matrix.sum(axis=1).clip(lower=1), axis=0)
    sns.heatmap(
        shares, annot=matrix, fmt="d", cmap="Blues", vmin=0, vmax=1, square=True, ax=axis,
        cbar_kws={"label": "share of the true emotion"},
    )  # fmt: skip
    axis.set(xlabel="predicted emotion", ylabel="true emotion", title=title)
    axis.tick_params(axis="y", rotation=0)
    return figure


def save_figure(figure: Figure, data: pd.DataFrame, study: str, name: str) -> None:
    """Save `figure` as ``figures/<study>/<name>.png`` and ``.pdf`` with the `data` behind it as ``.csv``."""
    folder = workspace() / "figures" / study
    for suffix in (".png", ".pdf"):
        with written_atomically(folder / f"{name}{suffix}") as temporary:
            # no date in the file: the same figure is the same bytes
            figure.savefig(temporary, metadata={"CreationDate": None} if suffix == ".pdf" else None)
    write_table(data, folder / f"{name}.csv")


def save_table(data: pd.DataFrame, study: str, name: str) -> str:
    """Save `data` as ``tables/<study>/<name>.csv``; give its path as a reader should see it."""
    path = workspace() / "tables" / study / f"{name}.csv"
    write_table(data, path)
    return relative(path)
