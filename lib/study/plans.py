"""Read from a study's file which networks are trained, repeated and changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lib.base.problems import InputProblem
from lib.study.cells import Cell, Sensitivity, Uncertainty


def cells(path: Path, entries: list[dict[str, Any]], where: str) -> tuple[Cell, ...]:
    """Trainings in a list of the study's file; InputProblem if one is listed twice."""
    listed = tuple(Cell(**entry) for entry in entries)
    runs = [cell.run for cell in listed]
    doubled = sorted({run for run in runs if runs.count(run) > 1})
    if doubled:
        raise InputProblem(path, f"{where} holds {', '.join(doubled)} twice", "delete one of them")
    return listed


def uncertainty(path: Path, content: dict[str, Any] | None) -> Uncertainty | None:
    """The trainings of notebook 10; InputProblem if the entries contradict each other."""
    if content is None:
        return None
    networks = cells(path, content["cells"], "uncertainty.cells")
    controls = dict(content.get("controls") or {})
    control_layers = controls.pop("layers", networks[0].layers)
    if control_layers not in [cell.layers for cell in networks]:
        raise InputProblem(path, f"uncertainty.controls names {control_layers} layers", "take those of a cell above it")
    protocols, layers = {}, {}
    for protocol, entry in content["protocols"].items():
        protocols[protocol] = entry if isinstance(entry, int) else entry["seeds"]
        layers[protocol] = tuple(c.layers for c in networks if isinstance(entry, int) or c.layers in entry["layers"])
        if control_layers not in layers[protocol]:
            problem = f"uncertainty.protocols.{protocol} lacks the network of the controls, {control_layers} layers"
            raise InputProblem(path, problem, "add it there, or name another under controls")
    grid = content.get("grid", 0)
    most = max([*protocols.values(), *controls.values(), grid])
    if most > len(content["seeds"]):
        problem = f"uncertainty wants {most} seeds and names {len(content['seeds'])}"
        raise InputProblem(path, problem, "add seeds, or lower the number")
    return Uncertainty(networks, tuple(content["seeds"]), protocols, controls, control_layers, layers, grid)


def sensitivity(path: Path, content: dict[str, Any] | None) -> Sensitivity | None:
    """The trainings of notebook 11."""
    if content is None:
        return None
    (cell,) = cells(path, [content["cell"]], "sensitivity.cell")
    return Sensitivity(cell, tuple(content["changes"]), tuple(content["transfer_rules"]))
