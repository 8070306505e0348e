"""The packages of ``lib`` that a file needs, found from its imports; rules of the workflow depend on them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LIB = Path(__file__).resolve().parents[1]


def modules(source: str) -> set[str]:
    """Dotted names that Python code imports, also within functions; ``from a import b`` gives ``a`` and ``a.b``."""
    names: set[str] = set()
    for node in _statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """`node` and all statements below it; expressions, which are most of a tree, import nothing."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from _statements(child)


def imported(source: str) -> set[str]:
    """Packages of ``lib`` that Python code imports."""
    parts = [name.split(".") for name in modules(source)]
    return {part[1] for part in parts if part[0] == "lib" and len(part) > 1 and (LIB / part[1]).is_dir()}


@cache
def of_package(package: str) -> frozenset[str]:
    """Packages that the modules of `package` import, without `package` itself."""
    sources = (path.read_text(encoding="utf-8") for path in sorted((LIB / package).rglob("*.py")))
    return frozenset(set().union(*map(imported, sources)) - {package})


def of_notebook(notebook: Path) -> list[str]:
    """Packages that a notebook's code imports, and all that these import, in alphabetical order."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return needed_by(*set().union(*map(imported, sources)))


def needed_by(*names: str) -> list[str]:
    """`names` and all that they import, in alphabetical order."""
    waiting = set(names)
    needed: set[str] = set()
    while waiting:
        package = waiting.pop()
        needed.add(package)
        waiting |= of_package(package) - needed
    return sorted(needed)


def files(*names: str) -> list[str]:
    """All modules and templates of `names`."""
    paths = (path for name in names for pattern in ("*.py", "*.j2") for path in (LIB / name).rglob(pattern))
    return sorted(str(path) for path in paths)
