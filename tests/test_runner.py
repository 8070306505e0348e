"""A papermill run that ends well, and the ways in which one does not."""

import json
import re

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output

from lib.base.problems import InputProblem
from lib.run import runner

CODE = "import json, pathlib\npathlib.Path(out, 'metrics.json').write_text(json.dumps({'n': n}))"


@pytest.fixture
def notebook(tmp_path):
    def make(code=CODE):
        cells = [new_code_cell(text) for text in ("n: int = 1  # a number\nout: str = ''  # folder", code)]
        cells[0].metadata["tags"] = ["parameters"]
        path = tmp_path / "99_small.ipynb"
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(new_notebook(cells=cells, metadata=kernel), path)
        return path

    return make


def test_a_run_leaves_notebook_parameters_and_metrics(notebook, tmp_path):
    folder = tmp_path / "run"
    assert runner.main([str(notebook()), str(folder), "-p", "n", "3", "-p", "out", str(folder)]) == 0
    assert json.loads((folder / "metrics.json").read_text()) == {"n": 3}
    assert yaml.safe_load((folder / "params.yaml").read_text())["n"] == 3
    assert (folder / "notebook.ipynb").exists() and not (folder / "notebook.part.ipynb").exists()


def test_an_unknown_parameter_is_named_before_anything_runs(notebook, tmp_path):
    with pytest.raises(InputProblem, match="layer.*use n, out"):
        runner.run(notebook(), tmp_path / "run", {"layer": 6})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('too short')", "too short"),
        ("pass", r"metrics\.json"),
        ("import os; os._exit(1)", "notebook"),
    ],
    ids=["failing cell", "no metrics", "kernel died"],
)
def test_a_failed_run_is_not_done_and_is_kept_for_its_reader(notebook, tmp_path, code, said, caplog):
    folder = tmp_path / "run"
    assert runner.main([str(notebook(code)), str(folder), "-p", "out", str(folder)]) == 1
    assert re.search(said, caplog.text)
    assert not (folder / "notebook.ipynb").exists() and not (folder / "metrics.json").exists()
    assert (folder / "notebook.failed.ipynb").exists()


def test_a_notebook_executed_in_place_is_the_same_source(tmp_path):
    path = tmp_path / "a.ipynb"
    notebook = new_notebook(cells=[new_code_cell("1 + 1"), new_code_cell("2")])
    nbformat.write(notebook, path)
    before = runner.source_digest(path)
    notebook.cells[0].update(outputs=[new_output("stream", text="2")], execution_count=1)
    notebook.cells[0].metadata["collapsed"] = False
    nbformat.write(notebook, path)
    assert runner.source_digest(path) == before
    notebook.cells[1].source = "3"
    nbformat.write(notebook, path)
    assert runner.source_digest(path) != before
