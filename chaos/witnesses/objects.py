"""Results in a bucket, read as the S3 server keeps them: each object is a file, and appears and vanishes in one step."""

from __future__ import annotations

import json
from pathlib import Path

from chaos import clock
from chaos.judge.evidence import DeliveredCopy
from chaos.witnesses import sealed

POINTER = "result.json"


def is_object(uri: str) -> bool:
    """Whether it is an address of object storage."""
    return uri.startswith("s3://")


def read(folder: Path, uri: str) -> DeliveredCopy | None:
    """The result that counts at the address `uri`, whose objects are in the folder; None if there is no object."""
    if not sealed.names(folder):
        return None
    below = _pointed(folder)
    if below is None:
        return DeliveredCopy(clock.now(), "", "", "objects are there, and no pointer")
    try:
        return sealed.read(folder / below, f"{uri.rstrip('/')}/{below}")
    except FileNotFoundError:
        return DeliveredCopy(clock.now(), "", "", f"its pointer names {below}, which has no manifest")


def hidden(folder: Path) -> list[str]:
    """Objects at the address that belong to no result that counts."""
    below = _pointed(folder)
    return sorted(
        name for name in sealed.names(folder) if name != POINTER and (below is None or not name.startswith(below))
    )


def _pointed(folder: Path) -> str | None:
    """The folder that the pointer names; None: there is no pointer."""
    try:
        return str(json.loads((folder / POINTER).read_bytes())["folder"])
    except FileNotFoundError:
        return None
