"""Read a study's file (YAML) and check it against ``config/schema.yaml``."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lib.base.paths import CONFIG
from lib.base.problems import InputProblem
from lib.study.choices import definitions

if TYPE_CHECKING:
    import jsonschema

_LARGEST = 100_000  # characters of a study's file
NUMBERS = "numbers are written 0.0001, since YAML reads 1e-4 as text"


def config_file(study: str | os.PathLike) -> Path:
    """The file of `study`: a path that ends in ``.yaml``, or a name in ``config/``."""
    study = Path(study)
    return study if study.suffix == ".yaml" else CONFIG / f"{study}.yaml"


class _Loader(yaml.SafeLoader):
    """Plain YAML without aliases, of which a few nested ones can expand to gigabytes, and without very long numbers."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"it holds an alias,{self.peek_event().start_mark}")
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node):
        if len(node.value) > 20:
            raise yaml.YAMLError(f"it holds a number of {len(node.value)} digits")
        return super().construct_yaml_int(node)

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        if twice := next((key for key in keys if keys.count(key) > 1), None):
            raise yaml.YAMLError(f"it holds the key {twice} twice,{node.start_mark}")
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def _read(path: Path) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
        if len(text) > _LARGEST:
            raise ValueError(f"it is longer than {_LARGEST:,} characters")
        return yaml.load(text, _Loader)
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in CONFIG.glob("*.yaml") if p.stem != "schema"))
        raise InputProblem(path, "there is no such study", f"name one of {known}, or a .yaml file") from None
    except (yaml.YAMLError, ValueError, RecursionError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputProblem(path, f"cannot be read as YAML ({reason})", "correct the file") from None


def _where(error: jsonschema.ValidationError) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "the top level"


@cache
def _validator(assumptions_only: bool) -> jsonschema.protocols.Validator:
    """Validator for a whole study's file, or only for its assumptions."""
    import jsonschema  # not needed by steps that read no study's file

    schema = _read(CONFIG / "schema.yaml")
    schema["$defs"] |= definitions()
    if assumptions_only:
        schema = {"properties": {"assumptions": {"$ref": "#/$defs/assumptions"}}, "$defs": schema["$defs"]}
    return jsonschema.Draft202012Validator(schema)


def _check(path: Path, content: Any, assumptions_only: bool = False) -> None:
    """Raise InputProblem for the first entry of `content` that breaks the schema, or for an infinite number."""
    error = min(_validator(assumptions_only).iter_errors(content), key=_where, default=None)
    if error is not None:
        problem = f"at {_where(error)}: {error.message}"
        raise InputProblem(path, problem, f"correct it by config/schema.yaml ({NUMBERS})")
    if not _finite(content):
        raise InputProblem(path, "holds a number that is not finite", f"correct it ({NUMBERS})")


def _finite(content: Any) -> bool:
    if isinstance(content, Mapping | list):
        return all(map(_finite, content.values() if isinstance(content, Mapping) else content))
    return not isinstance(content, float) or math.isfinite(content)


def checked_settings(path: Path, own: dict[str, Any], others: dict[str, Any]) -> dict[str, Any]:
    """All settings, `own` in place of `others`; InputProblem for one that the schema does not allow."""
    _check(path, {"assumptions": own}, assumptions_only=True)
    return others | own


def content_of(path: Path) -> dict[str, Any]:
    """Content of the file `path`, checked against the schema."""
    content = _read(path)
    _check(path, content)
    return content
