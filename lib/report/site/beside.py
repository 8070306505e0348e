"""The paper's tables and figures beside ours, as rows ready to be shown.

A difference is taken only where both saw the same corpora: a rendered sample stands beside the paper, never against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import confint_proportions_2indep

from lib.base.emotions import EMOTIONS
from lib.base.paths import in_workspace
from lib.claims import audit
from lib.measures.evaluation import best_three, by_emotion, confusion, wilson
from lib.study import Study, paper, results
from lib.study.cells import Cell, spelled
from lib.study.metrics import read_metrics

NOT_PRINTED = "not printed"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Share:
    """`right` of `total` clips or sequences."""

    right: int
    total: int

    def __str__(self) -> str:
        return f"{100 * self.right / self.total:.1f} %"

    @property
    def interval(self) -> str:
        """Wilson's 95 % interval, e.g. ``59.6 to 79.5``."""
        low, high = wilson(self.right, self.total)
        return f"{100 * low:.1f} to {100 * high:.1f}"

    def less(self, other: Share) -> str:
        """Points by which this share exceeds `other`, with Newcombe's 95 % interval (1998, method 10; statsmodels)."""
        counts = (self.right, self.total, other.right, other.total)
        low, high = confint_proportions_2indep(*counts, method="newcomb", compare="diff")
        points = 100 * (self.right / self.total - other.right / other.total)
        return f"{points:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


