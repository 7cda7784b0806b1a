"""Bucket results: read where the S3 server stores them; each object is a file, which appears and disappears atomically."""

from __future__ import annotations

import json
from pathlib import Path

from chaos import clock
from chaos.judge.evidence import DeliveredCopy
from chaos.witnesses import sealed

POINTER = "result.json"


def is_object(uri: str) -> bool:
    """Return whether it is an address of object storage."""
    return uri.startswith("s3://")


def read(folder: Path, uri: str) -> DeliveredCopy | None:
    """Return the result that the pointer at the address `uri` names; its objects are in the folder. None if there is no object."""
    if not sealed.names(folder):
        return None
    below = _pointed(folder)
    if below is None:
        return DeliveredCopy(clock.now(), "", "", "there are objects, but no pointer")
    try:
        return sealed.read(folder / below, f"{uri.rstrip('/')}/{below}")
    except FileNotFoundError:
        return DeliveredCopy(clock.now(), "", "", f"the pointer names {below}, which has no manifest")


def hidden(folder: Path) -> list[str]:
    """Return the objects at the address that do not belong to the pointer's result."""
    below = _pointed(folder)
    return sorted(
        name for name in sealed.names(folder) if name != POINTER and (below is None or not name.startswith(below))
    )


def _pointed(folder: Path) -> str | None:
    """Return the folder that the pointer names; None if there is no pointer."""
    try:
        return str(json.loads((folder / POINTER).read_bytes())["folder"])
    except FileNotFoundError:
        return None
