"""Staging: copies the pages for Sphinx into one folder, with links to staged pages and files, without marks of
commands.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scripts.site.navigation import HOME, SECTIONS

_LINK: Final = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!https?://|mailto:|#)([^)#\s]+)((?:#[^)\s]*)?)\)")
_MARK: Final = re.compile(r"^ *<!-- (?:not )?run: .+ -->\n", re.MULTILINE)


def stage(checkout: Path, target: Path) -> None:
    """Write the pages of the navigation, the runbooks, and the files that they show or link to into the new folder
    `target`.
    """
    runbooks = [str(path.relative_to(checkout)) for path in sorted((checkout / "docs" / "runbooks").glob("*.md"))]
    pages = {name: _place(name) for name in (HOME, *(name for names in SECTIONS.values() for name in names), *runbooks)}
    for name, place in pages.items():
        text, linked = rewritten((checkout / name).read_text(), name, pages, checkout)
        if name == HOME:
            text += _table_of_contents(pages)
        if name == "docs/runbooks/README.md":
            text += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        (target / place).write_text(text)
        for file in linked:
            copy = target / "files" / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checkout / file, copy)


def rewritten(text: str, name: str, pages: Mapping[str, str], checkout: Path) -> tuple[str, list[str]]:
    """Return the page `name` with rewritten links, and the files that it links to.

    `pages`: path in the checkout -> place.

    A link to a folder or to a page outside the site becomes its text. A link that shows a page's file name gets the
    page's title.
    """
    linked: list[str] = []
    here = posixpath.dirname(pages[name]) or "."

    def place(match: re.Match[str]) -> str:
        bang, label, link, anchor = match.groups()
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
        if target in pages:
            if label == posixpath.basename(link):  # readers of the site see titles, not files
                label = _title((checkout / target).read_text())
            return f"{bang}[{label}]({posixpath.relpath(pages[target], here)}{anchor})"
        if not (checkout / target).is_file() or target.endswith(".md"):
            return label
        linked.append(target)
        return f"{bang}[{label}]({posixpath.relpath(f'files/{target}', here)})"

    return _LINK.sub(place, _MARK.sub("", text)), linked


def _title(text: str) -> str:
    return text.partition("# ")[2].partition("\n")[0]


def _place(name: str) -> str:
    """Return a page's place in the site: docs/a.md -> a.md, CHANGELOG.md -> project/changelog.md, the chart's README ->
    chart.md.
    """
    if name.startswith("charts/"):
        return "chart.md"
    return name.removeprefix("docs/") if name.startswith("docs/") else f"project/{name.lower()}"


def _table_of_contents(pages: Mapping[str, str]) -> str:
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {section}\n\n" + "".join(f"{pages[name]}\n" for name in names) + "```\n"
        for section, names in SECTIONS.items()
    )
