"""Ownership notes in job folders, used to find orphans and delivered copies after Redis has lost its data.

The workspace of a run names its owner in `owner.json`, a published result in its `manifest.json`. Both also name the place of
a delivered copy. The folder of a bare `delay()` has no owner: the operator never orders its deletion.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where a copy of a job's result may lie, and the namespace whose limits hold for it."""

    uri: str
    namespace: str
    published: bool  # the result became the job's, and may have been reported


def note(workspace: Workspace, owner: Owner, output_uri: str) -> None:
    """Writes the owner of the workspace, and where its run delivers (empty: nowhere)."""
    workspace.owner_note.write_text(json.dumps({**owner.to_json(), "outputUri": output_uri}) + "\n")


def deliveries(folder: JobFolder) -> tuple[Delivery, ...]:
    """All places of copies that the job's notes name; of two notes for one place, the published one.

    Raises:
        OSError: a note could not be read. No other record of its copy exists, so the folder must not be deleted yet.

    """
    found = {}
    for file in folder.owner_notes:
        noted = _read(file)
        if noted is not None and noted[1]:
            owner, uri = noted
            found[uri] = Delivery(uri, owner.namespace, published=False)
    sealed = manifests.read(folder.output)
    if sealed is not None and sealed.owner is not None and sealed.uri:
        found[sealed.uri] = Delivery(sealed.uri, sealed.owner.namespace, published=True)
    return tuple(found.values())


def owners() -> Iterator[Owner]:
    """The owner of each job folder that names one. Folders may appear and vanish meanwhile.

    Raises:
        OSError: the job folders cannot be listed.

    """
    for folder in JobFolder.all():
        owner = _owner(folder)
        if owner is not None and owner.job_id == folder.job_id:
            yield owner


def _owner(folder: JobFolder) -> Owner | None:
    """The newest attempt's."""
    found = []
    for file in folder.owner_notes:
        with contextlib.suppress(OSError):
            found.append(noted[0] if (noted := _read(file)) else None)
    with contextlib.suppress(OSError):
        sealed = manifests.read(folder.output)
        found.append(sealed.owner if sealed else None)
    return max((one for one in found if one is not None), key=lambda one: one.attempt, default=None)


def _read(file: Path) -> tuple[Owner, str] | None:
    """Owner and output URI of a note; None if it is missing or invalid. Raises OSError if it cannot be read."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        text = disk.read_regular(file, _MAX_BYTES)
        with contextlib.suppress(KeyError, TypeError, ValueError, RecursionError):
            data = json.loads(text)
            return Owner.from_json(data), data["outputUri"] if isinstance(data["outputUri"], str) else ""
    return None
