"""Results: read from the jobs volume, or else from the bucket to which the job delivered."""

from __future__ import annotations

import anyio.to_thread
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.contract.manifest import Manifest

from reconstruction_gallery.files import volume
from reconstruction_gallery.files.buckets import Buckets, ObjectFile
from reconstruction_gallery.files.opened import NoResultError, is_plain
from reconstruction_gallery.files.volume import VolumeFile


class Results:
    """The results of all jobs. `delivered_to`: where the job delivered its result; empty: nowhere."""

    def __init__(self, keep_seconds: float) -> None:
        self._buckets = Buckets(keep_seconds)

    async def manifest(self, key: JobRef, delivered_to: str) -> Manifest | None:
        """Return the manifest of the job's result; None if there is none. Raises UnreadableResultError."""
        manifest = await anyio.to_thread.run_sync(volume.manifest_of, key.job_id)
        return manifest or await self._buckets.manifest(key, delivered_to)

    async def open(self, key: JobRef, delivered_to: str, name: str) -> VolumeFile | ObjectFile:
        """Return a file of the result by its name in the manifest. Raises NoResultError, UnreadableResultError."""
        if not is_plain(name):
            raise NoResultError(name)
        try:
            return await anyio.to_thread.run_sync(volume.open_file, key.job_id, name)
        except NoResultError:
            return await self._buckets.open(key, delivered_to, name)
