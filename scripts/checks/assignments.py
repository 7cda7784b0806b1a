"""Assignment check: no statement assigns the results of several calls at once (`a, b = f(), g()`).

Such a statement hides calls in the middle of a line, and saves a line only. Names and constants may be packed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scripts.checks.texts import tracked_texts

_MOST_CALLS: Final = 1


def problems(checkout: Path) -> list[str]:
    """Return the statements of all tracked Python files that pack calls."""
    modules = {path: text for path, text in tracked_texts(checkout).items() if path.endswith(".py")}
    return [
        f"{path}:{line}: assigns the results of several calls at once: write a statement for each"
        for path, text in modules.items()
        for line in packed(ast.parse(text))
    ]


def packed(module: ast.Module) -> Iterator[int]:
    """Yield the lines of assignments of tuples to tuples in which more than one value has a call."""
    for node in ast.walk(module):
        match node:
            case ast.Assign(targets=[ast.Tuple()], value=ast.Tuple(elts=values)):
                if sum(map(_calls, values)) > _MOST_CALLS:
                    yield node.lineno


def _calls(value: ast.expr) -> bool:
    return any(isinstance(node, ast.Call) for node in ast.walk(value))
