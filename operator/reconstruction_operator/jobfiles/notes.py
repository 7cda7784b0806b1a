"""Whose the job folders are, as they say themselves: what is left to clean up by when Redis has forgotten a job.

An attempt's folder says it in `owner.json`, a published result in the `owner` of its `manifest.json`. Both say as well where a
copy of the result goes, or went. The folder of a bare `delay()` says nothing, and is nobody's to delete.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconstruction_operator import config
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.services import file_handler

OWNER = "owner.json"
MANIFEST = "manifest.json"
_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a copy of a job's result may lie, and the namespace whose limits hold for it."""

    uri: str
    namespace: str
    published: bool  # the result became the job's, and may have been reported


def note(root: Path, owner: Owner, output_uri: str) -> None:
    """Write into an attempt's folder whose it is, and where it delivers (empty: nowhere)."""
    (root / OWNER).write_text(json.dumps({**owner.to_json(), "outputUri": output_uri}) + "\n")


def deliveries(job_id: str) -> tuple[Delivery, ...]:
    """What the job's folder says of copies; of a place that two notes name, the published one.

    Raises:
        OSError: a note could not be read. Nothing else knows of its copy, so the folder must not be deleted yet.

    """
    folder = file_handler.job_dir(job_id)
    found: dict[str, Delivery] = {}
    for file in file_handler.attempts_dir(job_id).glob(f"*/{OWNER}"):
        data = _load(file)
        _add(found, data.get("outputUri"), data.get("namespace"), published=False)
    manifest = _load(folder / "output" / MANIFEST)
    owner = manifest.get("owner")
    if isinstance(owner, dict):
        _add(found, manifest.get("uri"), owner.get("namespace"), published=True)
    return tuple(found.values())


def _add(found: dict[str, Delivery], uri: object, namespace: object, *, published: bool) -> None:
    if isinstance(uri, str) and uri and isinstance(namespace, str):
        found[uri] = Delivery(uri, namespace, published)


def owners() -> Iterator[Owner]:
    """The owner of each job folder that says one. Folders may come and go meanwhile.

    Raises:
        OSError: the job folders cannot be listed.

    """
    for folder in Path(config.settings.JOBS_DIR).iterdir():
        owner = _owner(folder)
        if owner is not None and owner.job_id == folder.name:
            yield owner


def _owner(folder: Path) -> Owner | None:
    found = [_read(file, "") for file in folder.glob(f"attempts/*/{OWNER}")]
    found.append(_read(folder / "output" / MANIFEST, "owner"))
    return max((one for one in found if one is not None), key=lambda one: one.attempt, default=None)


def _read(file: Path, field: str) -> Owner | None:
    with contextlib.suppress(OSError, KeyError, TypeError, ValueError):
        data = _load(file)
        return Owner.from_json(data[field] if field else data)
    return None


def _load(file: Path) -> dict[str, Any]:
    """The object in the file; empty if there is none, or half of one. Raises OSError."""
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError, RecursionError),
        file.open("rb") as opened,
    ):
        data = json.loads(opened.read(_MAX_BYTES))
        return data if isinstance(data, dict) else {}
    return {}
