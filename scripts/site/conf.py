"""Sphinx's settings: Markdown by MyST, the theme furo. `python -m scripts.site` runs Sphinx with it, on the staged pages."""

project = "Reconstruction operator"
author = "the Reconstruction operator's authors"
copyright = "Apache-2.0"  # noqa: A001  # Sphinx's name

extensions = ["myst_parser", "sphinx_copybutton"]
myst_heading_anchors = 5  # anchors as GitHub has them, down to this level
suppress_warnings = [
    "misc.highlighting_failure",  # `…` stands for what was left out
    "myst.header",  # the changelog begins its sections at the third level
]
smartquotes = False  # text has `--` and quotes as the reader types them
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
