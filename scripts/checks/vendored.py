"""Check of vendored files: the gallery's built script is the one that `scripts/viewer` took from the pinned npm package."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

_VIEWER: Final = Path("gallery") / "viewer"
_VENDOR: Final = Path("gallery") / "reconstruction_gallery" / "static" / "vendor"
_PACKAGE: Final = "@google/model-viewer"


def problems(checkout: Path) -> list[str]:
    """Files whose content is not the recorded one, and pins that do not agree."""
    found = []
    for line in (checkout / _VIEWER / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        path = checkout / _VENDOR / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            found.append(f"{_VENDOR / name} is not what {_VIEWER}/SHA256SUMS records: run `make viewer`")
    wanted = json.loads((checkout / _VIEWER / "package.json").read_text())["dependencies"][_PACKAGE]
    locked = json.loads((checkout / _VIEWER / "package-lock.json").read_text())["packages"][f"node_modules/{_PACKAGE}"]
    if locked["version"] != wanted:
        found.append(f"{_VIEWER}: package-lock.json has {_PACKAGE} {locked['version']}, and package.json {wanted}")
    if not str(locked.get("integrity", "")).startswith("sha512-"):
        found.append(f"{_VIEWER}: package-lock.json has no SHA-512 of {_PACKAGE}")
    return found
