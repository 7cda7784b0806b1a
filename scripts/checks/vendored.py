"""Vendored files check: npm packages are pinned by SHA-512, and built scripts are the ones that `scripts/viewer` wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_VIEWER: Final = Path("gallery") / "viewer"
_PROGRAMS: Final = Path("devcluster") / "programs" / "npm"


def problems(checkout: Path) -> list[str]:
    """Return files whose content differs from the recorded one, and inconsistent pins."""
    found = []
    for line in (checkout / _VIEWER / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        path = checkout / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(f"{name} differs from {_VIEWER}/SHA256SUMS: run `make viewer`")
    folders = (
        _VIEWER,
        *(path.parent.relative_to(checkout) for path in sorted((checkout / _PROGRAMS).glob("*/package.json"))),
    )
    return found + [problem for folder in folders for problem in _of_lock(checkout, folder)]


def _of_lock(checkout: Path, folder: Path) -> Iterator[str]:
    wanted = json.loads((checkout / folder / "package.json").read_text())
    locks = json.loads((checkout / folder / "package-lock.json").read_text())["packages"]
    for package, version in {**wanted["dependencies"], **wanted.get("devDependencies", {})}.items():
        locked = locks[f"node_modules/{package}"]["version"]
        if locked != version:
            yield f"{folder}: package-lock.json has {package} {locked}, but package.json has {version}"
    for place, locked in locks.items():
        if not place:  # the root package
            continue
        if not str(locked.get("integrity", "")).startswith("sha512-"):
            yield f"{folder}: package-lock.json has no SHA-512 of {place.removeprefix('node_modules/')}"
        if "resolved" in locked:
            yield f"{folder}: package-lock.json has an address of {place.removeprefix('node_modules/')}"
