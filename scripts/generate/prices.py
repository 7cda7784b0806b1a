"""Prices: the statements of each mechanism in docs/decisions.md, counted from the modules that its row names.

A statement of Python is a node `ast.stmt` that is no docstring, so that neither the formatter nor comments change the
price. In other languages each line counts that has code. A price is written again when it is more than a tenth off:
most commits do not touch the page.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

from scripts.paths import CHECKOUT, read

PAGE: Final = "docs/decisions.md"
_PACKAGE: Final = "operator/reconstruction_operator"
_LANGUAGES: Final = (".py", ".lua", ".js", ".ts", ".tsx", ".yaml", ".sh")
_COMMENT: Final = re.compile(r"\s*(#|--|//|/?\*|\{\{-? ?/\*|$)")
_TOLERANCE: Final = 0.1
_ROW: Final = re.compile(r"^\| (?P<before>.+) \| (?P<modules>`[^|]+`) \| (?P<price>[\d,]*) \|$")


class PriceError(ValueError):
    """A row of the page names a module that does not exist."""


def files() -> dict[str, str]:
    """Return path -> content of the page with today's prices. Raises PriceError."""
    return {PAGE: priced(read(PAGE), CHECKOUT)}


def priced(page: str, checkout: Path) -> str:
    """Return the page with the price of each row that names modules. Raises PriceError."""
    return "\n".join(_priced_row(line, checkout) for line in page.split("\n"))


def _priced_row(line: str, checkout: Path) -> str:
    row = _ROW.match(line)
    if row is None:
        return line
    counted = sum(statements(name, checkout) for name in re.findall(r"`([^`]+)`", row["modules"]))
    written = int(row["price"].replace(",", "") or 0)
    if abs(counted - written) <= counted * _TOLERANCE:
        return line
    return f"| {row['before']} | {row['modules']} | {counted:,} |"


def statements(name: str, checkout: Path) -> int:
    """Return the statements of a module, of all modules below a folder, or of `module.py:function`.

    Paths are below the operator's package, or else below the checkout. Raises PriceError.
    """
    file, _, definition = name.partition(":")
    path = next((path for path in (checkout / _PACKAGE / file, checkout / file) if path.exists()), None)
    if path is None:
        raise PriceError(f"{PAGE} names `{name}`, which does not exist")
    if path.is_dir():
        return sum(_of_text(file, "") for file in sorted(path.rglob("*")) if file.suffix in _LANGUAGES)
    return _of_text(path, definition)


def _of_text(path: Path, definition: str) -> int:
    text = path.read_text()
    if path.suffix != ".py":
        return sum(_COMMENT.match(line) is None for line in text.splitlines())
    tree: ast.AST = ast.parse(text)
    if definition:
        tree = _definition(tree, definition, path)
    return sum(isinstance(node, ast.stmt) and not _is_docstring(node) for node in ast.walk(tree))


def _definition(tree: ast.AST, name: str, path: Path) -> ast.AST:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and node.name == name:
            return node
    raise PriceError(f"{PAGE} names `{path.name}:{name}`, which does not exist")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
