"""The page: what it says is what the files say, and a browser opens all of it from a file, without a network."""

import logging
import re
import shutil
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import nbformat
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lib.base import paths
from lib.base.files import write_table, write_text
from lib.base.problems import InputProblem
from lib.claims import audit, verdicts
from lib.measures.evaluation import wilson
from lib.report.site.__main__ import main
from lib.report.site.answer import answer
from lib.report.site.build import PAGES, build, commands, run_sphinx, section, within_site, write_sources
from lib.report.site.collect import readable
from lib.report.site.comparison import Comparison, Share
from lib.study import TRAINING, load, results
from lib.study.choices import OF_PAPER
from lib.study.metrics import write_metrics

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
REAL = """
study: real
title: ""
corpora: {cremad: {name: CREMA-D, folder: cremad}, ravdess: {name: RAVDESS, folder: ravdess}}
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """What a sample study leaves: the recorded runs, and the committed notebooks in place of the executed ones."""
    folder = tmp_path_factory.mktemp("workspace")
    runs = folder / "papermill_runs"
    shutil.copytree(paths.ROOT / "tests/sample_runs", runs / "sample" / TRAINING)
    shutil.copytree(paths.ROOT / "tests/sample_runs", runs / "real" / TRAINING)
    for notebook in paths.NOTEBOOKS.glob("*.ipynb"):
        for study in ("paper",) if notebook.stem in OF_PAPER else ("sample", "real"):
            places = (runs / study / TRAINING).glob("*/") if notebook.stem == TRAINING else ["default"]
            for place in places:
                to = runs / study / notebook.stem / place / "notebook.ipynb"
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(notebook, to)
    write_metrics(runs / "paper/08_paper_audit/default", ravdess_clips=1056)
    write_metrics(runs / "paper/09_human_baseline/default", plurality=0.685)
    for kind in ("tables", "figures"):
        for study in ("sample", "paper"):
            shutil.copytree(paths.ROOT / kind / study, folder / kind / study)
    for path in (folder / "tables/sample").glob("*.csv"):
        write_text(folder / "tables/real" / path.name, path.read_text().replace("synthetic ", ""))
    write_text(folder / "cards/sample/model_card.md", "# Model card\n\nSee [the data sheet](data_sheet.md).\n")
    write_text(folder / "cards/sample/data_sheet.md", "# Data sheet\n\n| who | n |\n|---|---|\n| actors | 24 |\n")
    grid = (paths.CONFIG / "sample.yaml").read_text().partition("\ngrid:")[2].partition("\nuncertainty:")[0]
    write_text(folder / "real.yaml", f"{REAL}grid:{grid}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_WORKSPACE", str(folder))
        for study in (load("sample"), load(folder / "real.yaml")):
            judged = verdicts.judge(study)
            found = verdicts.runs(judged) if study.render else judged
            write_table(found, folder / "tables" / study.name / "verdicts.csv")
        yield folder


@pytest.fixture(scope="module")
def warnings():
    """What the build of the site warned of."""
    return []


@pytest.fixture(scope="module")
def site(workspace, warnings):
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(record.getMessage())
    logging.getLogger("lib").addHandler(handler)
    folder = build(load("sample"))
    logging.getLogger("lib").removeHandler(handler)
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """The pages of the site, parsed, by their path in it."""
    found = {path.relative_to(site).as_posix(): path.read_text() for path in site.rglob("*.html")}
    return {name: BeautifulSoup(text, "html.parser") for name, text in sorted(found.items())}


# What the page says


def test_a_share_and_its_difference():
    half, third = Share(50, 100), Share(100, 300)
    assert (str(half), half.interval) == ("50.0 %", "40.4 to 59.6")
    points, low, high = map(float, re.fullmatch(r"(\S+) \((\S+) to (\S+)\)", half.less(third)).groups())
    assert points == 16.7
    (a, b), (c, d) = wilson(50, 100), wilson(100, 300)  # Newcombe's method 10 takes the difference's limits from these
    assert low == pytest.approx(100 * (1 / 6 - ((0.5 - a) ** 2 + (d - 1 / 3) ** 2) ** 0.5), abs=0.051)
    assert high == pytest.approx(100 * (1 / 6 + ((b - 0.5) ** 2 + (1 / 3 - c) ** 2) ** 0.5), abs=0.051)


def test_the_sample_is_never_compared_with_the_paper(workspace):
    sample, real = Comparison(load("sample")), Comparison(load(workspace / "real.yaml"))
    for name in ("table1", "table2", "recalls"):
        drawn, filmed = getattr(sample, name)(), getattr(real, name)()
        assert "difference" not in drawn.columns and drawn.caption.startswith("synthetic sample: ")
        assert filmed.columns == (*drawn.columns, "difference")
        assert all(len(row) == len(filmed.columns) == sum(n for _, n in filmed.groups) for row in filmed.rows)
        assert [row[:-1] for row in filmed.rows] == list(drawn.rows)
    assert "ours" not in answer(load("sample"), sample).table(load("sample")).columns


def test_the_tables_hold_what_the_notebooks_found(workspace):
    study = load("sample")
    comparison, grid = Comparison(study), pd.read_csv(workspace / "tables/sample/table1_grid.csv")
    shown = [float(row[7].removesuffix(" %")) / 100 for row in comparison.table1().rows if row[7] != "not run"]
    assert shown == pytest.approx(grid["test_accuracy"].tolist(), abs=1.01e-3)
    shown = [float(row[3].removesuffix(" %")) for row in comparison.table2().rows]
    tables = [results.predictions(study, c, "transfer") for c in sorted(comparison.best, key=lambda cell: cell.layers)]
    assert shown == pytest.approx([100 * (t["emotion"] == t["predicted"]).mean() for t in tables], abs=0.051)
    test = results.predictions(study, comparison.best[0])
    right = (test["emotion"] == test["predicted"]).groupby(test["emotion"]).mean()
    assert [row[4] for row in comparison.recalls().rows] == [f"{100 * share:.1f} %" for share in right]


def test_figure_5_is_the_papers_whole_matrix(workspace):
    matrix = Comparison(load("sample")).matrices()["paper"]
    assert [[count for count, _ in row] for _, _, row in matrix.rows] == audit.figure5()[0].to_numpy().tolist()
    assert matrix.rows[2][:2] == ("fear", 279) and matrix.rows[2][2][2] == (204, 204 / 279)


def test_the_opening_page_gives_the_numbers_of_the_files(pages, workspace):
    text = " ".join(pages["index.html"].article.get_text(" ", strip=True).split())
    claims = pd.read_csv(workspace / "tables/paper/audit_claims.csv")["verdict"].value_counts()
    assert "78.52 % right on CREMA-D, 63.35 % on RAVDESS" in text
    assert f"agree {claims['consistent']}" in text and f"cannot be known {claims['unknown']}" in text
    assert f"do not hold {claims['corrected'] + claims['inconsistent']}" in text
    rules = pd.read_csv(workspace / "tables/sample/verdicts.csv")
    assert f"{(rules['ran'] == 'yes').sum()} of the {len(rules)} rules for the paper's claims ran" in text
    assert not any(verdict in text for verdict in ("not reproduced", "cannot be tested"))  # drawn faces judge nothing
    assert "nothing about the paper follows" in text and "is not known yet" in text
    assert commands(section((paths.ROOT / "README.md").read_text(), "Run it")).split("  ")[0] in text


def test_the_picture_shows_the_paper_the_raters_and_the_twin(pages):
    label = pages["index.html"].select_one(".answer svg")["aria-label"]
    networks = pd.read_csv(paths.ROOT / "tables/twin-pilot/uncertainty_networks.csv")
    best = networks[networks["protocol"] == "random"]["mean"].max()
    for text in ("the paper, CREMA-D: 78.5 %", "raters, CREMA-D: 68.5 %", f"random split: {100 * best:.1f} %"):
        assert text in label
    assert "drawn faces" in label and load("twin-pilot").title in label
    assert pages["index.html"].select_one('a[href="notebooks/13_rehearsal.html"]').text == "What the simulation shows"


def test_the_site_of_the_sample_has_the_notebook_of_the_twin(pages):
    text = pages["notebooks/13_rehearsal.html"].get_text(" ")
    assert load("twin-pilot").title.capitalize() in text and "nothing about the paper follows" in text


def test_a_study_of_the_real_corpora_is_answered(workspace, tmp_path):
    study = load(workspace / "real.yaml")
    write_sources(study, tmp_path)
    page = (tmp_path / "index.md").read_text()
    assert "synthetic" not in page and "not known yet" not in page
    best = Comparison(study).share(Comparison(study).best[0], "test")
    assert f"Our networks on the same videos: <strong>{best}</strong>" in page
    assert "synthetic" not in (tmp_path / "notebooks/index.md").read_text()


# What it is made of


def test_a_title_never_becomes_markup(workspace, tmp_path):
    """A study's file may not hold such a title; a page would not believe it either."""
    study = replace(load("sample"), title="sample <script>alert(1)</script>")
    write_sources(study, tmp_path)
    sources = {path: path.read_text() for path in tmp_path.rglob("*") if path.suffix in (".md", ".ipynb")}
    assert sum("ample &lt;script&gt;" in text for text in sources.values()) >= 3
    assert not [path for path, text in sources.items() if "<script>alert" in text]


