"""Sphinx configuration of the documentation; ``make docs`` builds it, offline and with warnings as errors."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

from sphinx.ext.napoleon import GoogleDocstring  # noqa: E402

from nbtextgen import __version__  # noqa: E402

project, author, release = "nbtextgen", "the nbtextgen authors", __version__
copyright = "the nbtextgen authors, BSD-3-Clause"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "mathml",
    "generated_pages",
]
exclude_patterns = ["_build", "pictures"]

html_theme = "furo"
html_title = f"nbtextgen {release}"
html_static_path = ["_static"]
html_css_files = ["nbtextgen.css"]
html_show_sphinx = False
html_math_renderer = "mathml"  # written into the page: nothing is fetched when it is read

myst_enable_extensions = ["amsmath", "attrs_block", "attrs_inline", "deflist", "dollarmath"]
myst_heading_anchors = 3
smartquotes = False  # would make a dash of the two hyphens of an option
nb_execution_mode = "off"  # notebooks are shown with the outputs that they were saved with
nb_ipywidgets_js = {}  # their widgets are saved as plain HTML; the default would fetch scripts
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures show the types; option keywords are listed on the page of settings
autodoc_inherit_docstrings = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_param = False  # several parameters with one description stay together
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True


def setup(app):
    """Call attributes by their name; Sphinx calls them variables."""
    from sphinx.domains.python import PyObject

    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    GoogleDocstring._consume_returns_section = whole_description
    app.connect("doctree-read", write_dashes)
    app.connect("html-page-context", name_language)
    app.connect("html-page-context", keep_flags_whole)


def name_language(app, pagename, templatename, context, doctree):
    """Say in the page that it is in Chinese, by which browsers choose fonts and voices."""
    if pagename.startswith("zh/") or pagename.endswith(".zh"):
        context["language"] = "zh-Hans"


def keep_flags_whole(app, pagename, templatename, context, doctree):
    """Mark the flags in blocks of magics and commands, which the style sheet folds but not within a flag."""
    blocks = r'<div class="highlight-(?:ipython3|bash)\b[^>]*><div class="highlight"><pre>.*?</pre>'
    flag = re.compile(r"(?<=[\s>])--[a-z][a-z-]*")
    if "body" in context:
        context["body"] = re.sub(
            blocks,
            lambda block: flag.sub(r'<span class="flag">\g<0></span>', block[0]),
            context["body"],
            flags=re.DOTALL,
        )


def whole_description(docstring, preprocess_types=False):
    """What is returned, in one piece: signatures say the type, so that a colon does not end one."""
    lines = docstring._dedent(docstring._consume_to_next_section())
    return [("", "", docstring.__class__(lines, docstring._config).lines())] if lines else []


def write_dashes(app, doctree):
    """Write a dash between a parameter and its description, where Sphinx writes two hyphens for the smart quotes to replace."""
    from docutils import nodes

    for text in list(doctree.findall(nodes.Text)):
        if text.startswith(" -- ") and isinstance(text.parent, nodes.paragraph):
            text.parent.replace(text, nodes.Text(f" \u2013 {text[4:]}"))
