"""Sealed results: a folder whose files match the digests in its manifest."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from chaos import clock
from chaos.judge.evidence import DeliveredCopy

MANIFEST = "manifest.json"


def read(folder: Path, uri: str) -> DeliveredCopy:
    """Return the result in the folder, whose address is `uri`. Raises FileNotFoundError if there is no manifest."""
    raw = (folder / MANIFEST).read_bytes()
    content = json.loads(raw)
    wrong = [one["name"] for one in content["files"] if digest(folder / one["name"]) != one["sha256"]]
    more = names(folder) - {one["name"] for one in content["files"]} - {MANIFEST}
    problems = [f"{wrong} differ from the manifest"] if wrong else []
    problems += [f"{sorted(more)} are not in the manifest"] if more else []
    return DeliveredCopy(clock.now(), content["jobId"], hashlib.sha256(raw).hexdigest(), "; ".join(problems), uri)


def names(folder: Path) -> set[str]:
    """Return the files below the folder; folders may disappear meanwhile."""
    return {(Path(root) / name).relative_to(folder).as_posix() for root, _, files in os.walk(folder) for name in files}


def digest(path: Path) -> str:
    """Return the digest of the file's content; empty if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
