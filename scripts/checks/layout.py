"""Layout check: `operator/` and folders of tests are not packages, and no package has too many modules.

An `operator/__init__.py` shadows the standard library's `operator` wherever the checkout's root is on the path. Python
then fails before any other check can explain it. So this module runs by its path, first and with the standard library
alone: `python -S scripts/checks/layout.py`.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Final

PACKAGE: Final = "reconstruction_operator"
_SOURCES: Final = ("operator", "plugin", "gallery", "devcluster", "demo", "chaos", "benchmarks", "scripts")
_MOST_MODULES: Final = 15  # a package with more is divided by subject
_IGNORED: Final = {"__pycache__", ".DS_Store"}  # files of tools


def problems(checkout: Path) -> list[str]:
    """Return files and folders that violate the layout."""
    source_root = checkout / "operator"
    entries = {entry.name for entry in source_root.iterdir()} - _IGNORED
    results = []
    if "__init__.py" in entries:
        results.append("operator/__init__.py shadows the standard library's operator module: remove it")
    results += [
        f"operator/{name} is not the package {PACKAGE}: move it elsewhere"
        for name in sorted(entries - {PACKAGE, "__init__.py"})
    ]
    if not (source_root / PACKAGE / "__init__.py").is_file():
        results.append(f"operator/{PACKAGE} is not a package: its __init__.py is missing")
    results += [
        f"{path.relative_to(checkout)} makes its folder of tests a package: remove it"
        for path in sorted((checkout / "tests").rglob("__init__.py"))
    ]
    modules = (path for root in _SOURCES for path in (checkout / root).rglob("*.py") if path.name != "__init__.py")
    results += [
        f"{package.relative_to(checkout)} has {number} modules, more than {_MOST_MODULES}: divide it by subject"
        for package, number in sorted(Counter(path.parent for path in modules).items())
        if number > _MOST_MODULES
    ]
    return results


if __name__ == "__main__":
    wrong = problems(Path(__file__).resolve().parents[2] if len(sys.argv) == 1 else Path(sys.argv[1]).resolve())
    for problem in wrong:
        print(f"layout: {problem}")
    sys.exit(1 if wrong else 0)
