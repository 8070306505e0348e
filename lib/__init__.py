"""The package of the reproducibility study. Import it before NumPy, so that numbers are the same on every processor."""

import sys

from lib.base import numerics

numerics.prepare()
# Importing it compiles grammars for 1.5 s of CPU, in every process that loads a study or runs a notebook: jsonschema
# checks internet addresses with it (python-jsonschema/jsonschema, issue 1428). No schema here or of Jupyter has any.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
