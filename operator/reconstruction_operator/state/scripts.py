"""Scripts in Lua, by name: one file for each in `lua/`, after the prelude. The operator's are between the fence and the loop over a batch."""

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
    if not fenced:
        return Script.of(name, part(PRELUDE) + part(name))
    change = f"local function change(KEYS, ARGV)\n{part(name)}end\n"
    return Script.of(name, part(PRELUDE) + part("fence") + change + part("each"))


def part(name: str) -> str:
    """Return the text of one file, which is a script only after the prelude."""
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
