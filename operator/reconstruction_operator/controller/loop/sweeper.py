"""Full looks: at Redis every now and then, and at the API server where the two may differ.

An event can be lost (a relist after 410 Gone brings no DELETED; Redis's pub/sub keeps nothing), a sweep cannot.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import redis.asyncio
from redis.exceptions import RedisError

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.client import Api, ApiError
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.state import calls, errors, operator_calls, reads
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_PAGE: Final = 500
_NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_EXPIRED: Final = 410
_RETRY_SECONDS: Final = 2.0
_FOLDER_BATCHES: Final = 100  # in one sweep, whoever fills them again meanwhile


async def list_keys(api: Api, namespaces: Sequence[str]) -> set[JobKey]:
    """Every job that exists, by a consistent, paged list (no resource version: the newest there is).

    Raises:
        ApiError: a page failed; nothing is known then.

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


@dataclass(frozen=True, slots=True)
class Periods:
    """How often."""

    sweep_seconds: float
    list_seconds: float


class Sweeper:
    """Marks jobs, finds orphans, and compares the store with the API server; while there is a `fence`, as the leader."""

    def __init__(
        self,
        api: Api,
        state: redis.asyncio.Redis,
        store: Store,
        orphans: Orphans,
        *,
        keys: Keys,
        install_id: str,
        namespaces: Sequence[str],
        periods: Periods,
        fence: Callable[[], int | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._state = state
        self._store = store
        self._orphans = orphans
        self._keys = keys
        self._install_id = install_id
        self._namespaces = namespaces
        self._periods = periods
        self._fence = fence
        self._monotonic = monotonic
        self._asked = asyncio.Event()
        self._cause = "start"
        self._list_at = 0.0

    def ask(self, cause: str) -> None:
        """Sweep now."""
        self._cause = cause
        self._asked.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            pause = self._periods.sweep_seconds
            self._asked.clear()  # while another leads as well: a wish that stays would make this loop spin
            fence = self._fence()
            if fence is not None:
                cause, self._cause = self._cause, "period"
                try:
                    await self.sweep(cause, fence)
                except (RedisError, ApiError, errors.ProtocolError) as error:
                    _log.warning("A sweep failed and is tried again: %s", error)
                    self._cause, pause = cause, _RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def sweep(self, cause: str, fence: int) -> None:
        """Look at everything; raises RedisError, ApiError and DeposedError."""
        metrics.SWEEPS.labels(cause).inc()
        marked = self._store.mark_unfinished()
        recorded = await calls.arun(self._state, reads.list_records(self._keys, self._install_id))
        await self._find_lost_records(frozenset(recorded), fence)
        known = self._store.ids()
        strange = [job_id for job_id in recorded if job_id not in known and job_id not in self._orphans]
        _log.debug(
            "Sweep (%s): %d unfinished jobs, %d records, %d of them strange", cause, marked, len(recorded), len(strange)
        )
        if strange or self._monotonic() >= self._list_at:
            await self._compare(recorded)
        await self._look_at_folders(fence)

    async def _look_at_folders(self, fence: int) -> None:
        """What workers found after Redis had forgotten things. A folder without an object is an orphan without a record."""
        for _ in range(_FOLDER_BATCHES):
            reported = await calls.arun(self._state, reads.list_folders(self._keys, self._install_id))
            if not reported:
                return
            known = self._store.ids()
            strange = {
                job_id: record
                for job_id, record in reported.items()
                if record.install_id == self._install_id and job_id not in known
            }
            if strange:
                listed = {key.uid for key in await list_keys(self._api, self._namespaces)}
                gone = {job_id: record for job_id, record in strange.items() if job_id not in listed}
                if gone:
                    _log.info(
                        "%d job folders are left of deleted jobs that Redis forgot: they are cleaned up", len(gone)
                    )
                self._orphans.add_reported(gone, self._monotonic())
            dropped = operator_calls.drop_folders(
                self._keys, fence=fence, install_id=self._install_id, job_ids=tuple(reported)
            )
            await calls.arun(self._state, dropped)
            if len(reported) < reads.FOLDERS_BATCH:
                return

    async def _find_lost_records(self, recorded: frozenset[str], fence: int) -> None:
        """Redis has lost them, or their places in the index. Who has none is looked at, also if it has ended: it gets one."""
        lost = [job.key for job in self._store if job.sent and job.key.job_id not in recorded and job.ours]
        for first in range(0, len(lost), _PAGE):
            job_ids = [key.job_id for key in lost[first : first + _PAGE]]
            call = operator_calls.index_records(self._keys, fence=fence, install_id=self._install_id, job_ids=job_ids)
            await calls.arun(self._state, call)
        for key in lost:
            self._store.mark(key)

    async def _compare(self, recorded: Sequence[str]) -> None:
        # Whatever the store knew before the list began and the list lacks is gone: uids never come back.
        before = {job.key for job in self._store}
        listed = await list_keys(self._api, self._namespaces)
        self._list_at = self._monotonic() + self._periods.list_seconds
        for key in before - listed:
            _log.info("%s/%s is gone, and nobody said so", key.namespace, key.name)
            self._store.remove(key)
        ids = {key.uid for key in listed}
        gone = [job_id for job_id in recorded if job_id not in ids]
        self._orphans.add(gone, self._monotonic())
        for key in listed - before:
            if self._store.get(key) is None:
                await self._fetch(key)

    async def _fetch(self, key: JobKey) -> None:
        try:
            self._store.put(await self._api.get(objects.path(key)))
        except ApiError as error:
            if error.status not in (404, _EXPIRED):
                raise
