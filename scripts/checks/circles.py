"""Import circles: modules that import each other, also through others, only for types, or inside a function.

import-linter compares packages, not the modules of one package. A circle means that its modules can only be read,
tested and moved together.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

_ROOTS: Final = (
    "operator/reconstruction_operator",
    "plugin/kubectl_recon",
    "gallery/reconstruction_gallery",
    "devcluster",
    "demo",
    "chaos",
    "benchmarks",
    "scripts",
)


def problems(checkout: Path) -> list[str]:
    """Return the circles, each with its modules."""
    files = {}
    for root in (checkout / root for root in _ROOTS):
        for path in sorted(root.rglob("*.py")):
            files[_name(path.relative_to(root.parent))] = path
    graph = {name: set(_imported(name, path, files.keys())) for name, path in files.items()}
    return [f"{', '.join(circle)} import each other" for circle in circles(graph)]


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one node (Tarjan 1972), each sorted."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(component) > 1:
                components.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(components)


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(name: str, path: Path, modules: Collection[str]) -> Iterator[str]:
    """Yield the modules of the tree that a module names in any import statement."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names if alias.name in modules and alias.name != name)
            case ast.ImportFrom(module=str() as module, names=names, level=0):
                for alias in names:
                    inside = f"{module}.{alias.name}"
                    target = inside if inside in modules else module
                    if target in modules and target != name:
                        yield target