def test_a_notebook_becomes_readable(tmp_path):
    cells = [
        new_markdown_cell("# 00 · A title"),
        new_code_cell("import os", id="imports"),
        new_code_cell("study: str = 'sample'  # which", id="parameters", metadata={"tags": ["parameters"]}),
        new_code_cell("study = 'tiny'", id="injected", metadata={"tags": ["injected-parameters"], "papermill": {}}),
        new_code_cell("x = 1", id="short", metadata={"mystnb": {"image": {"alt": "A line."}}}),
        new_code_cell("x = 1\n" * 30, id="long"),
        new_code_cell("write_metrics(out, x=1)", id="end"),
    ]
    cells[4].outputs = [
        new_output("stream", text="epoch 1\r\nepoch 2\n 10 %\r 50 %\r100 %\nend\n"),
        new_output("execute_result", {"text/plain": "'tables/sample/a.csv'"}),
        new_output("execute_result", {"text/plain": "'a word'"}),
    ]
    path = tmp_path / "notebook.ipynb"
    nbformat.write(new_notebook(cells=cells, metadata={"papermill": {"input_path": "/home/me"}}), path)
    notebook = readable(path, "a note")
    folded = {cell.id for cell in notebook.cells if "hide-input" in cell.metadata.get("tags", [])}
    assert folded == {"imports", "parameters", "injected", "long", "end"}
    assert notebook.cells[1].source == "a note"
    short = next(cell for cell in notebook.cells if cell.id == "short")
    assert short.metadata == {"mystnb": {"image": {"alt": "A line."}}}
    assert short.outputs[0].text == "epoch 1\r\nepoch 2\n100 %\nend\n"
    assert [output.data["text/plain"] for output in short.outputs[1:]] == ["'a word'"]
    assert "papermill" not in nbformat.writes(notebook) and "/home/me" not in nbformat.writes(notebook)


