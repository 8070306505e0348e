"""Read arrays from files that may be damaged: every fault is raised as a ValueError."""

from __future__ import annotations

import os

import numpy as np


def read_npz(path: str | os.PathLike, *names: str) -> dict[str, np.ndarray]:
    """Read arrays of an ``.npz`` file, by name; nothing in it is executed.

    Parameters
    ----------
    path
        The file.
    names
        Names of the arrays to read; all by default.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read, or has no array of such a name.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in names or file.files}
    except FileNotFoundError:
        raise
    except Exception as error:  # a damaged header can raise anything, from a SyntaxError to a MemoryError
        raise ValueError(_reason(error)) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # a member that is not an .npy file comes as bytes
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
