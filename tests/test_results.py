"""A finished run as its readers take it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lib.base.problems import InputProblem
from lib.study import load, results

RECORD = Path(__file__).parent / "sample_runs"


@pytest.mark.parametrize("read", ["measures", "predictions", "history"])
def test_runs_with_other_numerics_than_the_studys_are_refused(tmp_path, monkeypatch, read):
    monkeypatch.setenv("STUDY_WORKSPACE", str(tmp_path))
    study = load("sample")
    cell = study.grid[0]
    shutil.copytree(RECORD / cell.run, study.training(cell))
    call = getattr(results, read)
    wanted = [cell] if read == "measures" else cell
    assert json.loads((study.training(cell) / "metrics.json").read_text())["numerics"] == "portable"
    assert len(call(study, wanted))
    with pytest.raises(InputProblem, match=r"metrics\.json: was trained with numerics: portable, .*native"):
        call(replace(study, numerics="native"), wanted)
