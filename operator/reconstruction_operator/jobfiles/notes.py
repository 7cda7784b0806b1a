"""Ownership notes in job folders, used to find orphans and delivered copies after Redis has lost its data.

The workspace of a run names its owner in `owner.json`, a published result in its `manifest.json`. Both also name the place of
a delivered copy. The folder of a bare `delay()` has no owner: the operator never orders its deletion.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.layout import JobFolder, Workspace

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Note:
    """Names the owner of a job folder, and where a copy of its result may lie (empty: nowhere)."""

    owner: Owner
    uri: str
    published: bool  # the result became the job's, and may have been reported


def note(workspace: Workspace, owner: Owner, output_uri: str) -> None:
    """Writes the owner of the workspace, and where its run delivers (empty: nowhere)."""
    workspace.owner_note.write_text(json.dumps({**owner.to_json(), "outputUri": output_uri}) + "\n")


def deliveries(folder: JobFolder) -> tuple[Note, ...]:
    """The notes that name a place of a copy; of two notes for one place, the published one.

    Raises OSError if a note could not be read. No other record of its copy exists, so the folder must not be deleted yet.
    """
    return tuple({one.uri: one for one in _notes(folder, skipped=()) if one.uri}.values())


def owners() -> Iterator[Owner]:
    """The owner of each job folder that names one, with its newest attempt. Folders may appear and vanish meanwhile.

    Raises OSError if the job folders cannot be listed.
    """
    for folder in JobFolder.all():
        found = (one.owner for one in _notes(folder, skipped=(OSError,)))
        newest = max(found, key=lambda owner: owner.attempt, default=None)
        if newest is not None and newest.job_id == folder.job_id:
            yield newest


def owner_of(folder: JobFolder) -> Owner | None:
    """The owner that the notes of the folder name; None: they name none, or cannot be read."""
    return next((one.owner for one in _notes(folder, skipped=(OSError,)) if one.owner.job_id == folder.job_id), None)


def _notes(folder: JobFolder, *, skipped: tuple[type[OSError], ...]) -> Iterator[Note]:
    """The valid notes of the runs, and last that of the result. `skipped`: errors of notes that are left out."""
    for read in (*(partial(_read, file) for file in folder.owner_notes), partial(_read_sealed, folder.output)):
        noted = None
        with contextlib.suppress(*skipped):
            noted = read()
        if noted is not None:
            yield noted


def _read(file: Path) -> Note | None:
    with contextlib.suppress(
        FileNotFoundError, NotADirectoryError, AttributeError, KeyError, TypeError, ValueError, RecursionError
    ):
        data = json.loads(disk.read_regular(file, _MAX_BYTES))
        uri = data.get("outputUri")
        return Note(Owner.from_json(data), uri if isinstance(uri, str) else "", published=False)
    return None


def _read_sealed(output: Path) -> Note | None:
    sealed = manifests.read(output)
    return None if sealed is None or sealed.owner is None else Note(sealed.owner, sealed.uri, published=True)
