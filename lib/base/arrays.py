"""Arrays from disk, without trusting the file: whatever is broken about it becomes a ValueError."""

from __future__ import annotations

import os

import numpy as np


def read_npz(path: str | os.PathLike, *names: str) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz`` file by name; nothing in it is executed.

    Parameters
    ----------
    path
        The file.
    names
        The arrays wanted; all that are in it by default.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where it cannot be read, lacks an array, or holds something else under its name.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in names or file.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged header sets off anything, from a SyntaxError to a MemoryError
        raise ValueError(_reason(error)) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # a member that is no .npy comes as bytes
            raise ValueError(f"{name} is not an array")
    return arrays


def map_npy(path: str | os.PathLike) -> np.ndarray:
    """Memory-map the array in an ``.npy`` file, read-only; raises as `read_npz` does."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(_reason(error)) from error


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
