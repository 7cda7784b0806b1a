"""Trash: results of deleted jobs, kept for some time in case they are needed again.

One rename moves a result from its job's folder into the trash; another makes it a tombstone when it expires. So after a
crash it is complete in one of these three places.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Final

from reconstruction_operator import disk
from reconstruction_operator.api.identity import API_VERSION, KIND, JobRef
from reconstruction_operator.api.spec import REQUIRED
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.contract.pools import pool_of
from reconstruction_operator.jobfiles import layout, results, trashed
from reconstruction_operator.jobfiles import manifest as manifests
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.jobfiles.trashed import Trashed

_TRIES: Final = 10  # other workers remove the folder when it becomes empty


@dataclass(frozen=True, slots=True)
class Restorable:
    """A deleted job's result."""

    deleted: JobRef
    job: dict[str, Any]  # the manifest of a job that takes it over, and `until` when it is kept

    @property
    def namespace(self) -> str:
        """The namespace of the job."""
        return self.deleted.namespace

    @property
    def name(self) -> str:
        """The name of the job."""
        return self.deleted.name

    def is_of(self, namespace_uid: str | None) -> bool:
        """Return whether the job was in the namespace with that uid; None: any of its name.

        An unknown one (empty) is nobody's.
        """
        return namespace_uid is None or (bool(namespace_uid) and self.deleted.namespace_uid == namespace_uid)


def keep(folder: JobFolder, until: float) -> bool:
    """Move the job's result into the trash; return whether there was a complete one that names its owner.

    Idempotent. Raises OSError if the result could not be moved.
    """
    manifest = manifests.read_sealed(folder.output, folder.job_id)
    if manifest is None or manifest.attempt.is_bare:
        return False
    size = disk.usage(folder.output).bytes
    target = layout.trash_shard(manifest.attempt.job.namespace, folder.job_id) / f"{folder.job_id}~{int(until)}~{size}"
    for _ in range(_TRIES):
        with contextlib.suppress(FileNotFoundError, FileExistsError):  # another worker was faster, or removes it
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.output.rename(target)
            disk.sync(target.parent)
            return True
    return False


def restorable(kept: Trashed) -> Restorable | None:
    """Return what takes a result over; None if it is incomplete or names no owner."""
    manifest = manifests.read_sealed(kept.path, kept.job_id)
    if manifest is None or manifest.attempt.is_bare:
        return None
    return Restorable(manifest.attempt.job, {**_taking_over(manifest), "until": kept.until})


def seconds_of(folder: JobFolder) -> int:
    """Return how long the job's result stays in the trash, as in its manifest; 0 if it is not kept
    or does not exist.
    """
    manifest = manifests.read_sealed(folder.output, folder.job_id)
    return 0 if manifest is None else max(0, manifest.retain_seconds)


def expire(now: float) -> int:
    """Delete the results that expire by `now` (seconds since 1970); return their number."""
    return sum(delete(kept) for kept in trashed.entries() if kept.until <= now)


def delete(kept: Trashed) -> bool:
    """Delete one result from the trash; return whether this call deleted it.

    Raises OSError if it could not be deleted.
    """
    manifest = None
    with contextlib.suppress(OSError):
        manifest = manifests.read(kept.path)
    try:
        layout.delete(kept.path, kept.job_id)
    except FileNotFoundError:  # another worker was faster
        return False
    if manifest is not None and not manifest.attempt.is_bare:
        results.forget(manifest.attempt.job)
    with contextlib.suppress(OSError):  # other results are left
        for folder in list(kept.path.parents)[: trashed.LEVELS]:
            folder.rmdir()
    return True


def _taking_over(manifest: Manifest) -> dict[str, Any]:
    output = {"output": {"uri": manifest.uri}} if manifest.uri else {}
    parameters = {"parameters": dict(manifest.spec_parameters)} if manifest.spec_parameters else {}
    address = {"uri": manifest.input_uri or "file:///photos/unknown"}
    spec = {
        "modelType": manifest.model,
        "input": address,
        "queue": pool_of(manifest.attempt.queue),
        **parameters,
        **output,
    }
    job = manifest.attempt.job
    metadata = {"namespace": job.namespace, "name": job.name}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": {**spec, "reuse": REQUIRED}}
