"""Check of vendored files: the built scripts are those that `scripts/viewer` took from the pinned npm packages."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

_VIEWER: Final = Path("gallery") / "viewer"


def problems(checkout: Path) -> list[str]:
    """Files whose content is not the recorded one, and pins that do not agree."""
    found = []
    for line in (checkout / _VIEWER / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        path = checkout / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(f"{name} is not what {_VIEWER}/SHA256SUMS records: run `make viewer`")
    wanted = json.loads((checkout / _VIEWER / "package.json").read_text())
    locks = json.loads((checkout / _VIEWER / "package-lock.json").read_text())["packages"]
    for package, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        locked = locks[f"node_modules/{package}"]
        if locked["version"] != version:
            found.append(f"{_VIEWER}: package-lock.json has {package} {locked['version']}, and package.json {version}")
        if not str(locked.get("integrity", "")).startswith("sha512-"):
            found.append(f"{_VIEWER}: package-lock.json has no SHA-512 of {package}")
    return found
