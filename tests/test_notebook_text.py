"""What a reader meets in every notebook: findings with numbers, narrow tables, one spelling, the README's times."""

import re

import nbformat
import pytest

from lib.base.paths import NOTEBOOKS, ROOT

SERIES = sorted(NOTEBOOKS.glob("*.ipynb"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Methods whose two sentences of theory stand before their first use, and words of these sentences.
METHODS = {
    "03_masking_and_padding": {"similarity transform": "least squares"},
    "08_paper_audit": {"GRIM": "whole number", "McNemar": "fair coin"},
    "10_uncertainty": {"McNemar": "fair coin", "bootstrap": "with replacement", "ECE": "bin by bin"},
    "15_where_it_looks": {"occlusion": "painted", "AUC": "the probability that", "linear probe": "simple classifier"},
}


def cells(path):
    return nbformat.read(path, as_version=4).cells


def sections(path):
    """The cells below each heading ``##`` of a notebook, by heading; the last cell, which stores, is left out."""
    found, current = {}, []
    for cell in cells(path)[:-1]:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("## "):
                    current = found.setdefault(line, [])
        else:
            current.append(cell)
    return found


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_each_section_ends_in_what_was_found(path):
    for heading, code in sections(path).items():
        shows = [
            cell.source for cell in code if re.search(r"\b(?:print|show|display|finding)\(|Markdown\(", cell.source)
        ]
        assert shows and "finding(" in shows[-1], f"{path.name}: {heading} ends without a finding"
        call = shows[-1][shows[-1].index("finding(") :]
        assert "{" in call or "sentence" in call, f"{path.name}: {heading}: the finding has no number from the data"


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_the_header_has_the_time_of_the_readme(path):
    time = re.search(rf"\(notebooks/{path.name}\).*\| ([^|]+) \|$", README, flags=re.MULTILINE)[1]
    runs = re.search(r"\*\*Runs for:\*\* (.+)", cells(path)[0].source)[1]
    assert runs.startswith(time), f"{path.name} says {runs}, the README {time}"


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_a_table_fits_the_page(path):
    """At most seven columns where a table is drawn; a printed one is cut at no page's edge."""
    for cell in (cell for cell in cells(path) if cell.cell_type == "code"):
        for output in cell.outputs:
            html = output.get("data", {}).get("text/html", "")
            widths = [len(re.findall(r"<td", row)) for row in html.split("<tr")]
            assert max(widths) <= 7, f"{path.name}, cell {cell.id} has {max(widths)} columns"
            longest = max(map(len, output.get("text", "").splitlines()), default=0)
            assert longest <= 180, f"{path.name}, cell {cell.id} prints lines of {longest} characters"


@pytest.mark.parametrize("path", SERIES, ids=lambda path: path.stem)
def test_a_learning_rate_is_spelled_one_way(path):
    for cell in cells(path):
        texts = [cell.source if cell.cell_type == "markdown" else ""]
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), *map(str, output.get("data", {}).values())]
        for text in texts:
            if "image" not in text[:30]:
                # the paper's own 1-e3 is quoted with what it means
                found = re.search(r"(?<![\w.+/])1e-0?[345](?!\w)(?!, 1e|.{0,20}is meant)", text)
                assert not found, f"{path.name}: {text[max(0, found.start() - 60) : found.end() + 20]}"


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_explained_before_its_first_use(name):
    text = "\n".join(cell.source for cell in cells(NOTEBOOKS / f"{name}.ipynb") if cell.cell_type == "markdown")
    for method, words in METHODS[name].items():
        start = text.index(method)
        assert words in text[max(0, start - 200) : start + 900], f"{name}: {method}"


#: Of the recordings' format and of the rules that a sentence explains, not of any result.
CONSTANTS = {"16,000", "30000", "1001"}


@pytest.mark.parametrize("name", ["02_frame_counts", "08_paper_audit", "09_human_baseline"])
def test_a_number_of_the_prose_stands_in_an_output(name):
    """A number that is typed in a sentence is one that a cell of the same notebook prints."""
    every = cells(NOTEBOOKS / f"{name}.ipynb")
    outputs = [output for cell in every for output in cell.get("outputs", [])]
    shown = "\n".join(output.get("text", "") + output.get("data", {}).get("text/markdown", "") for output in outputs)
    known = {number.replace(",", "") for number in re.findall(r"\d[\d,]*(?:\.\d+)?", shown)}
    prose = "\n".join(cell.source for cell in every[1:] if cell.cell_type == "markdown")
    # names of files, clips and notebooks, formulas, years of publications
    prose = re.sub(r"`[^`]*`|\d{4}_\w+|notebooks? \d\d|\$[^$]*\$|[A-Z][a-z]+ \d{4}\b", " ", prose)
    typed = {number.rstrip(",") for number in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", prose)} - CONSTANTS
    missing = sorted(number for number in typed if number.replace(",", "") not in known)
    assert missing == [], f"typed in {name} and printed nowhere: {missing}"
