"""The paper's tables and figures next to ours, as rows to show, read from the files of notebooks and runs.

A difference is computed only if both are on the same corpora, so never for a rendered sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lib.base.emotions import EMOTIONS
from lib.base.paths import in_workspace
from lib.claims import audit
from lib.measures.evaluation import best_three, by_emotion, confusion, newcombe, wilson
from lib.study import Study, publication, results
from lib.study.cells import Cell, spelled
from lib.study.metrics import read_metrics

NOT_PRINTED = "not printed"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Share:
    """`right` of `total` clips or sequences."""

    right: int
    total: int

    @classmethod
    def of(cls, percentage: float, total: float) -> Share:
        """The share from a table's `percentage` with two decimals; exact for a `total` up to 10,000."""
        return cls(round(percentage * total / 100) if total else 0, int(total))

    def __str__(self) -> str:
        return f"{100 * self.right / self.total:.1f} %"

    @property
    def interval(self) -> str:
        """Wilson's 95 % interval, e.g. ``59.6 to 79.5``."""
        low, high = wilson(self.right, self.total)
        return f"{100 * low:.1f} to {100 * high:.1f}"

    def less(self, other: Share) -> str:
        """Points by which this share exceeds `other`, with Newcombe's 95 % interval."""
        low, high = newcombe(self.right, self.total, other.right, other.total)
        points = 100 * (self.right / self.total - other.right / other.total)
        return f"{points:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


