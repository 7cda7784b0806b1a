"""Trash: results of deleted jobs, kept for some time in case they are needed again.

    <JOBS_DIR>/.trash/<job id>~<until>   a sealed result, kept until that time (whole seconds since 1970)

One rename moves a result from its job's folder into the trash; another makes it a tombstone when it expires. So after a crash it is
complete in one of these three places.
"""

from __future__ import annotations

import contextlib
from typing import Any

from reconstruction_operator import disk
from reconstruction_operator.api.identity import API_VERSION, KIND
from reconstruction_operator.api.spec import REQUIRED
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.jobfiles import layout, results
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.layout import JobFolder, Trashed

_OCCUPIED_TRIES = 3


def keep(folder: JobFolder, until: float) -> bool:
    """Move the job's result into the trash; return whether there was a complete one that names its owner.

    Idempotent. Raises OSError if the result could not be moved.
    """
    manifest = manifests.read_sealed(folder.output, folder.job_id)
    if manifest is None or manifest.owner is None:
        return False
    target = layout.trash() / f"{folder.job_id}~{int(until)}"
    for _ in range(_OCCUPIED_TRIES):
        with contextlib.suppress(FileExistsError):
            target.parent.mkdir()
        with contextlib.suppress(FileNotFoundError):  # the empty trash was just removed, or another worker was faster
            folder.output.rename(target)
            disk.sync(target.parent)
            return True
    return False


def entries() -> list[Trashed]:
    """Return all results in the trash, sorted by expiry."""
    return sorted(layout.trashed().values(), key=lambda kept: (kept.until, kept.job_id))


def restorable() -> list[dict[str, Any]]:
    """Return jobs that take the complete results over, as manifests, and `until` when each is kept; those that expire first first."""
    return [
        {**_taking_over(manifest, manifest.owner), "until": kept.until}
        for kept in entries()
        if (manifest := manifests.read_sealed(kept.path, kept.job_id)) is not None and manifest.owner is not None
    ]


def find(job_id: str) -> Trashed | None:
    """Return that job's result if it is in the trash."""
    return layout.trashed().get(job_id)


def seconds_of(folder: JobFolder) -> int:
    """Return how long the job's result stays in the trash, as in its manifest; 0 if it is not kept or does not exist."""
    manifest = manifests.read_sealed(folder.output, folder.job_id)
    return 0 if manifest is None else max(0, manifest.retain_seconds)


def expire(now: float) -> int:
    """Delete the results that expire by `now` (seconds since 1970); return their number."""
    return sum(delete(kept) for kept in entries() if kept.until <= now)


def make_room() -> int:
    """Delete results before they expire, the first to expire first, until the job volume is not short; return their number.

    Raises OSError if the volume cannot be measured or a result could not be deleted.
    """
    deleted = 0
    for kept in entries():
        if not disk.is_short(layout.trash().parent):
            break
        deleted += delete(kept)
    return deleted


def _taking_over(manifest: Manifest, owner: Owner) -> dict[str, Any]:
    output = {"output": {"uri": manifest.uri}} if manifest.uri else {}
    parameters = {"parameters": dict(manifest.parameters)} if manifest.parameters else {}
    address = {"uri": manifest.input_uri or "file:///photos/unknown"}
    spec = {"modelType": manifest.model, "input": address, "queue": owner.queue, **parameters, **output}
    metadata = {"namespace": owner.namespace, "name": owner.name}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {**spec, "reuse": REQUIRED}}


def delete(kept: Trashed) -> bool:
    """Delete one result from the trash; return whether this call deleted it. Raises OSError if it could not be deleted."""
    manifest = None
    with contextlib.suppress(OSError):
        manifest = manifests.read(kept.path)
    try:
        layout.delete(kept.path, kept.job_id)
    except FileNotFoundError:  # another worker was faster
        return False
    if manifest is not None and manifest.owner is not None:
        results.forget(manifest.owner)
    with contextlib.suppress(OSError):
        layout.trash().rmdir()
    return True
