"""The trainings of a study that stand for it: the grid's best, and a network with actors apart next to its twin."""

from __future__ import annotations

from typing import NamedTuple

from lib.study import Study, results
from lib.study.cells import Cell


class Pair(NamedTuple):
    """Two trainings that differ in nothing but the split of the sequences."""

    random: Cell
    apart: Cell


def best_of_grid(study: Study) -> Cell:
    """The training of the grid with the highest accuracy by the study's `selection`; ties go to fewer layers.

    Raises
    ------
    lib.base.problems.InputProblem
        If a training of the grid is not done.
    """
    fewest_first = sorted(study.grid, key=lambda cell: cell.layers)
    return max(fewest_first, key=lambda cell: results.run_metrics(study, cell)[study.settings["selection"]])


def split_pair(study: Study) -> Pair | None:
    """The first network that `study` trains with actors apart, and the same one under the paper's random split.

    None if the study does not train both.
    """
    random = study.repeats("random")
    for apart in study.repeats("actor"):
        twin = study.trained(apart, {"split_protocol": "random"})
        if twin in random:
            return Pair(twin, apart)
    return None
