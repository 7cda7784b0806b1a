"""Sweeper: carries out resyncs.

A sweep enqueues unfinished jobs, and compares records in Redis with the objects in the API server.

Events can be lost: a relist after 410 Gone brings no DELETED, and Redis's pub/sub keeps nothing. A sweep finds what was
missed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from redis.exceptions import RedisError

from reconstruction_operator import config
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.controller.entry import Entry, Rank, Urgency
from reconstruction_operator.controller.kube import listing
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.loop.brake import Brake
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.releases import Releases
from reconstruction_operator.controller.redis_view.connection import LOST_DATA, PERIOD
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.rules.orphans import sort_folders
from reconstruction_operator.state import calls, operator_calls, reads

_log = logging.getLogger(__name__)

_PAGE: Final = 500
_RETRY_SECONDS: Final = 2.0
_FOLDER_BATCHES: Final = 100  # reports in one sweep: workers may add new ones meanwhile


class RestoredError(Exception):
    """The API server has lost data that this process has seen. It must start again without its cache."""


@dataclass(eq=False)
class Sweeper:
    """Enqueues jobs, finds orphans, and compares the cache with the API server, while this replica leads."""

    api: Api
    view: RedisView
    cache: Cache
    orphans: Orphans
    brake: Brake
    releases: Releases
    election: LeaderElection
    installation: Installation
    sweep_seconds: float
    list_seconds: float  # between two lists of the objects by sweeps
    details_seconds: float  # for which Redis keeps the details of a finished job's end
    monotonic: Callable[[], float] = time.monotonic
    _fence: int | None = field(default=None, init=False)  # token of the tenure that has begun
    _list_at: float = field(default=0.0, init=False)
    _shortened_until: datetime | None = field(
        default=None, init=False
    )  # ends before this time have no details any more
    _foreign: set[str] = field(default_factory=set, init=False)  # ids of records of namespaces that are not watched

    async def run(self) -> None:
        """Sweep periodically and at each resync request, until cancelled."""
        requests = self.view.connection.resync
        await self.cache.complete.wait()  # before that, most records would look like those of deleted jobs
        while True:
            pause = self.sweep_seconds
            fence = self.election.fence
            if fence is not None:
                cause = requests.take()
                try:
                    if fence != self._fence:
                        await self._begin(fence)
                    await self.sweep(cause, fence)
                except (RedisError, ApiError, calls.ProtocolError) as error:
                    _log.warning("A sweep failed and is retried: %s", error)
                    requests.restore(cause)
                    pause = _RETRY_SECONDS
            await requests.wait(pause)

    async def _begin(self, fence: int) -> None:
        """Begin a tenure.

        Raises RestoredError if the API server has lost data: a restore of etcd always ends a tenure.
        """
        self._list_at = self.monotonic() + self.list_seconds
        seen = self.cache.newest
        version = await listing.newest_version(self.api, self.installation.namespaces)
        if 0 < version < seen:
            raise RestoredError(
                f"resource version {version} after {seen}: etcd was restored from a backup, so the cache is wrong"
            )
        if self.view.connection.epoch_age_seconds(datetime.now(UTC)) < config.CANCEL_TTL_SECONDS:
            self._enqueue_finished_lately()  # Redis may have lost its data while no operator ran
        self.releases.report_again()
        self._fence = fence

    async def sweep(self, cause: str, fence: int) -> None:
        """Sweep once; raises RedisError, ApiError and DeposedError."""
        enqueued = self.cache.enqueue_unfinished(self._waits if cause == PERIOD else None)
        is_due = self.cache.relisted or self.monotonic() >= self._list_at
        if cause == LOST_DATA:
            self._enqueue_finished_lately()
            self.orphans.poll_again(self.monotonic())
            self.releases.report_again()
        listed = reads.list_records(self.view.keys, self.installation.id, self.cache.ids())
        recorded = await calls.arun(self.view.state, listed)
        await self._restore_records(frozenset(recorded), fence)
        # Two installations may have sent a job before this one learned which of them manages it.
        self.orphans.add(self._contested(recorded), self.monotonic(), contested=True)
        self._foreign.intersection_update(recorded)
        released = await self.releases.learn()
        unknown = self._unknown(recorded)
        _log.debug(
            "Sweep (%s): %d unfinished jobs, %d records, %d of them unknown",
            cause,
            enqueued,
            len(recorded),
            len(unknown),
        )
        if unknown or is_due or released:
            await self._compare(recorded)
        if is_due:
            await self._shorten_ends(fence, None if cause == LOST_DATA else self._shortened_until)
        if is_due or released or not self.brake.holds:
            await self._follow_folder_reports(fence)
        await self.releases.report(recorded, fence)

    @staticmethod
    def _waits(entry: Entry) -> bool:
        """Whether the job only waits in the API server: Redis holds nothing of it, and it was planned since it was
        first seen.
        """
        is_planned = entry.write is not None and entry.write.urgency is Urgency.WAITING
        return entry.job.waits or (entry.job.status.phase is None and is_planned)

    def _unknown(self, recorded: Sequence[str]) -> list[str]:
        """Return the records without an object that no earlier sweep has handled."""
        missing = set(recorded).difference(self.cache.ids(), self._foreign)
        return [job_id for job_id in missing if job_id not in self.orphans and job_id not in self.brake]

    def _contested(self, recorded: Sequence[str]) -> list[str]:
        """Return the records whose jobs another installation manages."""
        jobs = (entry.job for entry in map(self.cache.entry, recorded) if entry is not None)
        return [job.key.job_id for job in jobs if job.contested]

    def _enqueue_finished_lately(self) -> None:
        """Enqueue the jobs that finished lately: Redis may have data from when they ran, such as cancel flags and
        messages.
        """
        since = datetime.now(UTC) - timedelta(seconds=config.CANCEL_TTL_SECONDS)
        for entry in self.cache:
            ended = entry.job.status.completion_time
            if entry.job.finished and ended is not None and ended >= since:
                self.cache.enqueue(entry, Rank.LATER)

    async def _follow_folder_reports(self, fence: int) -> None:
        """Read the job folders that workers report after Redis lost data, and do what follows from them."""
        install_id = self.installation.id
        leader: operator_calls.Leader = {"fence": fence, "install_id": install_id}
        for _ in range(_FOLDER_BATCHES):
            reported = await calls.arun(self.view.state, reads.list_folders(self.view.keys, install_id))
            if not reported:
                self.brake.allow("job folders", {}, 0)
                return
            entries = {entry.key.job_id: entry for entry in map(self.cache.entry, reported) if entry is not None}
            jobs = {job_id: entry.job for job_id, entry in entries.items()}
            unrecorded, unknown = sort_folders(reported, jobs, install_id)
            for job in unrecorded:
                await calls.arun(self.view.state, operator_calls.put_record(self.view.keys, job.task, **leader))
                self.cache.enqueue(entries[job.key.job_id], Rank.LATER)
            held = await self._add_orphans(unknown, among=len(reported)) if unknown else set()
            if handled := tuple(job_id for job_id in reported if job_id not in held):
                await calls.arun(
                    self.view.state, operator_calls.drop_folders(self.view.keys, job_ids=handled, **leader)
                )
            if held or len(reported) < reads.FOLDERS_BATCH:
                return  # the reports of held ones stay

    async def _add_orphans(self, folders: Mapping[str, AttemptRef], *, among: int) -> set[str]:
        """Add those of these jobs that have no object to the orphans. Return those that the brake holds."""
        listed = {key.uid for key in await listing.list_jobs(self.api, self.installation.namespaces)}
        gone = {job_id: attempt for job_id, attempt in folders.items() if job_id not in listed}
        namespaces = {job_id: attempt.job.namespace for job_id, attempt in gone.items()}
        allowed = self.brake.allow("job folders", namespaces, among)
        if allowed:
            _log.info("Cleaning up the folders of %d deleted jobs whose records Redis lost", len(allowed))
        self.orphans.add_reported({job_id: gone[job_id] for job_id in allowed}, self.monotonic())
        return gone.keys() - allowed

    async def _restore_records(self, recorded: frozenset[str], fence: int) -> None:
        """Enqueue the jobs whose record or index entry Redis lost, finished ones too: their plans write it again."""
        missing = self.cache.ids() - recorded
        entries = (self.cache.entry(job_id) for job_id in missing)
        lost = [entry for entry in entries if entry is not None and entry.job.sent and entry.job.ours]
        for first in range(0, len(lost), _PAGE):
            job_ids = [entry.key.job_id for entry in lost[first : first + _PAGE]]
            call = operator_calls.index_records(
                self.view.keys, fence=fence, install_id=self.installation.id, job_ids=job_ids
            )
            await calls.arun(self.view.state, call)
        for entry in lost:
            self.cache.enqueue(entry, Rank.LATER if entry.job.finished else None)

    async def _shorten_ends(self, fence: int, since: datetime | None) -> None:
        """Drop the details of ends that are older than `details_seconds`, and not older than `since`."""
        until = datetime.now(UTC) - timedelta(seconds=self.details_seconds)
        old = [
            job.key.job_id
            for job in (entry.job for entry in self.cache)
            if job.finished and job.sent and job.ours and _is_within(job.status.completion_time, since, until)
        ]
        for first in range(0, len(old), _PAGE):
            call = operator_calls.shorten_ends(
                self.view.keys, fence=fence, install_id=self.installation.id, job_ids=old[first : first + _PAGE]
            )
            await calls.arun(self.view.state, call)
        self._shortened_until = until

    async def _compare(self, recorded: Sequence[str]) -> None:
        # A job that was in the cache before the list began and is not in the list was deleted: uids never come back.
        self.cache.relisted, self._list_at = False, self.monotonic()  # due until the list has succeeded
        before = {entry.key for entry in self.cache}
        listed = await listing.list_jobs(self.api, self.installation.namespaces)
        self._list_at = self.monotonic() + self.list_seconds
        ids = {key.uid for key in listed}
        missed = {key.job_id: key for key in before - listed if self.cache.entry(key.uid) is not None}
        gone = await self._ours([job_id for job_id in recorded if job_id not in ids and job_id not in self.orphans])
        watched = {job_id for job_id in gone if self.cache.saw_deletion(job_id)}
        namespaces = {job_id: key.namespace for job_id, key in missed.items()} | gone
        unwatched = {job_id: name for job_id, name in namespaces.items() if job_id not in watched}
        allowed = self.brake.allow("records", unwatched, len({*recorded, *missed}))
        for job_id, key in missed.items():
            _log.info("%s was deleted, and the watch missed it", key)
            if job_id in allowed:
                self.cache.remove(key)
            else:
                self.cache.drop(key)
        self.orphans.add([job_id for job_id in gone if job_id in watched or job_id in allowed], self.monotonic())

    async def _ours(self, recorded: Sequence[str]) -> dict[str, str]:
        """Return the namespaces of the records whose jobs belong to this installation, by job id.

        It is empty if Redis has lost the record. The ids of the others are remembered.
        """
        ours = {}
        for first in range(0, len(recorded), reads.OBSERVE_BATCH):
            job_ids = [
                job_id for job_id in recorded[first : first + reads.OBSERVE_BATCH] if job_id not in self._foreign
            ]
            wanted = [(job_id, None) for job_id in job_ids]
            seen = await calls.arun(self.view.state, reads.observe(self.view.keys, wanted))
            for job_id, job in zip(job_ids, seen.jobs, strict=True):
                if job.record is None or self.installation.owns(job.record):
                    ours[job_id] = job.record.attempt.job.namespace if job.record else ""
                else:
                    self._foreign.add(job_id)
        return ours


def _is_within(at: datetime | None, since: datetime | None, until: datetime) -> bool:
    return at is not None and at < until and (since is None or at >= since)
