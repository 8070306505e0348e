"""Jinja templates: an unknown name is an error, and a line of a tag leaves no empty line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def environment(folder: Path, *, escape: bool = False, **filters: Callable[..., Any]) -> Environment:
    """The templates in `folder`, with `filters` in addition to Jinja's; `escape` values for HTML or SVG."""
    templates = Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        autoescape=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= filters
    return templates
