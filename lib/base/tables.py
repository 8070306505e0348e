"""pandas as `pd`, loaded at its first use: a prediction makes no table, and it takes 40 MiB and half a second.

Modules that a prediction imports take it from here; a test of `make predict` names the one that forgets it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
else:

    class _Pandas:
        def __getattr__(self, name: str) -> Any:
            import pandas

            return getattr(pandas, name)

    pd = _Pandas()

__all__ = ["pd"]
