"""Sweeper: the resync. It enqueues all jobs, and compares records in Redis with the objects in the API server.

Events can be lost: a relist after 410 Gone brings no DELETED, and Redis's pub/sub keeps nothing. A sweep finds what was missed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from redis.exceptions import RedisError

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.client import Api, ApiError
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.state import calls, errors, operator_calls, reads
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_PAGE: Final = 500
_NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_RETRY_SECONDS: Final = 2.0
_FOLDER_BATCHES: Final = 100  # in one sweep: workers may report new ones meanwhile


async def list_keys(api: Api, namespaces: Sequence[str]) -> set[JobKey]:
    """Every job that exists, by a consistent, paged list (without a resource version: the newest state).

    Raises ApiError if a page failed.
    """
    found: set[JobKey] = set()
    for namespace in namespaces or (None,):
        token = ""
        while True:
            more = {"continue": token} if token else {}
            page = await api.get(objects.collection_path(namespace), accept=_NAMES_ONLY, limit=str(_PAGE), **more)
            found.update(key for item in page.get("items") or () if (key := objects.key_of(item)) is not None)
            token = str((page.get("metadata") or {}).get("continue") or "")
            if not token:
                break
    return found


@dataclass(eq=False)
class Sweeper:
    """Enqueues jobs, finds orphans, and compares the cache with the API server, while this replica leads."""

    api: Api
    view: RedisView
    cache: Cache
    orphans: Orphans
    election: LeaderElection
    installation: Installation
    sweep_seconds: float
    list_seconds: float  # between two lists of the objects, which sweeps make
    monotonic: Callable[[], float] = time.monotonic
    _list_at: float = field(default=0.0, init=False)

    async def run(self) -> None:
        """Sweep periodically and at each resync request, until cancelled."""
        requests = self.view.connection.resync
        while True:
            pause = self.sweep_seconds
            fence = self.election.fence
            if fence is not None:
                cause = requests.take()
                try:
                    await self.sweep(cause, fence)
                except (RedisError, ApiError, errors.ProtocolError) as error:
                    _log.warning("A sweep failed and is retried: %s", error)
                    requests.restore(cause)
                    pause = _RETRY_SECONDS
            await requests.wait(pause)

    async def sweep(self, cause: str, fence: int) -> None:
        """Sweep once; raises RedisError, ApiError and DeposedError."""
        metrics.SWEEPS.labels(cause).inc()
        enqueued = self.cache.enqueue_unfinished()
        recorded = await calls.arun(self.view.state, reads.list_records(self.view.keys, self.installation.id))
        await self._restore_records(frozenset(recorded), fence)
        known = self.cache.ids()
        unknown = [job_id for job_id in recorded if job_id not in known and job_id not in self.orphans]
        _log.debug(
            "Sweep (%s): %d unfinished jobs, %d records, %d of them unknown",
            cause,
            enqueued,
            len(recorded),
            len(unknown),
        )
        if unknown or self.monotonic() >= self._list_at:
            await self._compare(recorded)
        await self._take_folder_reports(fence)

    async def _take_folder_reports(self, fence: int) -> None:
        """Workers report their job folders after Redis lost data: one without an object is an orphan without a record."""
        for _ in range(_FOLDER_BATCHES):
            reported = await calls.arun(self.view.state, reads.list_folders(self.view.keys, self.installation.id))
            if not reported:
                return
            known = self.cache.ids()
            unknown = {
                job_id: record
                for job_id, record in reported.items()
                if record.install_id == self.installation.id and job_id not in known
            }
            if unknown:
                listed = {key.uid for key in await list_keys(self.api, self.installation.namespaces)}
                gone = {job_id: record for job_id, record in unknown.items() if job_id not in listed}
                if gone:
                    _log.info("Cleaning up the folders of %d deleted jobs whose records Redis lost", len(gone))
                self.orphans.add_reported(gone, self.monotonic())
            dropped = operator_calls.drop_folders(
                self.view.keys, fence=fence, install_id=self.installation.id, job_ids=tuple(reported)
            )
            await calls.arun(self.view.state, dropped)
            if len(reported) < reads.FOLDERS_BATCH:
                return

    async def _restore_records(self, recorded: frozenset[str], fence: int) -> None:
        """Redis lost some records, or their places in the index. Such jobs are enqueued, finished ones too, to get one."""
        lost = [job.key for job in self.cache if job.sent and job.key.job_id not in recorded and job.ours]
        for first in range(0, len(lost), _PAGE):
            job_ids = [key.job_id for key in lost[first : first + _PAGE]]
            call = operator_calls.index_records(
                self.view.keys, fence=fence, install_id=self.installation.id, job_ids=job_ids
            )
            await calls.arun(self.view.state, call)
        for key in lost:
            self.cache.enqueue(key)

    async def _compare(self, recorded: Sequence[str]) -> None:
        # What was in the cache before the list began, and is not in the list, was deleted: uids never come back.
        before = {job.key for job in self.cache}
        listed = await list_keys(self.api, self.installation.namespaces)
        self._list_at = self.monotonic() + self.list_seconds
        for key in before - listed:
            _log.info("%s was deleted, and the watch missed it", key)
            self.cache.remove(key)
        ids = {key.uid for key in listed}
        gone = [job_id for job_id in recorded if job_id not in ids]
        self.orphans.add(gone, self.monotonic())
        for key in listed - before:
            if self.cache.get(key) is None:
                await self._fetch(key)

    async def _fetch(self, key: JobKey) -> None:
        try:
            self.cache.put(await self.api.get(objects.path(key)))
        except ApiError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                raise