@dataclass(frozen=True)
class Table:
    """A table to show: `groups` are (title, columns below it); the first `heads` cells of a row name it."""

    caption: str
    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    heads: int = 1


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix to show: for each true emotion its total and six (count, share of the total), None unknown."""

    caption: str
    rows: tuple[tuple[str, int, tuple[tuple[int, float] | None, ...]], ...]


class Beside:
    """A study's results beside the paper's.

    Parameters
    ----------
    study
        Its trainings must be there.

    Raises
    ------
    lib.base.problems.InputProblem
        If a training has not been run, naming its file.
    """

    def __init__(self, study: Study):
        self.study = study
        self.measured = results.measures(study, study.grid)
        cells = {cell.run: cell for cell in study.grid}
        chosen = best_three(self.measured, study.settings["selection"])
        self.best: list[Cell] = [cells[run] for run in chosen["run"]]

    @property
    def comparable(self) -> bool:
        """Whether the study saw the paper's corpora."""
        return self.study.render is None

    def share(self, cell: Cell, part: str) -> Share:
        """What `cell` gets right of the ``test`` part or of the second corpus (``transfer``)."""
        table = results.predictions(self.study, cell, part)
        return Share(int((table["predicted"] == table["emotion"]).sum()), len(table))

    def _table(self, caption: str, groups: list, columns: list, rows: list, heads: int) -> Table:
        """The table, its last column (the difference) left out where nothing may be compared."""
        if not self.comparable:
            columns, rows = columns[:-1], [row[:-1] for row in rows]
        else:
            groups = [*groups, ("", 1)]
        caption = f"{self.study.title}: {caption}" if self.study.title else caption
        return Table(caption, tuple(groups), tuple(columns), tuple(map(tuple, rows)), heads)

    def _names(self, theirs: str, corpus: str) -> tuple[str, str]:
        """Titles of the paper's columns, about its corpus `theirs`, and of ours."""
        ours = self.study.name_of(corpus)
        return f"Paper, {theirs}", "Ours" if self.comparable else f"Ours, {ours}"

    def table1(self) -> Table:
        """Table 1: the twelve trainings, test accuracy; the n-th training of a network and rate beside the paper's."""
        stated, test = paper.table("table1"), _paper_sizes()["test"]
        keys = ["layers", "learning_rate"]
        stated["turn"] = stated.groupby(keys).cumcount()
        turns = self.measured.groupby(keys).cumcount()
        ours = {
            (cell.layers, cell.learning_rate, turn): (cell, row.validation_accuracy)
            for cell, turn, row in zip(self.study.grid, turns, self.measured.itertuples(), strict=True)
        }
        rows = []
        for row in stated.itertuples():
            printed = Share(round(row.test_accuracy * test), test)
            head = [f"{row.layers}-layer", spelled(row.learning_rate), str(row.epochs)]
            head += [_percent(row.validation_accuracy), _percent(row.test_accuracy)]
            found = ours.get((row.layers, row.learning_rate, row.turn))
            if found is None:
                rows.append([*head, *["–"] * 2, NOT_RUN, "–", "–"])
                continue
            cell, validation = found
            share = self.share(cell, "test")
            tail = [str(cell.epochs), _percent(validation), str(share), share.interval, share.less(printed)]
            rows.append(head + tail)
        theirs, own = self._names("CREMA-D", self.study.training_corpus)
        columns = ["network", "rate", "epochs", "validation", "test", "epochs", "validation", "test", "95 % interval"]
        groups = [("", 2), (theirs, 3), (own, 4)]
        return self._table("Table 1, accuracy of the twelve trainings", groups, [*columns, "difference"], rows, 2)

    def table2(self) -> Table:
        """Table 2: each network's best training on the second corpus."""
        clips, ours = _paper_sizes()["transfer"], {cell.layers: cell for cell in self.best}
        rows = []
        for row in paper.table("table2").itertuples():
            printed = Share(round(row.ravdess_accuracy * clips / 100), clips)
            head = [f"{row.layers}-layer", f"{row.ravdess_accuracy:.1f} %"]
            if row.layers not in ours:
                rows.append([*head, "–", NOT_RUN, "–", "–"])
                continue
            cell = ours[row.layers]
            share = self.share(cell, "transfer")
            rows.append([*head, spelled(cell.learning_rate), str(share), share.interval, share.less(printed)])
        theirs, own = self._names("RAVDESS", self.study.transfer_corpus)
        columns = ["network", "accuracy", "best rate", "accuracy", "95 % interval", "difference"]
        return self._table("Table 2, accuracy on the other corpus", [("", 1), (theirs, 1), (own, 3)], columns, rows, 1)

    def recalls(self) -> Table:
        """Figure 5 by emotion: the recall of the paper's best network and of ours."""
        margins = audit.figure5()[1].set_index("emotion")
        test = results.predictions(self.study, self.best[0])
        rows = []
        for row in by_emotion(test["emotion"], test["predicted"]).itertuples():
            stated = margins.loc[row.emotion]
            printed = Share(int(stated["correct"]), int(stated["true_total"]))
            head = [row.emotion, f"{printed.total:,}", str(printed)]
            if not row.clips:
                rows.append([*head, "0", "–", "–", "–"])
                continue
            share = Share(round(row.recall * row.clips), int(row.clips))
            rows.append([*head, f"{share.total:,}", str(share), share.interval, share.less(printed)])
        theirs, own = self._names("CREMA-D", self.study.training_corpus)
        columns = ["emotion", "sequences", "recall", "sequences", "recall", "95 % interval", "difference"]
        return self._table("Figure 5, recall of each emotion", [("", 1), (theirs, 2), (own, 3)], columns, rows, 1)

    def matrices(self) -> dict[str, Matrix]:
        """Figure 5 of the paper (``paper``), and our Figures 5 and 6 (``ours``, ``transfer``)."""
        stated = audit.figure5()[0]
        ours = {}
        for part, corpus, figure in (
            ("test", self.study.training_corpus, 5),
            ("transfer", self.study.transfer_corpus, 6),
        ):
            table = results.predictions(self.study, self.best[0], part)
            ours[part] = confusion(table["emotion"], table["predicted"])
            caption = f"Ours, {self.study.name_of(corpus)}: the {self.best[0].layers}-layer network (Figure {figure})"
            ours[part] = _matrix(caption, ours[part], ours[part].sum(axis=1))
        caption = "Paper, CREMA-D: the 6-layer network (Figure 5)"
        return {
            "paper": _matrix(caption, stated, stated.sum(axis=1)),
            "ours": ours["test"],
            "transfer": ours["transfer"],
        }

    def quoted(self) -> Table:
        """Figure 6: the two numbers that the paper's text quotes, which are precisions (notebook 08), and ours."""
        accuracies = audit.printed("class_accuracies").query("figure == '6'").set_index("emotion")
        transferred = results.predictions(self.study, self.best[0], "transfer")
        rows = []
        for row in by_emotion(transferred["emotion"], transferred["predicted"]).itertuples():
            stated = accuracies["accuracy"].get(row.emotion)
            named = int((transferred["predicted"] == row.emotion).sum())
            precision = Share(round(row.precision * named), named) if named else None
            recall = f"{100 * row.recall:.1f} %" if row.clips else "–"
            rows.append([row.emotion, f"{stated} %" if stated else NOT_PRINTED, str(precision or "–"), recall])
        theirs, own = self._names("RAVDESS", self.study.transfer_corpus)
        groups = ((("", 1)), (theirs, 1), (own, 2))
        caption = "Figure 6, precision and recall of each emotion"
        caption = f"{self.study.title}: {caption}" if self.study.title else caption
        return Table(caption, groups, ("emotion", "precision", "precision", "recall"), tuple(map(tuple, rows)))


def _percent(fraction: float) -> str:
    return NOT_PRINTED if np.isnan(fraction) else f"{100 * fraction:.1f} %"


def _paper_sizes() -> dict[str, int]:
    """Sequences of the paper's test part, and its RAVDESS clips by notebook 08."""
    parts = paper.table("splits").set_index("part")["sequences"]
    audited = read_metrics(in_workspace("papermill_runs/paper/08_paper_audit/default"))
    return {"test": int(parts["test"]), "transfer": audited["ravdess_clips"]}


def _matrix(caption: str, counts: pd.DataFrame, totals: pd.Series) -> Matrix:
    rows = []
    for emotion in EMOTIONS:
        total = int(totals[emotion])
        cells = [None if pd.isna(n) else (int(n), n / total if total else 0.0) for n in counts.loc[emotion]]
        rows.append((emotion, total, tuple(cells)))
    return Matrix(caption, tuple(rows))