@dataclass(frozen=True)
class Table:
    """A table to show: `groups` are (title, number of columns); the first `heads` cells of a row are its heading."""

    caption: str
    groups: tuple[tuple[str, int], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    heads: int = 1


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix to show: for each true emotion its total and six pairs (count, share of the total)."""

    caption: str
    rows: tuple[tuple[str, int, tuple[tuple[int, float], ...]], ...]


class Comparison:
    """A study's results next to the paper's.

    Parameters
    ----------
    study
        Its trainings and the tables of notebooks 06 and 07 must be there.

    Raises
    ------
    lib.base.problems.InputProblem
        If a training or a notebook has not been run, naming the missing file.
    """

    def __init__(self, study: Study):
        self.study = study
        self.measured = results.measures(study, study.grid)
        cells = {cell.run: cell for cell in study.grid}
        chosen = best_three(self.measured, study.settings["selection"])
        self.best: list[Cell] = [cells[run] for run in chosen["run"]]
        self.predicted = {part: results.predictions(study, self.best[0], part) for part in ("test", "transfer")}

    @property
    def comparable(self) -> bool:
        """Whether the study uses the paper's corpora."""
        return self.study.render is None

    def share(self, cell: Cell, part: str) -> Share:
        """Right predictions of `cell` on the ``test`` part or the second corpus (``transfer``), from its run."""
        metrics = results.run_metrics(self.study, cell)
        total = metrics["sequences"][part]
        return Share(round(metrics[f"{part}_accuracy"] * total), total)

    @staticmethod
    def stated(corpus: str) -> Share:
        """The highest accuracy that the paper prints for ``CREMA-D`` or ``RAVDESS``, as right sequences or clips."""
        sizes = _paper_sizes()
        if corpus == "CREMA-D":
            return Share(round(publication.table("table1")["test_accuracy"].max() * sizes["test"]), sizes["test"])
        highest = publication.table("table2")["ravdess_accuracy"].max()
        return Share(round(highest * sizes["transfer"] / 100), sizes["transfer"])

    def _table(self, caption: str, groups: list, columns: list, rows: list, heads: int = 1) -> Table:
        """Make the table, without a column of differences if the study is not comparable."""
        if columns[-1] == "difference":
            if self.comparable:
                groups = [*groups, ("", 1)]
            else:
                columns, rows = columns[:-1], [row[:-1] for row in rows]
        caption = f"{self.study.title}: {caption}" if self.study.title else caption
        return Table(caption, tuple(groups), tuple(columns), tuple(map(tuple, rows)), heads)

    def _names(self, theirs: str, corpus: str) -> tuple[str, str]:
        """Titles of the paper's columns (on its corpus `theirs`) and of ours."""
        ours = self.study.name_of(corpus)
        return f"Paper, {theirs}", "Ours" if self.comparable else f"Ours, {ours}"

    def table1(self) -> Table:
        """Table 1: test accuracy of the twelve trainings. Rows are matched by network, rate and order of epochs."""
        stated, test = publication.table("table1"), _paper_sizes()["test"]
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
            trained = ours.get((row.layers, row.learning_rate, row.turn))
            if trained is None:
                rows.append([*head, *["–"] * 2, NOT_RUN, "–", "–"])
                continue
            cell, validation = trained
            share = self.share(cell, "test")
            tail = [str(cell.epochs), _percent(validation), str(share), share.interval, share.less(printed)]
            rows.append(head + tail)
        theirs, own = self._names("CREMA-D", self.study.training_corpus)
        columns = ["network", "rate", "epochs", "validation", "test", "epochs", "validation", "test", "95 % interval"]
        groups = [("", 2), (theirs, 3), (own, 4)]
        return self._table("Table 1, accuracy of the twelve trainings", groups, [*columns, "difference"], rows, 2)

    def table2(self) -> Table:
        """Table 2: each network's best training on the second corpus."""
        clips, rows = _paper_sizes()["transfer"], []
        ours = results.saved_table(self.study, "table2_transfer").set_index("layers")
        for row in publication.table("table2").itertuples():
            printed = Share(round(row.ravdess_accuracy * clips / 100), clips)
            head = [f"{row.layers}-layer", f"{row.ravdess_accuracy:.1f} %"]
            if row.layers not in ours.index:
                rows.append([*head, "–", NOT_RUN, "–", "–"])
                continue
            best = ours.loc[row.layers]
            share = Share.of(best["accuracy (%)"], best["clips"])
            rows.append([*head, spelled(best["learning_rate"]), str(share), share.interval, share.less(printed)])
        theirs, own = self._names("RAVDESS", self.study.transfer_corpus)
        columns = ["network", "accuracy", "best rate", "accuracy", "95 % interval", "difference"]
        return self._table("Table 2, accuracy on the other corpus", [("", 1), (theirs, 1), (own, 3)], columns, rows)

    def recalls(self) -> Table:
        """Figure 5 by emotion: the recall of the paper's best network and of ours."""
        corpus, rows = self.study.name_of(self.study.training_corpus), []
        for emotion, row in results.saved_table(self.study, "fig5_recall_precision").set_index("emotion").iterrows():
            printed, share = (Share.of(row[f"{s}: recall (%)"], row[f"{s}: sequences"]) for s in ("paper", corpus))
            head = [emotion, f"{printed.total:,}", str(printed), f"{share.total:,}"]
            ours = [str(share), share.interval, share.less(printed)] if share.total else ["–"] * 3
            rows.append(head + ours)
        theirs, own = self._names("CREMA-D", self.study.training_corpus)
        columns = ["emotion", "sequences", "recall", "sequences", "recall", "95 % interval", "difference"]
        return self._table("Figure 5, recall of each emotion", [("", 1), (theirs, 2), (own, 3)], columns, rows)

    def matrices(self) -> dict[str, Matrix]:
        """Figure 5 of the paper (``paper``), and our Figures 5 and 6 (``ours``, ``transfer``)."""
        matrices = {"paper": _matrix("Paper, CREMA-D: the 6-layer network (Figure 5)", audit.figure5()[0])}
        names, tables = ("ours", "transfer"), self.predicted.values()
        for name, table, corpus, figure in zip(names, tables, self.study.corpora, (5, 6), strict=True):
            caption = f"Ours, {self.study.name_of(corpus)}: the {self.best[0].layers}-layer network (Figure {figure})"
            matrices[name] = _matrix(caption, confusion(table["emotion"], table["predicted"]))
        return matrices

    def quoted(self) -> Table:
        """Figure 6: the two numbers that the paper's text states, which are precisions (notebook 08), and ours."""
        accuracies = audit.printed("class_accuracies").query("figure == '6'").set_index("emotion")
        transferred, rows = self.predicted["transfer"], []
        for row in by_emotion(transferred["emotion"], transferred["predicted"]).itertuples():
            stated = accuracies["accuracy"].get(row.emotion)
            measured = [_percent(row.precision, "–"), _percent(row.recall, "–")]
            rows.append([row.emotion, f"{stated} %" if stated else NOT_PRINTED, *measured])
        theirs, own = self._names("RAVDESS", self.study.transfer_corpus)
        groups, columns = [("", 1), (theirs, 1), (own, 2)], ["emotion", "precision", "precision", "recall"]
        return self._table("Figure 6, precision and recall of each emotion", groups, columns, rows)


def _percent(fraction: float, undefined: str = NOT_PRINTED) -> str:
    return undefined if np.isnan(fraction) else f"{100 * fraction:.1f} %"


def _paper_sizes() -> dict[str, int]:
    """Number of sequences in the paper's test part, and of its RAVDESS clips according to notebook 08."""
    parts = publication.table("splits").set_index("part")["sequences"]
    audited = read_metrics(in_workspace("papermill_runs/paper/08_paper_audit/default"))
    return {"test": int(parts["test"]), "transfer": audited["ravdess_clips"]}


def _matrix(caption: str, counts: pd.DataFrame) -> Matrix:
    rows = []
    for emotion in EMOTIONS:
        total = int(counts.loc[emotion].sum())
        rows.append((emotion, total, tuple((int(n), n / total if total else 0.0) for n in counts.loc[emotion])))
    return Matrix(caption, tuple(rows))
