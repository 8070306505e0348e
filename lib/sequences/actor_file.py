"""Read an actor's masked faces and landmarks, written by `lib.faces.corpus`."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from lib.base.arrays import read_npz
from lib.base.checksums import NAME as CHECKSUMS
from lib.base.checksums import verified
from lib.base.problems import InputProblem

#: What to do about a damaged actor's file.
MASK_AGAIN = "delete it and faces.csv and run again: only this actor is masked anew"

#: Type of each array, and its axes after the first, the frames.
_FORMS = {"faces": (np.uint8, (None, None, 3)), "landmarks": (np.floating, (68, 2)), "success": (np.bool_, ())}


def read(path: Path, *names: str) -> tuple[list[np.ndarray], dict[str, tuple[int, int]]]:
    """Read arrays of an actor's file.

    Parameters
    ----------
    path
        ``<actor>.npz``.
    names
        Of ``faces`` (uint8, frames x rows x columns x 3), ``landmarks`` (float, frames x 68 x 2), ``success`` (bool).

    Returns
    -------
    tuple
        The arrays; and for each clip the positions of its first frame and of the one after its last.

    Raises
    ------
    lib.base.problems.InputProblem
        If the file is missing, damaged, or not an actor's file.
    """
    try:
        verified(path, path.parent.with_name(f"faces.{CHECKSUMS}"))
        stored = read_npz(path, *names, "clips", "offsets")
        clips, offsets = stored["clips"], stored["offsets"]
        for name in names:
            kind, axes = _FORMS[name]
            sizes = stored[name].shape
            fits = len(sizes) == len(axes) + 1 and all(a in (None, b) for a, b in zip(axes, sizes[1:], strict=True))
            if not np.issubdtype(stored[name].dtype, kind) or not fits:
                raise ValueError(f"its arrays are not {name}")
        if clips.dtype.kind != "U" or offsets.dtype.kind != "i" or offsets.shape != (len(clips) + 1,):
            raise ValueError("its clips are not named")
        if any((np.diff([0, *offsets, len(stored[name])]) < 0).any() for name in names):
            raise ValueError("its clips and frames do not belong together")
    except FileNotFoundError:
        raise InputProblem(path, "is not there", "run `make reproduce` first") from None
    except (OSError, ValueError, TypeError) as error:
        raise InputProblem(path, f"cannot be read ({error})", MASK_AGAIN) from None
    return [stored[name] for name in names], dict(zip(clips.tolist(), pairwise(offsets.tolist()), strict=True))
