"""Sealed results: a folder whose files are those of its manifest, by their digests."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from chaos import clock
from chaos.judge.evidence import DeliveredCopy

MANIFEST = "manifest.json"


def read(folder: Path, uri: str) -> DeliveredCopy:
    """The result in the folder, which the address `uri` names. Raises FileNotFoundError if there is no manifest."""
    raw = (folder / MANIFEST).read_bytes()
    content = json.loads(raw)
    wrong = [one["name"] for one in content["files"] if digest(folder / one["name"]) != one["sha256"]]
    more = names(folder) - {one["name"] for one in content["files"]} - {MANIFEST}
    problems = [f"{wrong} differ from the manifest"] if wrong else []
    problems += [f"{sorted(more)} are not in the manifest"] if more else []
    return DeliveredCopy(clock.now(), content["jobId"], hashlib.sha256(raw).hexdigest(), "; ".join(problems), uri)


def names(folder: Path) -> set[str]:
    """The files in the folder and below it; folders may vanish meanwhile."""
    return {(Path(root) / name).relative_to(folder).as_posix() for root, _, files in os.walk(folder) for name in files}


def digest(path: Path) -> str:
    """Of a file's content; empty if there is no such file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
