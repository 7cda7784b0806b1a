"""Sphinx settings: Markdown by MyST, the theme furo.

`python -m scripts.site` runs Sphinx with them on the staged pages.
"""

from __future__ import annotations

from typing import Any

project = "Reconstruction operator"
author = "the Reconstruction operator's authors"
copyright = "Apache-2.0"  # noqa: A001  # Sphinx's name

extensions = ["myst_parser", "sphinx_copybutton"]
myst_heading_anchors = 5  # anchors as GitHub has them, down to this level
suppress_warnings = [
    "misc.highlighting_failure",  # `…` marks omitted text
    "myst.header",  # the changelog begins its sections at the third level
]
smartquotes = False  # keep `--` and quotes as typed
exclude_patterns = ["files/**"]

html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "../../docs/images/icon.svg"
html_copy_source = False
html_show_sourcelink = False
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}
copybutton_exclude = ".linenos, .gp, .go"  # a console's prompt and output


def setup(app: Any) -> None:
    """Register the hook; Sphinx calls this function."""
    app.connect("html-page-context", _give_captions_a_level, priority=1000)  # after furo made the tree


def _give_captions_a_level(_app: Any, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Give the headings of the navigation a level, which screen readers need and Sphinx omits."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')
