"""The documentation says what the code says, links to what exists, and names nobody's machine."""

import re
import runpy
import subprocess
from pathlib import Path

import pytest
from reconstruction_operator import config

from tests.support.paths import CHECKOUT

WRITER = runpy.run_path(str(CHECKOUT / "scripts" / "write_docs.py"))
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])

# Put together here, so that this file does not name them, either.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("registry", "npmjs", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
]


def tracked_texts() -> dict[str, str]:
    """Every text file of the repository: path in the checkout -> content."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    texts = {}
    for name in filter(None, listed):
        path = CHECKOUT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            texts[name] = content.decode()
    return texts


@pytest.mark.parametrize("name", sorted(WRITER["pages"]()))
def test_a_page_that_is_made_from_code_is_current(name: str) -> None:
    assert WRITER["pages"]()[name] == (CHECKOUT / name).read_text(), "run `make docs`"


def test_every_setting_says_what_it_is_for() -> None:
    assert len(config.TABLE) > 40
    assert [row.name for row in config.TABLE if len(row.meaning) < 5 or not row.unit] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z0-9-]+)", page.read_text())) <= targets


@pytest.mark.parametrize("host", REGISTRY_HOSTS)
def test_no_file_names_the_host_of_a_package_registry(host: str) -> None:
    assert [name for name, text in tracked_texts().items() if host in text] == []


def test_no_file_names_a_path_of_this_machine() -> None:
    # A checkout near the root (/src) or a home that is / would be found everywhere.
    here = [f"{path}/" for path in (CHECKOUT, Path.home()) if len(path.parts) > 1 and path != Path("/src")]
    assert [name for name, text in tracked_texts().items() for path in here if path in text] == []
