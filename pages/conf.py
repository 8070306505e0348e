"""Sphinx' configuration of the pages that lib.report.site has written. Nothing may be loaded from a network."""

from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

project = "Six emotions in masked faces: a reproducibility study"
language = "en"
extensions = ["myst_nb"]
exclude_patterns = ["extra", ".doctrees"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True
nb_output_stderr = "remove"
nb_ipywidgets_js = {}
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["extra"]
html_copy_source = False
html_show_search_summary = False  # it would fetch each page that it finds, which file:// forbids
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}
html_sidebars = {name: [] for name in ("index", "run", "files", "search", "genindex")}
html_domain_indices = html_use_index = False
html_theme_options = {
    "logo": {"text": "Six emotions, checked", "alt_text": "First page"},
    "show_prev_next": True,
    "back_to_top_button": False,
    "secondary_sidebar_items": {"**": ["page-toc"], "index": [], "files": [], "run": []},
    "search_bar_text": "Search these pages",
    "footer_start": ["copyright", "sphinx-version"],
    "footer_end": ["theme-version"],
}
copyright = "the study's authors; MIT licence"


def inline_math(writer, node):
    """Write a formula as MathML, which browsers show without a script."""
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def block_math(writer, node):
    """Write a displayed formula as MathML."""
    writer.body.append(tex2mathml(node.astext(), as_block=True))
    raise nodes.SkipNode


def name_headers(app, page, template, context, doctree):
    """Say of every header cell which cells it names; pandas and docutils leave that to the reader's eye."""
    if "<table" not in context.get("body", ""):
        return
    body = BeautifulSoup(context["body"], "html.parser")
    for cell in body.select("table th:not([scope])"):
        if not cell.get_text(strip=True):
            cell.name = "td"  # an empty header names nothing
        elif cell.find_parent("thead"):
            cell["scope"] = "colgroup" if int(cell.get("colspan", 1)) > 1 else "col"
        else:
            cell["scope"] = "row"
    context["body"] = str(body)


def setup(app):
    """Register what stands above."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline_math, None), block_renderers=(block_math, None))
    app.connect("html-page-context", name_headers)
