"""Ownership notes in job folders, used to find orphans and delivered copies after Redis has lost its data.

The workspace of a run names its owner in `owner.json`, a published result in its `manifest.json`. Both also hold the
URI of a delivered copy. The folder of a bare `delay()` has no owner: the operator never orders its deletion.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from reconstruction_operator import disk
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.layout import OWNER, JobFolder, Workspace

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Note:
    """Names the owner of a job folder, an attempt that has begun there, and where a copy of its result may be.

    `uri` is empty if there is none.
    """

    owner: AttemptRef
    uri: str
    published: bool  # whether the copy is of a published result, which may have been reported
    of_result: bool = False  # whether this is the note of the published result, not of a run


def note(workspace: Workspace, owner: AttemptRef, output_uri: str, *, published: bool = False) -> None:
    """Write the note of the workspace: its owner, where its run delivers, and whether the copy there is of a published
    result.
    """
    noted = {"attempt": codec.encode(owner), "outputUri": output_uri, "published": published}
    workspace.owner_note.write_text(json.dumps(noted) + "\n")


def deliveries(folder: JobFolder) -> tuple[Note, ...]:
    """Return one note for each URI of a copy: the note of the result or, failing that, the note of an unpublished copy.

    Raises OSError if a note could not be read. Only the note records its copy, so the folder must not be deleted yet.
    """
    by_uri: dict[str, Note] = {}
    for entry in _notes(folder, skipped=()):
        if entry.uri and (entry.of_result or entry.uri not in by_uri or not entry.published):
            by_uri[entry.uri] = entry
    return tuple(by_uri.values())


def is_of_published_result(folder: JobFolder, output_uri: str) -> bool:
    """Return whether a copy at that URI, which a run found when it began, is of a published result of this job.

    Any other run that could have delivered the copy has left its note in the folder. A missing note means that the
    result's folder was deleted with the job's object. The job was sent again only because Redis came back with older
    data.
    """
    return all(entry.published for entry in deliveries(folder) if entry.uri == output_uri)


def surveyed() -> Iterator[tuple[JobFolder, AttemptRef | None]]:
    """Yield each job folder with the owner that it names, in its newest attempt.

    Folders may appear and vanish meanwhile.

    Raises OSError if the job folders cannot be listed.
    """
    for folder in JobFolder.all():
        owners = (note.owner for note in _notes(folder, skipped=(OSError,)))
        newest = max(owners, key=lambda owner: owner.number, default=None)
        yield folder, newest if newest is not None and newest.job_id == folder.job_id else None


def is_bare(folder: JobFolder) -> bool:
    """Return whether a folder without an owner is of a bare `delay()`: it has an input of its caller, a run of a bare
    task, or its result.
    """
    with contextlib.suppress(OSError):
        bare_run = any(workspace.attempt == 0 for workspace in folder.workspaces())
        return folder.input.exists() or bare_run or manifests.read(folder.output) is not None
    return False


def owner_of(folder: JobFolder) -> AttemptRef | None:
    """Return the owner that the notes of the folder name; None if they name none or cannot be read."""
    return next(
        (entry.owner for entry in _notes(folder, skipped=(OSError,)) if entry.owner.job_id == folder.job_id), None
    )


def _notes(folder: JobFolder, *, skipped: tuple[type[OSError], ...]) -> Iterator[Note]:
    """Yield the valid notes of the runs, then the note of the result.

    Notes whose reading raises `skipped` are omitted.
    """
    for read in (
        *(partial(_read, file) for file in sorted(folder.attempts.glob(f"*/{OWNER}"))),
        partial(_read_sealed, folder.output),
    ):
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
        owner = AttemptRef.from_json(data["attempt"])
        return Note(owner, uri if isinstance(uri, str) else "", published=data.get("published") is True)
    return None


def _read_sealed(output: Path) -> Note | None:
    sealed = manifests.read(output)
    if sealed is None or sealed.attempt.is_bare:
        return None
    return Note(sealed.attempt, sealed.uri, published=True, of_result=True)
