"""What the rules need of a study: the trainings for a claim, and their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from lib.base.emotions import EMOTIONS, PROBABILITIES
from lib.base.problems import InputProblem
from lib.claims.rulebook import Entry
from lib.measures.calibration import SMALLEST
from lib.measures.intervals import count
from lib.study import Study, publication, results
from lib.study.cells import Cell, spelled


class Missing(Exception):
    """The study does not have what is needed to test a claim; the message says what."""


@dataclass(frozen=True)
class Answers:
    """The predictions of one training for one part, by sequence.

    Attributes
    ----------
    sequence, actor
        Names (sequences,).
    emotion, predicted
        int (sequences,), indices into ``EMOTIONS``.
    loss
        float64 (sequences,), cross-entropy in nats plus the training's L2 penalty, as Keras reports it.
    """

    sequence: np.ndarray
    actor: np.ndarray
    emotion: np.ndarray
    predicted: np.ndarray
    loss: np.ndarray


class Evidence:
    """A study's trainings and their predictions, each read once.

    `lib.claims.planted.Planted` has the same methods for simulated trainings.
    """

    def __init__(self, study: Study):
        self.study = study
        self.repeats = cache(study.repeats)
        self.answers = cache(self._answers)

    def _answers(self, cell: Cell, part: str) -> Answers:
        table = results.predictions(self.study, cell, part).sort_values("sequence", ignore_index=True)
        emotion, predicted = (table[name].map(EMOTIONS.index).to_numpy(dtype=int) for name in ("emotion", "predicted"))
        probability = table[PROBABILITIES].to_numpy()[np.arange(len(table)), emotion]
        loss = -np.log(np.maximum(probability, SMALLEST))
        total = results.run_metrics(self.study, cell).get(f"{part}_loss")
        if total is not None and len(loss):
            loss = loss + (total - loss.mean())
        return Answers(table["sequence"].to_numpy(), table["actor"].to_numpy(), emotion, predicted, loss)

    def running(self, cell: Cell, measure: str) -> float:
        """Keras' running mean of `measure` over the training part in the best epoch: a fraction, or nats."""
        best = results.run_metrics(self.study, cell)["best_epoch"]
        history = results.history(self.study, cell).set_index("epoch")
        return float(history.loc[best, f"train_{measure}"])

    def trainings(self, entry: Entry, layers: int, frame_order: str = "filmed") -> Sequence[Cell]:
        """Trainings of the network with `layers`, one per seed, in the order of the seeds.

        They are those of the entry's row of Table 1, or the study's repeats at the best learning rate.

        Raises
        ------
        Missing
            If there are fewer than the entry needs, or they are not done.
        """
        if entry.row is not None:
            base = self._in_grid(layers, **entry.row)
            cells = self._of_all_seeds(base, entry.protocol)
            if not cells:
                raise Missing(f"the study's grid is not under protocol {entry.protocol}")
        else:
            planned = self.study.uncertainty.cells if self.study.uncertainty else ()
            base = next((cell for cell in planned if cell.layers == layers), None)
            if base is None:
                raise Missing(f"the study repeats no training of {layers} layers with other seeds")
            wanted = self.study.controls if frame_order != "filmed" else self.repeats(entry.protocol)
            cells = [cell for cell in wanted if _same(cell, base) and self._order(cell) == frame_order]
        if len(cells) < entry.seeds:
            over = f"{entry.seeds} seeds under protocol {entry.protocol}"
            frames = f" on {frame_order} frames" if frame_order != "filmed" else ""
            raise Missing(f"it takes {over}, the study has {len(cells)}{frames}")
        return self._done(sorted(cells, key=self.seed))

    def repeated(self, entry: Entry) -> Sequence[Cell]:
        """Trainings with the same number of layers under several seeds, whose spread is used for a single training."""
        try:
            return self.trainings(replace(entry, row=None, seeds=3), entry.networks[0])
        except Missing:
            lacks = "the study does not train this network under three seeds, so the spread is unknown"
            raise Missing(f"there is one training, and {lacks}") from None

    def seed(self, cell: Cell) -> int:
        """The seed of a training."""
        return cell.changed.get("seed", self.study.settings["seed"])

    def name(self, cell: Cell) -> str:
        """Name of a training in texts, without its seed."""
        return replace(cell, changes=()).label

    def compared(self, cells: Sequence[Cell], part: str) -> list[Answers]:
        """Predictions of several trainings for the same sequences."""
        answers = [self.answers(cell, part) for cell in cells]
        first = answers[0]
        for cell, other in zip(cells, answers, strict=True):
            same = (
                np.array_equal(getattr(first, key), getattr(other, key)) for key in ("sequence", "actor", "emotion")
            )
            if not all(same):
                problem = f"was not tested on the sequences of {cells[0].run}"
                raise InputProblem(self.study.training(cell), problem, "delete both runs and run the study again")
        return answers

    def _order(self, cell: Cell) -> str:
        return cell.changed.get("frame_order", self.study.settings["frame_order"])

    def _in_grid(self, layers: int, learning_rate: float, epochs: int) -> Cell:
        """The grid's cell for a row of Table 1: the shorter of two trainings corresponds to 50 epochs."""
        rows = publication.table("table1").query("layers == @layers and learning_rate == @learning_rate")
        alike = [cell for cell in self.study.grid if (cell.layers, cell.learning_rate) == (layers, learning_rate)]
        if len(alike) != len(rows):
            trainings = "training" if len(rows) == 1 else "trainings"
            stated = f"{len(rows)} {trainings} of {layers} layers at {spelled(learning_rate)}"
            raise Missing(f"Table 1 has {stated}, the study's grid {len(alike)}")
        return sorted(alike, key=lambda cell: cell.epochs)[sorted(rows["epochs"]).index(epochs)]

    def _of_all_seeds(self, base: Cell, protocol: str) -> list[Cell]:
        """`base` under every seed that the study trains, with the other settings unchanged."""
        settings = self.study.settings
        return [
            cell
            for cell in self.study.trainings
            if _same(cell, base)
            and set(cell.changed) <= {"seed", "split_protocol"}
            and cell.changed.get("split_protocol", settings["split_protocol"]) == protocol
        ]

    def _done(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        missing = [cell.run for cell in cells if not (self.study.training(cell) / "metrics.json").exists()]
        if missing:
            raise Missing(f"not done: {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""))
        return cells


def _same(cell: Cell, other: Cell) -> bool:
    return (cell.layers, cell.learning_rate, cell.epochs) == (other.layers, other.learning_rate, other.epochs)


def counted(answers: Sequence[Answers], columns: Sequence[np.ndarray]) -> np.ndarray:
    """Sum `columns` (sequences, columns) of each seed's predictions by actor: float64 (seeds, actors, columns)."""
    return count([seed.actor for seed in answers], list(columns))
