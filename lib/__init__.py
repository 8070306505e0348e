"""The package of the reproducibility study. Import it before NumPy, so that numbers are the same on every processor."""

from lib.base import numerics

numerics.prepare()