def test_links_of_the_readme_lead_to_pages_or_nowhere():
    text = "[one](notebooks/08_paper_audit.ipynb), [`two`](paper/claims.csv), [three](https://example.org)"
    assert within_site(text) == "[one](notebooks/08_paper_audit), `two`, [three](https://example.org)"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}'])
def test_what_is_no_notebook_is_named(content, tmp_path):
    (tmp_path / "notebook.ipynb").write_text(content)
    with pytest.raises(InputProblem, match="notebook.ipynb: is no notebook"):
        readable(tmp_path / "notebook.ipynb", "")


@pytest.mark.parametrize(
    "missing",
    ["papermill_runs/sample/05_training_grid/default/notebook.ipynb", "tables/sample/verdicts.csv",
     "tables/sample/table2_transfer.csv", "tables/sample/fig5_recall_precision.csv"],
)  # fmt: skip
def test_what_is_missing_is_named_with_the_command_that_makes_it(missing, workspace, site, caplog):
    before = (site / "index.html").read_bytes()
    (workspace / missing).rename(workspace / "aside")
    try:
        assert main(["--study", "sample"]) == 1
    finally:
        (workspace / "aside").rename(workspace / missing)
    assert caplog.messages[-1].startswith(f"{missing}: is not there")
    assert caplog.messages[-1].endswith("run `make reproduce STUDY=sample` first.")
    assert (site / "index.html").read_bytes() == before
    assert not list(site.parent.glob(".site*"))


def test_sphinx_has_nothing_to_complain_of(site, warnings):
    assert warnings == []


def test_what_sphinx_cannot_build_is_reported(tmp_path):
    (tmp_path / "conf.py").write_text("extensions = ['no_such_extension']")
    with pytest.raises(InputProblem, match="cannot be built .*no_such_extension"):
        run_sphinx(tmp_path, tmp_path / "pages")


def test_nothing_is_loaded_from_elsewhere(site):
    sources = [*PAGES.rglob("*.*"), *site.rglob("*.html")]
    for path in sources:
        loads = re.findall(
            r"""<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=["'](?:https?:)?//[^"']+""", path.read_text()
        )
        assert not loads, f"{path.name}: {loads}"


