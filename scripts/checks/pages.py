"""Page check: links, anchors, paths and make targets exist; code blocks have a language; each block of commands names
its test, or the reason why none runs it.

A block of commands (`sh`, `console`) has one of these marks above it, with at most an empty line between:

    <!-- run: NAME -->          a test runs `block("NAME")` (tests/support/pages.py)
    <!-- not run: REASON -->    no test runs it
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.checks.texts import tracked_texts

LANGUAGES: Final = frozenset({"console", "dockerfile", "ini", "json", "promql", "python", "sh", "text", "toml", "yaml"})
COMMANDS: Final = frozenset({"console", "sh"})
_FENCE: Final = re.compile(
    r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_MARK: Final = re.compile(r"^ *<!-- (run|not run): (.+) -->$")
_ABOVE: Final = re.compile(r"-->\n\n?\Z")
_ASKED: Final = re.compile(r"""\b(?:block|commands|lines)\(\s*"([\w-]+)"\s*[,)]""")
_INDENTED: Final = re.compile(r"(?:\A|\n)\n {4,}(?![-*|\d ])")
_LINK: Final = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
_HEADING: Final = re.compile(r"^#+ +(.+?) *#* *$", re.MULTILINE)
_TARGET: Final = re.compile(r"^([a-z0-9-]+):", re.MULTILINE)
_MAKE: Final = re.compile(r"(?:`|^)make ([a-z0-9-]+)", re.MULTILINE)
_PATH: Final = re.compile(r"`((?:[\w.-]+/)+[\w-]+\.(?:acl|lua|md|py|sh|toml|yaml))`")
_PACKAGE: Final = "operator/reconstruction_operator"
_MADE: Final = "charts/reconstruction-operator/README.md"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    mark: str  # "run", "not run", or empty
    about: str  # the name in a `run` mark, the reason in a `not run` mark


def problems(checkout: Path) -> list[str]:
    """Return violations in all Markdown pages."""
    texts = tracked_texts(checkout)
    pages = {name: text for name, text in texts.items() if is_page(name)}
    tests = "\n".join(text for name, text in texts.items() if name.startswith("tests/") and name.endswith(".py"))
    return [
        *dead_references(pages, checkout, {*_TARGET.findall(texts["Makefile"])}),
        *bad_blocks(pages),
        *unclaimed(blocks(pages), {*_ASKED.findall(tests)}),
    ]


def is_page(name: str) -> bool:
    """Return whether a tracked file is a hand-written page. The chart's README is generated."""
    return name.endswith(".md") and name != _MADE


def blocks(pages: Mapping[str, str]) -> Iterator[Block]:
    """Yield all fenced blocks with their marks."""
    for page, text in pages.items():
        for match in _FENCE.finditer(text):
            above = text[: match.start()].rstrip("\n").rpartition("\n")[2]
            mark = _MARK.match(above) if _ABOVE.search(text[: match.start()]) else None
            kind, about = mark.groups() if mark else ("", "")
            margin = len(match["indent"])
            body = "".join(line[margin:] for line in match["text"].splitlines(keepends=True))
            yield Block(page, text.count("\n", 0, match.start()) + 1, match["language"], body, kind, about)


def bad_blocks(pages: Mapping[str, str]) -> Iterator[str]:
    """Yield indented blocks, fences without a known language, commands without a mark, and marks without a block."""
    for page, text in pages.items():
        prose = _FENCE.sub("", text)
        for match in _INDENTED.finditer(prose):
            line = prose[match.start() :].lstrip("\n").partition("\n")[0].strip()
            yield f"{page}: an indented block is code; write a fence with a language: {line[:60]}"
        of_page = list(blocks({page: text}))
        for block in of_page:
            if block.language not in LANGUAGES:
                known = ", ".join(sorted(LANGUAGES))
                yield (
                    f"{page}:{block.line}: the fence has {block.language or 'no language'}; known languages are {known}"
                )
            if block.language in COMMANDS and not block.mark:
                yield f"{page}:{block.line}: write <!-- run: NAME --> or <!-- not run: REASON --> above these commands"
        marks = len(re.findall(_MARK.pattern, text, re.MULTILINE))
        if marks != sum(bool(block.mark) for block in of_page):
            yield f"{page}: a mark of commands (<!-- run … -->) must be right above its block"


def unclaimed(blocks: Iterable[Block], asked: set[str]) -> Iterator[str]:
    """Yield blocks that no test runs, names of two blocks, and names in tests that no block has."""
    named: dict[str, Block] = {}
    for block in blocks:
        if block.mark != "run":
            continue
        if block.about in named:
            yield f"{block.page}:{block.line}: {block.about} is also the name of a block of {named[block.about].page}"
        named[block.about] = block
        if block.about not in asked:
            yield f'{block.page}:{block.line}: no test runs block("{block.about}")'
    for name in sorted(asked - named.keys()):
        yield f'a test runs block("{name}"), which no page has'


def dead_references(pages: Mapping[str, str], checkout: Path, targets: set[str]) -> Iterator[str]:
    """Yield links, anchors, paths and make targets that do not exist."""
    for name, text in pages.items():
        prose = _FENCE.sub("", text)
        for link, anchor in _LINK.findall(prose):
            target = (checkout / name).parent / link if link else checkout / name
            if link and not target.exists():
                yield f"{name}: the target of the link {link} does not exist"
            elif anchor and anchor not in anchors(target.read_text() if link else text):
                yield f"{name}: {link or 'this page'} has no heading #{anchor}"
        for path in sorted({*_PATH.findall(prose)}):
            if not any((root / path).exists() for root in (checkout, checkout / _PACKAGE, (checkout / name).parent)):
                yield f"{name}: there is no {path}"
        for target_name in sorted({*_MAKE.findall(text)} - targets):
            yield f"{name}: there is no `make {target_name}`"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    counts: dict[str, int] = {}
    made = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = counts.get(slug, 0)
        counts[slug] = count + 1
        made.add(f"{slug}-{count}" if count else slug)
    return made
