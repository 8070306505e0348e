"""What a training must show for each claim of the paper: ``paper/verdicts.yaml``, read and checked."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from lib.base.emotions import EMOTIONS
from lib.base.paths import PAPER
from lib.base.problems import InputProblem
from lib.sequences.splits import PROTOCOLS
from lib.study import paper


@dataclass(frozen=True)
class Entry:
    """One claim; the first lines of ``paper/verdicts.yaml`` say what its keys mean."""

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
    paper: float = np.nan
    margin: float = np.nan
    why: str = ""


@dataclass(frozen=True)
class Rulebook:
    """All claims, the margin of "close" (percentage points), and the claims on which no training has a say."""

    close: float
    entries: tuple[Entry, ...]
    elsewhere: tuple[str, ...]


_TEXT = {"type": "string", "minLength": 1}
_POINTS = {"type": "number", "exclusiveMinimum": 0, "maximum": 100}
_LAYERS = {"enum": [5, 6, 7]}
_LIST = {"type": "array", "minItems": 1, "uniqueItems": True}
_KEYS = {
    "id": {"type": "string", "pattern": r"^[A-Z]\d\d[a-z]?\Z"},
    "claims": {**_LIST, "items": _TEXT},
    "statement": _TEXT,
    "part": {"enum": ["test", "validation", "transfer"]},
    "networks": {**_LIST, "items": _LAYERS, "maxItems": 1},
    "protocol": {"enum": list(PROTOCOLS)},
    "seeds": {"type": "integer", "minimum": 2},
    "row": {
        "type": "object",
        "required": ["learning_rate", "epochs"],
        "additionalProperties": False,
        "properties": {"learning_rate": {"type": "number"}, "epochs": {"type": "integer"}},
    },
    "emotions": {**_LIST, "items": {"enum": list(EMOTIONS)}, "maxItems": 5},
    "among": {"enum": ["all", "true"]},
    "paper": _POINTS,
    "margin": _POINTS,
    "why": _TEXT,
}


def _schema(required: str, optional: str = "", measures: tuple[str, ...] = (), **own: dict[str, Any]) -> dict[str, Any]:
    """JSON schema of the entries of a rule; `own` replaces single keys of `_KEYS`."""
    always = "id claims statement rule " + ("measure part networks protocol " if measures else "")
    kinds = {**_KEYS, "rule": _TEXT, "measure": {"enum": list(measures)}, **own}
    names = (always + required).split()
    properties = {name: kinds[name] for name in [*names, *optional.split()]}
    return {"type": "object", "required": names, "additionalProperties": False, "properties": properties}


_HARDEST = _schema("seeds emotions", measures=("recall",))

#: The schema of each rule's entries.
SCHEMAS = {
    "value": _schema(
        "paper margin", "seeds row emotions", ("accuracy", "recall"),
        networks={**_LIST, "items": {"enum": ["best", 5, 6, 7]}, "maxItems": 1},
        emotions={**_KEYS["emotions"], "maxItems": 1},
    ),
    "below": _schema("paper margin seeds", measures=("accuracy",)),
    "order": _schema("paper", "seeds row", ("accuracy",), networks={**_LIST, "items": _LAYERS, "minItems": 2}),
    "hardest": _HARDEST,
    "easiest": _HARDEST,
    "confusion": _schema(
        "seeds emotions among", measures=("confusion",),
        emotions={**_KEYS["emotions"], "minItems": 2, "maxItems": 2},
    ),
    "best_cell": _schema("row", measures=("accuracy",)),
    "untestable": _schema("why"),
}  # fmt: skip

_WHOLE = {
    "type": "object",
    "required": ["close", "elsewhere", "claims"],
    "additionalProperties": False,
    "properties": {"close": _POINTS, "elsewhere": _KEYS["claims"], "claims": {"type": "array", "minItems": 1}},
}
_ENTRY = {"type": "object", "required": ["id", "rule"], "properties": {"rule": {"enum": list(SCHEMAS)}}}


def _problem(content: Any, schema: dict[str, Any]) -> str:
    """What is wrong with `content` by `schema`, and where; empty if nothing is."""
    error = best_match(Draft202012Validator(schema).iter_errors(content))
    return "" if error is None else " ".join([*(f"{part}:" for part in error.absolute_path), error.message])


def _unheard(entry: dict[str, Any]) -> str:
    """What is wrong with an entry of the right form, or empty."""
    if entry["rule"] in ("value", "order") and ("seeds" in entry) == ("row" in entry):
        return "takes either seeds or row"
    if entry["rule"] == "value" and (entry["measure"] == "recall") != ("emotions" in entry):
        return "names an emotion for the measure recall, and for no other"
    if "row" in entry:
        rows = paper.table("table1")
        same = rows[[*entry["row"]]].eq(pd.Series(entry["row"])).all(axis=1)
        if not {*entry["networks"]} <= {*rows.loc[same, "layers"]}:
            return "row: is none of Table 1"
    return ""


def read(path: str | os.PathLike = PAPER / "verdicts.yaml") -> Rulebook:
    """Read and check the claims and their rules.

    Raises
    ------
    lib.base.problems.InputProblem
        If the file is no YAML, or an entry has an unknown, missing or wrong key, or names no claim of
        ``paper/claims.csv``. The entry is named.
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
    stated = set(paper.table("claims")["id"])
    entries: dict[str, Entry] = {}
    for place, entry in enumerate(content["claims"], 1):
        refuse(f"entry {place}", _problem(entry, _ENTRY))
        where = f"entry {entry['id']}"
        refuse(where, _problem(entry, SCHEMAS[entry["rule"]]) or _unheard(entry))
        refuse(where, "is there twice" if entry["id"] in entries else "")
        refuse(where, ", ".join(sorted({*entry["claims"]} - stated)) and "names a claim that claims.csv has not")
        entries[entry["id"]] = Entry(**entry)
    refuse("elsewhere", ", ".join(sorted({*content["elsewhere"]} - stated)) and "names a claim that claims.csv has not")
    return Rulebook(content["close"], tuple(entries.values()), tuple(content["elsewhere"]))
