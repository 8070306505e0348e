"""Read and check ``paper/verdicts.yaml``: what a training must show for each claim of the paper."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from lib.base.emotions import EMOTIONS
from lib.base.paths import PAPER
from lib.base.problems import InputProblem
from lib.study import publication
from lib.study.cells import spelled
from lib.study.choices import BLOCKS, FRAME_ORDERS, PROTOCOLS


@dataclass(frozen=True)
class Entry:
    """One claim; the first lines of ``paper/verdicts.yaml`` explain the keys."""

    id: str
    claims: list[str]
    statement: str
    rule: str
    measure: str = ""
    part: str = ""
    networks: list[int | str] = field(default_factory=list)
    protocol: str = ""
    seeds: int = 1
    row: dict[str, Any] | None = None
    emotions: list[str] = field(default_factory=list)
    among: str = ""
    frame_orders: list[str] = field(default_factory=list)
    paper: float = np.nan
    margin: float = np.nan
    why: str = ""


@dataclass(frozen=True)
class Rulebook:
    """All claims with a rule, and the ids of the claims that no training can test."""

    entries: tuple[Entry, ...]
    elsewhere: tuple[str, ...]


@cache
def rows_of_table1() -> tuple[tuple[int, dict], ...]:
    """Layers and row of every training of the paper's Table 1."""
    rows = publication.table("table1")[["layers", "learning_rate", "epochs"]].itertuples(index=False)
    return tuple((layers, {"learning_rate": rate, "epochs": epochs}) for layers, rate, epochs in rows)


_TEXT = {"type": "string", "minLength": 1}
_POINTS = {"type": "number", "exclusiveMinimum": 0, "maximum": 100}
_LAYERS = {"enum": [*BLOCKS]}
_BEST = ["best_test", "best_validation"]
_LIST = {"type": "array", "minItems": 1, "uniqueItems": True}
_KEYS = {
    "id": {"type": "string", "pattern": r"^[A-Z]\d\d[a-z]?\Z"},
    "claims": {**_LIST, "items": _TEXT},
    "statement": _TEXT,
    "part": {"enum": ["train", "validation", "test", "transfer"]},
    "networks": {**_LIST, "items": _LAYERS, "maxItems": 1},
    "protocol": {"enum": list(PROTOCOLS)},
    "seeds": {"type": "integer", "minimum": 3},
    "row": {
        "type": "object",
        "required": ["learning_rate", "epochs"],
        "additionalProperties": False,
        "properties": {"learning_rate": {"type": "number"}, "epochs": {"type": "integer"}},
    },
    "emotions": {**_LIST, "items": {"enum": list(EMOTIONS)}, "maxItems": 5},
    "among": {"enum": ["all", "true"]},
    "frame_orders": {**_LIST, "items": {"enum": list(FRAME_ORDERS)}, "minItems": 2},
    "paper": _POINTS,
    "margin": _POINTS,
    "why": _TEXT,
}


def _schema(required: str, optional: str = "", measures: tuple[str, ...] = (), **own: dict[str, Any]) -> dict[str, Any]:
    """JSON schema of the entries of a rule; `own` replaces keys of `_KEYS`."""
    always = "id claims statement rule " + ("measure part networks protocol " if measures else "")
    kinds = {**_KEYS, "rule": _TEXT, "measure": {"enum": list(measures)}, **own}
    names = (always + required).split()
    properties = {name: kinds[name] for name in [*names, *optional.split()]}
    return {"type": "object", "required": names, "additionalProperties": False, "properties": properties}


_HARDEST = _schema("seeds emotions", measures=("recall",))

#: The schema of each rule's entries.
SCHEMAS = {
    "value": _schema(
        "paper margin", "seeds row emotions", ("accuracy", "recall", "precision", "loss"),
        networks={**_LIST, "items": {"enum": [*_BEST, *BLOCKS]}, "maxItems": 1},
        emotions={**_KEYS["emotions"], "maxItems": 1},
    ),
    "below": _schema("paper margin seeds", measures=("accuracy",)),
    "order": _schema("seeds", "paper row frame_orders", ("accuracy",), networks={**_LIST, "items": _LAYERS}),
    "hardest": _HARDEST,
    "easiest": _HARDEST,
    "confusion": _schema(
        "seeds emotions among", measures=("confusion",),
        emotions={**_KEYS["emotions"], "minItems": 2, "maxItems": 2},
    ),
    "best_cell": _schema("seeds row", measures=("accuracy",)),
    "untestable": _schema("why"),
}  # fmt: skip

_TABLE1 = {
    "type": "object",
    "required": ["claims", "protocol", "learning_rate", "seeds", "margins"],
    "additionalProperties": False,
    "properties": {
        "claims": _KEYS["claims"],
        "protocol": _KEYS["protocol"],
        "learning_rate": {"type": "number"},
        "seeds": _KEYS["seeds"],
        "margins": {
            "type": "object",
            "required": ["accuracy", "loss"],
            "additionalProperties": False,
            "properties": {"accuracy": _POINTS, "loss": _POINTS},
        },
    },
}
_WHOLE = {
    "type": "object",
    "required": ["elsewhere", "claims"],
    "additionalProperties": False,
    "properties": {"elsewhere": _KEYS["claims"], "table1": _TABLE1, "claims": {"type": "array", "minItems": 1}},
}
_ENTRY = {"type": "object", "required": ["id", "rule"], "properties": {"rule": {"enum": list(SCHEMAS)}}}


