"""The style of all figures; a figure is saved with its numbers."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from IPython.display import Markdown, display
from matplotlib.axis import Axis
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import PercentFormatter

from lib.base.files import write_table, written_atomically
from lib.base.paths import relative, workspace

#: One colour per thing, in every figure; those of the emotions are `lib.base.emotions.COLOURS`.
PARTS = {"train": "#C7B7E0", "validation": "#8467B5", "test": "#3F2A6B"}
SOURCES = {"paper": "#000000", "ours": "#882255", "crowd": "#999933"}
SEXES = {"female": "#A6611A", "male": "#DFC27D"}
NETWORKS = {"5-layer": "#6CC5D2", "6-layer": "#23879A", "7-layer": "#0B4450"}
#: In addition to its colour, each network has a marker.
MARKERS = {"5-layer": "o", "6-layer": "s", "7-layer": "^"}
#: The deeper, the more: from little to much of the same thing, such as the spread between seeds.
SHADES = ("#E6C8D5", "#C890AB", "#A65A80", "#882255")


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


def in_percent(*axes: Axis) -> None:
    """Label fractions on these axes as percentages."""
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=None))


def black_markers(legend: Legend) -> None:
    """Draw the markers of `legend` in black, for points whose colours are those of the emotions."""
    for marker in legend.legend_handles:
        if isinstance(marker, Collection):
            hollow = np.asarray(marker.get_facecolor())[:, :3].min() == 1
            marker.set_edgecolor("black")
            marker.set_facecolor("white" if hollow else "black")


def titled(title: str, study_title: str) -> str:
    """`title` after the study's title: ``"synthetic sample: ..."``; unchanged if that is empty."""
    return f"{study_title}: {title}" if study_title else title


def announce(study_title: str) -> None:
    """Display above a notebook's tables that its corpora are rendered; nothing if `study_title` is empty."""
    if study_title:
        display(Markdown(f"> **All our numbers below are of the {study_title}; nothing about the paper follows.**"))


def confusion_figure(panels: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Draw confusion matrices in a row: count and share of the row in each cell, shaded by that share.

    Parameters
    ----------
    panels
        By the panel's title: rows true, columns predicted emotions. NaN where a cell is not known; a row with such a
        cell has no shares, unless its sum is given in a last column ``all``.
    title
        Of the figure.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(4.9 * len(panels) + 0.6, 5.0), squeeze=False)
    for axis, (name, table) in zip(axes[0], panels.items(), strict=True):
        matrix = table.drop(columns="all", errors="ignore").astype(float)
        totals = table["all"] if "all" in table else matrix.sum(axis=1)
        shares = matrix.div(totals.where(totals > 0), axis=0)
        text = [
            [
                "" if np.isnan(n) else f"{n:,.0f}\n" + ("" if np.isnan(x) else f"{100 * x:.0f} %")
                for n, x in zip(*row, strict=True)
            ]
            for row in zip(matrix.to_numpy(), shares.to_numpy(), strict=True)
        ]
        sns.heatmap(
            shares, annot=pd.DataFrame(text).to_numpy(), fmt="", cmap="Blues", vmin=0, vmax=1, square=True, ax=axis,
            cbar=False, annot_kws={"size": 10}, linewidths=0.5, linecolor="#DDDDDD",
        )  # fmt: skip
        axis.set_facecolor("#CCCCCC")  # cells that are not known
        axis.set(xlabel="predicted emotion", ylabel="true emotion" if axis is axes[0, 0] else "")
        axis.set_title(name, fontsize=11)
        axis.tick_params(axis="x", rotation=40)
        axis.tick_params(axis="y", rotation=0)
    figure.colorbar(axes[0, 0].collections[0], ax=axes[0].tolist(), label="share of the true emotion", shrink=0.7)
    figure.suptitle(title, fontsize="medium")
    return figure


def matrices_table(panels: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The numbers of `confusion_figure`: columns source, true and one per predicted emotion."""
    return pd.concat(
        {name.replace("\n", " "): table.rename_axis("true") for name, table in panels.items()}, names=["source"]
    ).reset_index()


def save_figure(figure: Figure, data: pd.DataFrame, study: str, name: str) -> None:
    """Save `figure` as ``figures/<study>/<name>.png`` and ``.pdf`` with the `data` behind it as ``.csv``."""
    folder = workspace() / "figures" / study
    for suffix in (".png", ".pdf"):
        with written_atomically(folder / f"{name}{suffix}") as temporary:
            # no date in the file: the same figure is the same bytes
            figure.savefig(temporary, metadata={"CreationDate": None} if suffix == ".pdf" else None)
    write_table(data, folder / f"{name}.csv")


def save_table(data: pd.DataFrame, study: str, name: str) -> str:
    """Save `data` as ``tables/<study>/<name>.csv``; return its path as text."""
    path = workspace() / "tables" / study / f"{name}.csv"
    write_table(data, path)
    return relative(path)
