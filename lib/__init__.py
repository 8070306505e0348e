"""Helpers of the reproducibility study. Import it before NumPy: it makes the numbers those of every processor."""

from lib.base import numerics

numerics.prepare()
