"""Lua scripts by name, one file for each in `lua/`. The prelude, and the fence for the operator's, come first."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final

from reconstruction_operator.state.calls import Script

_FOLDER: Final = resources.files("reconstruction_operator.state") / "lua"
PRELUDE: Final = ("legacy", "prelude")


@functools.cache
def script(name: str, *, fenced: bool = False) -> Script:
    """The script `lua/{name}.lua`. `fenced`: Redis refuses it to an operator that has been deposed."""
    parts = (*PRELUDE, "fence", name) if fenced else (*PRELUDE, name)
    return Script.of(name, "".join(map(part, parts)))


def part(name: str) -> str:
    """The text of one file, which needs the prelude in front to be a script."""
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
