"""Pages: blocks of commands that are marked `<!-- run: NAME -->`, for the tests that run them."""

import functools
import shlex
from collections.abc import Mapping

from scripts.checks import pages
from scripts.checks.texts import tracked_texts
from tests.support.paths import CHECKOUT


@functools.cache
def texts() -> Mapping[str, str]:
    """Return every page: path in the checkout -> content."""
    return {name: text for name, text in tracked_texts(CHECKOUT).items() if pages.is_page(name)}


@functools.cache
def _marked() -> Mapping[str, str]:
    return {block.about: block.text for block in pages.blocks(texts()) if block.mark == "run"}


def block(name: str) -> str:
    """Return the commands of a block as a script; of a console block, the lines with a prompt."""
    text = _marked()[name]
    if not text.startswith("$ "):
        return text
    return "".join(f"{line.removeprefix('$ ')}\n" for line in text.splitlines() if line.startswith("$ "))


def lines(name: str) -> list[str]:
    """Return the commands of a block, one per item."""
    return [line for line in block(name).replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def commands(name: str) -> list[list[str]]:
    """Return the commands of a block, split as by the shell, without comments."""
    return [shlex.split(line, comments=True) for line in lines(name)]
