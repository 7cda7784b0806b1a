"""Scripts in Lua, by name: one file for each in `lua/`. The prelude comes first, and for the operator's scripts also the fence."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final

from reconstruction_operator.state.calls import Script

_FOLDER: Final = resources.files("reconstruction_operator.state") / "lua"
PRELUDE: Final = "prelude"


@functools.cache
def script(name: str, *, fenced: bool = False) -> Script:
    """Return the script `lua/{name}.lua`. `fenced`: Redis refuses it to an operator that has been deposed."""
    parts = (PRELUDE, "fence", name) if fenced else (PRELUDE, name)
    return Script.of(name, "".join(map(part, parts)))


def part(name: str) -> str:
    """Return the text of one file, which is a script only after the prelude."""
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
