"""Bad input: one clear sentence that names the file, what is wrong and what to do."""

from __future__ import annotations

import os

from lib.base.paths import relative

LONGEST = 400  # characters of a problem: text quoted from a damaged file can be endless


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

    def __reduce__(self):  # so that a worker of a pool can send it to its parent
        return type(self), (self.file, self.problem, self.remedy)
