"""Each check of the pages rejects a page that violates it. That all pages pass is checked by `make lint`."""

from __future__ import annotations

import pytest

from scripts.checks import pages
from scripts.checks.texts import tracked_texts
from tests.support.paths import CHECKOUT

RUN, NOT_RUN = "<!-- run: a -->\n", "<!-- not run: needs a key -->\n"


def asked(name: str) -> str:
    """Return a call of `block`, which a test must not contain literally: the check would look for the page's block."""
    return f'block("{name}")'


def test_a_link_path_or_make_target_that_does_not_exist_is_reported() -> None:
    page = (
        "[good](../Makefile#a) [bad](no.md) [far](https://a/b) `make setup` `make everything` `api/crd.py` `api/no.py`"
    )
    dead = pages.dead_references({"docs/a.md": page.replace("#a", "")}, CHECKOUT, {"setup"})
    assert list(dead) == [
        "docs/a.md: the target of the link no.md does not exist",
        "docs/a.md: there is no api/no.py",
        "docs/a.md: there is no `make everything`",
    ]


def test_a_link_to_a_heading_that_does_not_exist_is_reported() -> None:
    page = "# A\n[here](#a) [nowhere](#b) [there](helm.md#one-operator-for-each-namespace) [no](helm.md#part)"
    assert list(pages.dead_references({"docs/a.md": page}, CHECKOUT, set())) == [
        "docs/a.md: this page has no heading #b",
        "docs/a.md: helm.md has no heading #part",
    ]


def test_anchors_are_those_of_github() -> None:
    text = "# One, two & `three`\n## [Link](a.md) / x\n## Same\n## Same\n```sh\n# no heading\n```\n"
    assert pages.anchors(text) == {"one-two--three", "link--x", "same", "same-1"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            "a\n\n    ls\n", "docs/a.md: an indented block is code; write a fence with a language: ls", id="indented"
        ),
        pytest.param("```\nls\n```", "docs/a.md:1: the fence has no language; known languages are", id="no language"),
        pytest.param("```fish\nls\n```", "docs/a.md:1: the fence has fish; known languages are", id="unknown language"),
        pytest.param("```sh\nls\n```", "docs/a.md:1: write <!-- run: NAME --> or <!-- not run: REASON -->", id="bare"),
        pytest.param(
            f"{RUN}\n\n```sh\nls\n```", "docs/a.md:4: write <!-- run: NAME --> or <!-- not run: REASON -->", id="apart"
        ),
        pytest.param(f"{RUN}text", "docs/a.md: a mark of commands (<!-- run … -->) must be right above", id="stray"),
    ],
)
def test_a_block_without_language_or_mark_is_reported(text: str, problem: str) -> None:
    assert next(pages.bad_blocks({"docs/a.md": text})).startswith(problem)


def test_marked_commands_and_blocks_of_other_languages_pass() -> None:
    good = f"{RUN}```sh\nls\n```\n\n- item\n\n  {NOT_RUN}  ```console\n  $ ls\n  ```\n\n```text\nls\n```\n"
    assert list(pages.bad_blocks({"docs/a.md": good})) == []
    assert [(block.mark, block.about, block.text) for block in pages.blocks({"docs/a.md": good})] == [
        ("run", "a", "ls\n"),
        ("not run", "needs a key", "$ ls\n"),
        ("", "", "ls\n"),
    ]


def test_every_hand_written_page_is_checked() -> None:
    assert [name for name in pages_of_the_checkout() if not pages.is_page(name)] == [
        "charts/reconstruction-operator/README.md"
    ]


def pages_of_the_checkout() -> list[str]:
    return [name for name in tracked_texts(CHECKOUT) if name.endswith(".md")]


def test_a_block_without_a_test_and_a_test_without_a_block_are_reported() -> None:
    page = f"{RUN}```sh\nls\n```\n{RUN}```sh\nls\n```\n{RUN.replace('a', 'b')}```sh\nls\n```\n{NOT_RUN}```sh\nls\n```\n"
    assert list(pages.unclaimed(pages.blocks({"docs/a.md": page}), {"a", "c"})) == [
        "docs/a.md:6: a is also the name of a block of docs/a.md",
        f"docs/a.md:10: no test runs {asked('b')}",
        f"a test runs {asked('c')}, which no page has",
    ]
