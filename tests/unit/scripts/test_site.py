"""The site's pages: all of docs/ are in the navigation, and every link has its target."""

from __future__ import annotations

from pathlib import Path

from scripts.site import navigation
from scripts.site.staging import stage
from tests.support.paths import CHECKOUT


def test_every_page_has_one_place_in_the_navigation() -> None:
    named = [name for names in navigation.SECTIONS.values() for name in names]
    pages = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "docs").glob("*.md")}
    assert {name for name in named if name.startswith("docs/")} == pages - {navigation.HOME} | {
        "docs/runbooks/README.md"
    }
    assert len(named) == len({*named})


def test_pages_are_staged_with_the_files_that_they_link_to(tmp_path: Path) -> None:
    stage(CHECKOUT, tmp_path)
    home = (tmp_path / "index.md").read_text()
    assert [line for line in home.splitlines() if line.startswith(":caption:")] == [
        f":caption: {section}" for section in navigation.SECTIONS
    ]
    assert (tmp_path / "project/changelog.md").is_file()
    assert (tmp_path / "files/docs/images/mesh.webp").is_file()
