"""The picture of the opening page: the paper's accuracies, the raters', and those of our networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lib.base.paths import ROOT, workspace
from lib.measures.evaluation import wilson
from lib.report.site.collect import takes_simulation
from lib.report.site.comparison import Comparison, Share
from lib.study import Study, load
from lib.study.choices import PROTOCOLS, SIMULATION
from lib.study.results import saved_table


@dataclass(frozen=True)
class Point:
    """An accuracy in percent with its 95 % interval, if known; `source` is ``paper``, ``crowd`` or ``ours``."""

    label: str
    value: float
    low: float
    high: float
    source: str

    @property
    def text(self) -> str:
        """The point as a sentence's part, e.g. ``raters, plurality: 68.5 %``."""
        return f"{self.label}: {self.value:.1f} %"


def _share(label: str, share: Share, source: str) -> Point:
    low, high = wilson(share.right, share.total)
    return Point(label, 100 * share.right / share.total, 100 * low, 100 * high, source)


def study_shown(study: Study) -> tuple[Study, Path]:
    """The study whose accuracies the picture shows, and the folder that holds its ``tables``.

    It is `study` in the workspace, but for one of other drawn faces the twin that is committed in the checkout.
    """
    committed = (ROOT / f"tables/{SIMULATION}/uncertainty_networks.csv").is_file()
    return (load(SIMULATION), ROOT) if takes_simulation(study) and committed else (study, workspace())


def points(study: Study, below: Path, crowd: float) -> tuple[Point, ...]:
    """The accuracies of the picture: on the first corpus the paper's, the raters' and ours by split, then the transfer.

    Parameters
    ----------
    study, below
        What `study_shown` gives.
    crowd
        Accuracy of the raters' plurality, percent.

    Notes
    -----
    Ours by split is the mean over seeds of the network with the highest mean, with the interval of notebook 10, over
    actors and seeds. The intervals of the paper and of the transfer are Wilson's, which are narrower.

    Raises
    ------
    lib.base.problems.InputProblem
        If a table of notebook 07 or 10 is not there.
    """
    ours = "ours, drawn faces" if study.render else "ours"
    test, transfer = Comparison.stated("CREMA-D"), Comparison.stated("RAVDESS")
    best = saved_table(study, "table2_transfer", below=below).iloc[0]
    shown = [_share("the paper, CREMA-D", test, "paper"), Point("raters, CREMA-D", crowd, crowd, crowd, "crowd")]
    if study.uncertainty is None:  # it has no notebook 10
        value = best["test accuracy (%)"]
        shown.append(Point(f"{ours}: {PROTOCOLS[study.settings['split_protocol']]}", value, value, value, "ours"))
    else:
        networks = saved_table(study, "uncertainty_networks", below=below)
        for protocol in (name for name in PROTOCOLS if name in set(networks["protocol"])):
            rows = networks[networks["protocol"] == protocol]
            row = 100 * rows.loc[rows["mean"].idxmax(), ["mean", "low", "high"]].astype(float)
            shown.append(Point(f"{ours}: {PROTOCOLS[protocol]}", row["mean"], row["low"], row["high"], "ours"))
    shown.append(_share("the paper, RAVDESS", transfer, "paper"))
    shown.append(_share(f"{ours}: second corpus", Share.of(best["accuracy (%)"], best["clips"]), "ours"))
    return tuple(shown)
