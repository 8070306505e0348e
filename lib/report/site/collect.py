"""Collect the contents of a site: a study's executed notebooks and the files that they wrote."""

from __future__ import annotations

import re
import shutil
from html import escape
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from lib.base.paths import NOTEBOOKS, in_workspace
from lib.base.problems import InputProblem
from lib.study import TRAINING, Study, load, results
from lib.study.cells import Cell
from lib.study.choices import OF_PAPER, REHEARSAL, SIMULATION

SAMPLE_NOTE = """:::{{admonition}} {title}
:class: important
Drawn faces, not the paper's videos: nothing about the paper follows from these numbers.
:::"""
PAPER_NOTE = """:::{admonition} The paper and the real CREMA-D
:class: note
No synthetic data is used in this notebook.
:::"""

#: A cell with this many lines of code or more is folded.
LONG = 10


def executed(study: Study, best: Cell) -> dict[str, Path]:
    """Files of the executed notebooks, in the order of the series; for notebook 04 that of the training `best`.

    A study of other drawn faces than a twin has the committed notebook of the twin.

    Raises
    ------
    lib.base.problems.InputProblem
        If one has not been run.
    """
    files = {}
    for stem in sorted({path.stem for path in NOTEBOOKS.glob("*.ipynb")} - {*study.not_asked}):
        folder = study.runs(stem) / "default"
        if stem == TRAINING:
            folder = study.training(best)
        elif stem in OF_PAPER:
            folder = in_workspace(Path("papermill_runs/paper") / stem / "default")
        files[stem] = folder / "notebook.ipynb"
        if not files[stem].is_file():
            raise InputProblem(files[stem], "is not there: the notebook has not been run", results.remedy(study))
    if takes_simulation(study):
        files[REHEARSAL] = NOTEBOOKS / f"{REHEARSAL}.ipynb"
    return dict(sorted(files.items()))


def takes_simulation(study: Study) -> bool:
    """Whether the site of `study`, drawn faces that are no twin, shows the committed twin `SIMULATION` in addition."""
    return study.render is not None and REHEARSAL in study.not_asked


def _folds(notebook: NotebookNode) -> dict[str, str]:
    """Text on the button of each folded cell, by the cell's id: set-up, metrics and long cells are folded."""
    names, parameters = {}, False
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            names[cell.id] = "the parameters of this run"
        elif "parameters" in tags:
            names[cell.id], parameters = "the parameters", True
        elif not parameters:
            names[cell.id] = "the imports"
        elif re.search(r"^write_metrics\(", cell.source, flags=re.MULTILINE):
            names[cell.id] = "how the results are stored"
        elif len(cell.source.splitlines()) >= LONG:
            names[cell.id] = "the code"
    return names


def readable(path: Path, note: str) -> NotebookNode:
    """Read the executed notebook `path` and make it a page: `note` below the title, set-up and long code folded.

    Papermill's metadata are dropped, since they name folders and times of this machine. Of a progress bar the last
    state is kept. The names of written files are not shown.

    Raises
    ------
    lib.base.problems.InputProblem
        If it is no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds: JSON, schema, encoding
        raise InputProblem(path, f"is no notebook ({error})", "delete it and run the study again") from error
    folds = _folds(notebook)
    for cell in notebook.cells:
        shown = dict(cell.metadata.get("mystnb", {}))
        cell.metadata = NotebookNode()
        if cell.id in folds:
            cell.metadata["tags"] = ["hide-input"]
            shown |= {"code_prompt_show": f"Show {folds[cell.id]}", "code_prompt_hide": f"Hide {folds[cell.id]}"}
        if shown:
            cell.metadata["mystnb"] = shown
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_path(output)]
            for output in cell.outputs:
                if output.output_type == "stream":
                    output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
    notebook.metadata = NotebookNode({"kernelspec": notebook.metadata.get("kernelspec", {})})
    if note:
        notebook.cells.insert(1, new_markdown_cell(note, id="note"))
    return notebook


def _is_path(output: NotebookNode) -> bool:
    """Whether `output` is the path that `lib.report.figures.save_table` returns."""
    text = output.data.get("text/plain", "") if output.output_type == "execute_result" else ""
    return bool(re.fullmatch(r"'[^']+\.csv'", text))


def heading(notebook: NotebookNode) -> tuple[str, str]:
    """Title and question of a notebook of the series, from its first cell."""
    first = notebook.cells[0].source
    match = re.search(r"\*\*Question:\*\*\s*(.+)", first)
    question = match.group(1) if match else ""
    return first.splitlines()[0].lstrip("# "), question[:1].upper() + question[1:]


def write_notebooks(study: Study, best: Cell, folder: Path) -> list[tuple[str, str, str]]:
    """Write the notebooks as pages into `folder`; return stem, title and question of each."""
    folder.mkdir(parents=True)
    series = []
    for stem, path in executed(study, best).items():
        title = load(SIMULATION).title if stem in study.not_asked else study.title
        note = SAMPLE_NOTE.format(title=escape(title[:1].upper() + title[1:])) if study.render else ""
        notebook = readable(path, PAPER_NOTE if stem in OF_PAPER else note)
        nbformat.write(notebook, folder / f"{stem}.ipynb")
        series.append((stem, *heading(notebook)))
    return series


def copy_files(study: Study, folder: Path) -> dict[str, dict[str, list[str]]]:
    """Copy the study's and the paper's tables and figures below `folder`.

    Returns
    -------
    dict
        By folder (``tables/sample``) and stem: the paths in `folder` of the files of that stem.
    """
    files: dict[str, dict[str, list[str]]] = {}
    for kind in ("tables", "figures"):
        for name in dict.fromkeys((study.name, "paper")):
            source = in_workspace(Path(kind) / name)
            for file in sorted(path for path in source.glob("*.*") if path.is_file()):
                to = folder / kind / name / file.name
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)
                same = files.setdefault(f"{kind}/{name}", {}).setdefault(file.stem, [])
                same.append(to.relative_to(folder).as_posix())
    return files


def copy_cards(study: Study, folder: Path) -> list[str]:
    """Copy the study's cards, if it has any, into `folder`; return their stems."""
    folder.mkdir(parents=True)
    cards = sorted(in_workspace(Path("cards") / study.name).glob("*.md"))
    for card in cards:
        shutil.copy(card, folder / card.name)
    return [card.stem for card in cards]
