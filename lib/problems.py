"""Bad input: one clear sentence that names the file, what is wrong and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pandas as pd

from lib.paths import relative, write_table

LONGEST = 400  # characters of a problem: a damaged file's own words may have no end
COLUMNS = ["file", "problem", "remedy"]


class InputProblem(Exception):
    """A file that cannot be used as it is.

    Parameters
    ----------
    file
        The file or folder at fault.
    problem
        What is wrong with it, without a full stop.
    remedy
        What the user can do about it, without a full stop.
    """

    def __init__(self, file: str | os.PathLike, problem: str, remedy: str):
        self.file = relative(file)
        self.problem = problem if len(problem) <= LONGEST else f"{problem[:LONGEST]} ..."
        self.remedy = remedy
        super().__init__(f"{self.file}: {self.problem}; {remedy}.")

    def __reduce__(self):  # crosses process borders in a pool of workers
        return type(self), (self.file, self.problem, self.remedy)


def problem_table(problems: Iterable[InputProblem]) -> pd.DataFrame:
    """Table of `problems` with the columns ``file, problem, remedy``, sorted by file."""
    rows = [(p.file, p.problem, p.remedy) for p in problems]
    return pd.DataFrame(rows, columns=COLUMNS).sort_values(COLUMNS, ignore_index=True)


def write_problems(problems: Iterable[InputProblem], path: str | os.PathLike) -> pd.DataFrame:
    """Write the table of `problems` to `path` (CSV; also when there is none) and return it."""
    table = problem_table(problems)
    write_table(table, path)
    return table
