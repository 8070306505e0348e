"""One training (a cell), and the trainings beyond the grid: repeats, controls, sensitivity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


def spelled(value: Any) -> str:
    """`value` as text: ``0.0001`` and not ``1e-4``, which YAML reads as a string."""
    if isinstance(value, float):
        return f"{Decimal(repr(float(value))):f}".removesuffix(".0")
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(spelled, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def flow(changes: Mapping[str, Any]) -> str:
    """`changes` as one line of YAML, e.g. ``{filters: [32, 64], seed: 2022}``."""
    return "{" + ", ".join(f"{name}: {spelled(value)}" for name, value in changes.items()) + "}"


def slug(changes: Mapping[str, Any]) -> str:
    """`changes` as part of a file's name, e.g. ``filters-32-64_seed-2022``; empty for none."""
    return "_".join(f"{name}-{spelled(value).strip('[]').replace(', ', '-')}" for name, value in changes.items())


@dataclass(frozen=True)
class Cell:
    """One training: a row of the paper's Table 1, or one with other assumptions than its study's.

    Attributes
    ----------
    layers, learning_rate, epochs
        As in Table 1.
    changes
        Assumptions of this training that differ from the study's, as sorted pairs; a mapping is accepted, too.
    """

    layers: int
    learning_rate: float
    epochs: int
    changes: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self):
        pairs = self.changes.items() if isinstance(self.changes, Mapping) else self.changes
        hashable = ((name, tuple(value) if isinstance(value, list) else value) for name, value in pairs)
        object.__setattr__(self, "changes", tuple(sorted(hashable)))

    @property
    def changed(self) -> dict[str, Any]:
        """The changes by name, as a study's file holds them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.changes}

    @property
    def run(self) -> str:
        """Name of the run's folder, e.g. ``6-layer_lr-0.0001_epochs-50_seed-2022``."""
        name = f"{self.layers}-layer_lr-{spelled(self.learning_rate)}_epochs-{self.epochs}"
        return "_".join([name, slug(self.changed)]) if self.changes else name

    @property
    def label(self) -> str:
        """The cell's name in tables and figures, e.g. ``6-layer, 0.0001, 50 epochs, seed 2022``."""
        changes = [f"{name} {spelled(value)}" for name, value in self.changed.items()]
        return ", ".join([f"{self.layers}-layer", spelled(self.learning_rate), f"{self.epochs} epochs", *changes])

    def continued(self, others: Iterable[Cell]) -> Cell | None:
        """Of `others` with the same settings and fewer epochs, the longest: this training continues it. Or None."""
        same = (self.layers, self.learning_rate, self.changes)
        shorter = [c for c in others if (c.layers, c.learning_rate, c.changes) == same and c.epochs < self.epochs]
        return max(shorter, key=lambda cell: cell.epochs, default=None)


@dataclass(frozen=True)
class Uncertainty:
    """The trainings of notebook 10.

    Attributes
    ----------
    cells
        The networks at their best learning rate.
    seeds
        Seeds of split, initial weights, order and dropout.
    protocols
        Split protocol -> number of seeds, from the first.
    controls
        Frame order (``shuffled``, ``last``) -> number of seeds, under the protocol ``random``.
    control_layers
        The network of the controls, by its layers.
    layers
        Split protocol -> its networks, by their layers.
    grid
        Number of seeds under which every row of the grid is trained, protocol ``random``; used by notebook 12 only.
    """

    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    protocols: dict[str, int]
    controls: dict[str, int]
    control_layers: int
    layers: dict[str, tuple[int, ...]]
    grid: int = 0

    def networks(self, protocol: str) -> tuple[Cell, ...]:
        """Those of `cells` that are trained under `protocol`."""
        return tuple(cell for cell in self.cells if cell.layers in self.layers.get(protocol, ()))


@dataclass(frozen=True)
class Sensitivity:
    """The trainings of notebook 11.

    Attributes
    ----------
    cell
        The reference.
    changes
        Assumptions that differ from the study's; one training each.
    transfer_rules
        Window rules of the second corpus on which the reference is tested.
    """

    cell: Cell
    changes: tuple[dict[str, Any], ...]
    transfer_rules: tuple[str, ...]
