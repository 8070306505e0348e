"""Read the file names in a corpus' folder and make the table of clips; used by the modules of all corpora."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from lib.base.problems import InputProblem
from lib.base.tables import pd
from lib.corpora.pointers import usable

#: Columns of the table of clips, the same for every corpus.
CLIP_COLUMNS = ["clip", "path", "corpus", "actor", "emotion", "sentence", "level", "sex", "age", "race", "ethnicity"]


def read_names(
    files: Iterable[Path], folder: Path, ending: str, read: Callable[[str], dict[str, Any] | None], title: str
) -> tuple[dict[Path, dict[str, Any]], list[InputProblem]]:
    """Read what the names of video files state.

    Parameters
    ----------
    files
        Files in `folder`. Those that start with a dot are skipped.
    ending
        Suffix of a video, e.g. ``.mp4``.
    read
        Returns the columns of `CLIP_COLUMNS` that a file's stem states, or None for a clip that the study does not use;
        raises ValueError if the name does not follow the scheme.
    title
        Title of the corpus.

    Returns
    -------
    tuple
        The columns by file, and a problem for each file that does not follow the scheme or is there twice.
    """
    stated: dict[Path, dict[str, Any]] = {}
    problems: list[InputProblem] = []
    first: dict[str, Path] = {}
    for path in (path for path in files if not path.name.startswith(".")):
        try:
            if path.suffix.lower() != ending:
                raise ValueError(f"{path.name!r} is not a {ending} video")
            row = read(path.stem)
            if row is not None and (other := first.setdefault(path.stem, path)) != path:
                raise ValueError(f"is there twice, also as {other.relative_to(folder)}")
        except ValueError as error:
            problems.append(InputProblem(path, str(error), f"rename it after the scheme of {title} or remove it"))
        else:
            stated |= {} if row is None else {path: row}
    return stated, problems


def usable_clips(corpus: str, stated: dict[Path, dict[str, Any]]) -> tuple[pd.DataFrame, list[InputProblem]]:
    """The table of the clips from `read_names` that can be opened, and the problems of the others."""
    good, problems = usable(stated)
    rows = [{"clip": path.stem, "path": str(path), "corpus": corpus, **stated[path]} for path in good]
    return clip_table(rows), problems


def clip_table(rows: list[dict]) -> pd.DataFrame:
    """Table of clips with `CLIP_COLUMNS`, sorted by clip; missing values are NA."""
    table = pd.DataFrame(rows, columns=CLIP_COLUMNS)
    strings = {name: "str" for name in CLIP_COLUMNS if name not in ("actor", "age")}
    return table.astype({**strings, "actor": "int64", "age": "Int64"}).sort_values("clip", ignore_index=True)
