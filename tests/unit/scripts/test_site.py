"""The site's pages: links between them, to files and to folders; all pages of docs/ are in the navigation."""

from __future__ import annotations

from pathlib import Path

from scripts.site import navigation
from scripts.site.staging import rewritten, stage
from tests.support.paths import CHECKOUT

PAGES = {"docs/a.md": "a.md", "docs/runbooks/b.md": "runbooks/b.md", "CHANGELOG.md": "project/changelog.md"}


def test_links_lead_to_the_places_of_the_pages() -> None:
    text, linked = rewritten(
        "[a](../a.md#x) [c](../../CHANGELOG.md) [far](https://a/b.md) [here](#y)", "docs/runbooks/b.md", PAGES, CHECKOUT
    )
    assert (text, linked) == ("[a](../a.md#x) [c](../project/changelog.md) [far](https://a/b.md) [here](#y)", [])


def test_linked_files_are_copied_and_links_to_folders_become_text() -> None:
    text, linked = rewritten(
        "![i](images/icon.svg) [job](../manifests/examples/gpu.yaml) [all](../manifests) [no](../NO.md)",
        *("docs/a.md", PAGES, CHECKOUT),
    )
    assert text == "![i](files/docs/images/icon.svg) [job](files/manifests/examples/gpu.yaml) all no"
    assert linked == ["docs/images/icon.svg", "manifests/examples/gpu.yaml"]


def test_a_link_named_like_its_file_gets_the_title_of_the_page() -> None:
    text, _ = rewritten("[helm.md](helm.md#shards)", "docs/a.md", PAGES | {"docs/helm.md": "helm.md"}, CHECKOUT)
    assert text == "[Installing with Helm](helm.md#shards)"


def test_marks_of_commands_are_removed() -> None:
    text, _ = rewritten("<!-- run: a -->\n```sh\nls\n```\n<!-- not run: b -->\n", "docs/a.md", PAGES, CHECKOUT)
    assert text == "```sh\nls\n```\n"


def test_every_page_has_one_place_in_the_navigation() -> None:
    named = [name for names in navigation.SECTIONS.values() for name in names]
    pages = {str(path.relative_to(CHECKOUT)) for path in (CHECKOUT / "docs").glob("*.md")}
    assert {name for name in named if name.startswith("docs/")} == pages - {navigation.HOME} | {
        "docs/runbooks/README.md"
    }
    assert len(named) == len({*named})


def test_every_link_of_a_staged_page_has_its_target(tmp_path: Path) -> None:
    stage(CHECKOUT, tmp_path)
    home = (tmp_path / "index.md").read_text()
    assert [line for line in home.splitlines() if line.startswith(":caption:")] == [
        f":caption: {section}" for section in navigation.SECTIONS
    ]
    assert (tmp_path / "project/changelog.md").is_file()
    assert (tmp_path / "files/docs/images/gallery.png").is_file()