def _problem(content: Any, schema: dict[str, Any]) -> str:
    """What is wrong with `content` according to `schema`, and where; empty if nothing is."""
    error = best_match(Draft202012Validator(schema).iter_errors(content))
    return "" if error is None else " ".join([*(f"{part}:" for part in error.absolute_path), error.message])


def _contradiction(entry: dict[str, Any]) -> str:
    """What is wrong with an entry that has the right form; empty if nothing is."""
    if entry["rule"] == "value" and ("seeds" in entry) == ("row" in entry):
        return "takes either seeds or row"
    if entry["rule"] == "value" and (entry["measure"] in ("recall", "precision")) != ("emotions" in entry):
        return "names an emotion for the measures recall and precision, and for no other"
    if entry.get("part") == "train" and (entry["rule"] != "value" or entry["measure"] not in ("accuracy", "loss")):
        return "the training part has an accuracy and a loss only"
    if entry.get("measure") == "loss" and entry["part"] == "transfer":
        return "no loss is measured on the second corpus"
    if entry["rule"] == "order" and len(entry["networks"]) + len(entry.get("frame_orders", [])) < 2:
        return "compares at least two networks, or one on several orders of the frames"
    if "row" in entry:
        rows = publication.table("table1")
        same = rows[[*entry["row"]]].eq(pd.Series(entry["row"])).all(axis=1)
        if not {*entry["networks"]} <= {*rows.loc[same, "layers"]}:
            return "row: is none of Table 1"
    return ""


def read(path: str | os.PathLike = PAPER / "verdicts.yaml") -> Rulebook:
    """Read and check the claims and their rules.

    Raises
    ------
    lib.base.problems.InputProblem
        If the file is not YAML, or an entry has an unknown, missing or wrong key, or names a claim that is not in
        ``paper/claims.csv``. The message names the entry.
    """

    def refuse(where: str, problem: str) -> None:
        if problem:
            raise InputProblem(path, f"{where}: {problem}", "correct it; the file's first lines explain the keys")

    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
    except (OSError, ValueError, yaml.YAMLError) as error:
        problem = f"cannot be read as YAML ({' '.join(str(error).split())})"
        raise InputProblem(path, problem, "correct the file") from None
    refuse("the top level", _problem(content, _WHOLE))
    stated = set(publication.table("claims")["id"])
    entries: dict[str, Entry] = {}
    for place, entry in enumerate(content["claims"], 1):
        refuse(f"entry {place}", _problem(entry, _ENTRY))
        where = f"entry {entry['id']}"
        refuse(where, _problem(entry, SCHEMAS[entry["rule"]]) or _contradiction(entry))
        refuse(where, "is there twice" if entry["id"] in entries else "")
        refuse(where, _unknown(entry["claims"], stated))
        entries[entry["id"]] = Entry(**entry)
    refuse("elsewhere", _unknown(content["elsewhere"], stated))
    cells = ()
    if "table1" in content:
        refuse("table1", _unknown(content["table1"]["claims"], stated))
        cells = _cells_of_table1(content["table1"], list(entries.values()))
    return Rulebook((*entries.values(), *cells), tuple(content["elsewhere"]))


def _unknown(claims: list[str], stated: set[str]) -> str:
    missing = sorted({*claims} - stated)
    return f"names {', '.join(missing)}, which are not in claims.csv" if missing else ""


def _cells_of_table1(settings: dict[str, Any], others: list[Entry]) -> tuple[Entry, ...]:
    """An entry of the rule ``value`` for every number of Table 1 that none of `others` judges."""
    judged = [(e.networks, e.part, e.measure, e.row) for e in others if e.rule == "value" and e.protocol == "random"]
    entries = []
    for cell in publication.table("table1").to_dict("records"):
        layers, row = cell["layers"], {name: cell[name] for name in ("learning_rate", "epochs")}
        repeated = row["learning_rate"] == settings["learning_rate"]
        for measure, part in product(("accuracy", "loss"), ("train", "validation", "test")):
            if ([layers], part, measure, None if repeated else row) in judged:
                continue
            name = f"{part}_{measure}"
            where = f"{layers} layers at {spelled(row['learning_rate'])}, {row['epochs']} epochs"
            entries.append(
                Entry(
                    id=f"{settings['claims'][0]}.{layers}.{spelled(row['learning_rate'])}.{row['epochs']}.{name}",
                    claims=settings["claims"],
                    statement=f"Table 1, {part} {measure}: {where}",
                    rule="value",
                    measure=measure,
                    part=part,
                    networks=[layers],
                    protocol=settings["protocol"],
                    seeds=settings["seeds"] if repeated else 1,
                    row=None if repeated else row,
                    paper=round(cell[name] * (100 if measure == "accuracy" else 1), 9),
                    margin=settings["margins"][measure],
                )
            )
    return tuple(entries)