def test_no_link_is_broken(site, pages):
    anchors = {name: {tag["id"] for tag in page.select("[id]")} for name, page in pages.items()}
    checked = 0
    for name, page in pages.items():
        for tag in page.select("[href], [src]"):
            link = urlsplit(tag.get("href") or tag["src"])
            if link.scheme:
                continue
            target = (site / name).parent / unquote(link.path) if link.path else site / name
            assert target.is_file(), f"{name}: {link.geturl()}"
            if link.fragment and target.suffix == ".html":
                known = anchors[target.resolve().relative_to(site).as_posix()]
                assert unquote(link.fragment) in known, f"{name}: {link.geturl()}"
            checked += 1
    assert checked > 500


def test_pictures_and_tables_can_be_read_aloud(pages):
    pictures = [image for page in pages.values() for image in page.select("img")]
    assert len(pictures) >= 15
    assert all(len(image.get("alt", "")) > 30 for image in pictures)
    headers = [header for page in pages.values() for header in page.select("th")]
    assert len(headers) > 100 and all(header.get("scope") for header in headers)
    assert all(page.html["lang"] == "en" for page in pages.values())


# In a browser


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium), so no page is opened in a browser")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser, site):
    """Open a page of the site: ``opened("index.html", width=360, scheme="dark")``; complaints end the test."""
    contexts, complaints = [], []

    def open_page(name, width=1280, scheme="light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"not loaded: {request.url}"))
        page.on("request", lambda asked: None if asked.url[:5] in ("file:", "data:") else complaints.append(asked.url))
        page.goto(f"{site.as_uri()}/{name}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def names_of_pages():
    series = [f"notebooks/{path.stem}.html" for path in sorted(paths.NOTEBOOKS.glob("*.ipynb"))]
    return [
        f"{name}.html" for name in ("index", "run", "files", "search", "notebooks/index", "cards/model_card")
    ] + series


def violations(page, **rules):
    """What axe finds on `page`, as (rule, element)."""
    from axe_playwright_python.sync_playwright import Axe

    # axe would preload the styles, which file:// forbids
    found = Axe().run(page, options={"resultTypes": ["violations"], "preload": False, **rules})
    return [(rule["id"], node["html"][:150]) for rule in found.response["violations"] for node in rule["nodes"]]


@pytest.mark.parametrize("name", names_of_pages())
def test_a_page_opens_and_is_accessible(name, opened, site):
    if not (site / name).exists():
        pytest.skip("the sample does not run this notebook")
    page = opened(name)
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).map(image => image.src)") == []
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 360, "height": 740})
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page, runOnly=["color-contrast", "scrollable-region-focusable", "target-size"]) == []


def test_every_page_is_opened_in_a_browser(pages):
    assert set(pages) - set(names_of_pages()) <= {"cards/index.html", "cards/data_sheet.html", "genindex.html"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_answer_fits_on_the_screen_of_a_phone(scheme, opened):
    page = opened("index.html", 360, scheme)
    for part in (".claim", ".banner", "section[aria-labelledby=runs] .more"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= 740, part


def focused(page):
    return page.evaluate("document.activeElement.textContent").strip()


def tab_to(page, words, most=40):
    """Press Tab until the focus is on `words`; give how often."""
    for presses in range(1, most + 1):
        page.keyboard.press("Tab")
        if focused(page) == words:
            return presses
    raise AssertionError(f"{words!r} is not reached by Tab")


def test_the_keyboard_reaches_content_and_navigation(opened):
    page = opened("index.html")
    assert tab_to(page, "Skip to main content") == 1
    page.wait_for_function("document.activeElement.getBoundingClientRect().top >= 0")
    tab_to(page, "The notebooks")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    shadow = page.evaluate("getComputedStyle(document.activeElement).boxShadow")
    assert outline != "none" or shadow != "none"
    page.keyboard.press("Enter")
    page.wait_for_url("**/notebooks/index.html")


def test_the_keyboard_opens_the_menu_of_a_phone(opened):
    page = opened("index.html", 360)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('aria-label')") == "Site navigation":
            break
    page.keyboard.press("Enter")
    tab_to(page, "The notebooks")
    page.keyboard.press("Enter")
    page.wait_for_url("**/notebooks/index.html")


def test_the_search_finds_a_notebook_without_a_network(opened):
    page = opened("search.html?q=landmarks")
    page.locator("#search-results li a").first.wait_for()
    assert any("Masking" in text for text in page.locator("#search-results li a").all_text_contents())
