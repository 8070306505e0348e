"""Fixtures shared by all tests."""

import lib  # noqa: F401, I001  before NumPy, which any plugin may import

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real clips (``cremad/VideoFlash``, ``ravdess/Actor_NN``, ``openface``), or a skip that says so."""
    folder = os.environ.get("REAL_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("REAL_DATA names no folder of real clips, so nothing real is tested here")
    return Path(folder)


def pytest_collection_modifyitems(items):
    """Fast tests first, so that a mistake shows early."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
