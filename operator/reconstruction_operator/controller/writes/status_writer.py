"""Status writer: the only writer of statuses. It writes the newest status of each job, a fixed number at a time.

Finished states go first, then other changes of phase, then progress (evenly over the jobs), then what jobs wait for
(`write_queue`). A slow server thus gets fewer writes, and only the newest. A write for which the server had no room is
retried after its Retry-After, and its place stays taken meanwhile. A rejected write is dropped, and the job is
requeued, to be planned again from the server's version.

A write is a JSON patch (RFC 6902) that applies to one version of one object. Its first operations test `metadata.uid`,
so that a new object of the same name is never written by mistake, and `metadata.resourceVersion` (optimistic
concurrency): a leader that was paused in the middle of a write would otherwise overwrite its successor's progress when
it resumes. A merge patch cannot enforce the uid: for a status write the server takes the metadata from the stored
object and does not compare it (seen on 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Status
from reconstruction_operator.controller import instruments, transition_log
from reconstruction_operator.controller.entry import Entry, PendingWrite
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.writes.event_recorder import EventRecorder
from reconstruction_operator.controller.writes.write_queue import WriteQueue, urgency_of
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.client import JSON_PATCH, UNCHECKED, Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

# The server's message if a patch does not fit the object: another uid, or a newer version. It has no details (seen on
# 1.36). A rejection by a rule or the schema has its own message.
DOES_NOT_FIT: Final = "the server rejected our request due to an error in our request"

AT_ONCE: Final = 8  # writes at once: enough to hide the round trip, few enough to stay fair
_WRITE_TIMEOUT_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.1  # while writes wait: neither the Lease nor the time of a held write sets an event
_CONFLICT_SECONDS: Final = 1.0  # until the job is requeued
_REFUSED_SECONDS: Final = 10.0  # the same; long enough that a rejection does not become a loop

Operation = dict[str, Any]


def status_patch(key: JobRef, version: int, status: dict[str, Any]) -> list[Operation]:
    """Make the body of a PATCH of /status with this encoded status, for that version of the object."""
    return [
        {"op": "test", "path": "/metadata/uid", "value": key.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": str(version)},
        {"op": "add", "path": "/status", "value": status},  # whether there is one or not
    ]


@dataclass(eq=False)
class StatusWriter:
    """Accepts statuses (`offer`); `run` writes them while this replica leads."""

    api: Api
    cache: Cache
    election: LeaderElection
    events: EventRecorder
    writes: WriteQueue = field(default_factory=WriteQueue, init=False)
    _refused_until: float = field(default=-math.inf, init=False)
    _refusing: bool = field(default=False, init=False)  # whether the server has no room, which is logged once
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE), init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)  # another write may be due

    def __post_init__(self) -> None:
        self.cache.indices.append(self.writes)

    def offer(self, entry: Entry, status: Status, events: tuple[Event, ...], *, again: bool = False) -> None:
        """Write `status` in place of the one that waits for the job. If it is stored already, nothing is written.

        Once it is stored, the job is enqueued if `again` is set.
        """
        stored = entry.job.status
        if codec.same(stored, status):
            # Nothing to write, not even after a write that is being sent: the status of a finished job is cached with
            # few of its fields.
            self.writes.discard(entry)
            entry.replan |= entry.writing
            return
        urgency = urgency_of(stored, status)
        self.writes.put(entry, PendingWrite(stored, status, events, time.monotonic(), urgency, again))
        self._changed.set()

    @property
    def refused(self) -> bool:
        """Whether the operator lacked a right for the newest write, which is repeated while its job exists."""
        return time.monotonic() < self._refused_until

    async def run(self) -> None:
        """Write statuses until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._places.acquire()
                group.create_task(self._send(*await self._next()))

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything is written (`run` must be running). Return whether it was."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self.writes.idle and self.election.leading:  # noqa: ASYNC110  # losing the Lease sets no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        return self.writes.idle

    async def _next(self) -> tuple[Entry, PendingWrite]:
        while True:
            self._changed.clear()
            due = self.writes.take() if self.election.leading else None
            if due is not None:
                return due
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS if len(self.writes) else None):
                    await self._changed.wait()

    async def _send(self, entry: Entry, pending: PendingWrite) -> None:
        try:
            await self._write(entry, pending)
        finally:
            self.writes.done(entry)
            if entry.replan:
                entry.replan = False
                self.cache.enqueue(entry)
            self._places.release()
            self._changed.set()

    async def _write(self, entry: Entry, pending: PendingWrite) -> None:
        job = entry.job
        if entry not in self.cache:
            return
        if job.status != pending.base:
            self.cache.enqueue(entry)  # decided from a status that has been replaced since
            return
        # Encoded only now: thousands of jobs may wait, and their JSON would be twice as large as the statuses.
        encoded = codec.encode(pending.status)
        kind = pending.urgency.name.lower()
        self.cache.announce(entry, pending.status)
        try:
            body = await self.api.request(
                "PATCH",
                f"{paths.of(job.key)}/status{UNCHECKED}",
                body=status_patch(job.key, job.version, encoded),
                content_type=JSON_PATCH,
                timeout_seconds=_WRITE_TIMEOUT_SECONDS,
            )
        except ApiError as error:
            metrics.API_WRITES.labels(kind, _result(error)).inc()
            await self._failed(entry, pending, error)
            return
        self._refusing, self._refused_until = False, -math.inf
        metrics.API_WRITES.labels(kind, "ok").inc()
        metrics.WRITE_LAG.labels(kind).observe(time.monotonic() - pending.since)
        self.cache.put(body)
        if pending.again:
            self.cache.enqueue(entry)
        self.events.record(job.key, pending.events)
        instruments.stored(job, pending.status)
        transition_log.log(job, pending.status, pending.events)

    async def _failed(self, entry: Entry, pending: PendingWrite, error: ApiError) -> None:
        if error.transient:
            log = _log.debug if self._refusing else _log.warning
            log("The API server did not accept a status write; retrying in %.1f s: %s", error.pause_seconds, error)
            self._refusing = True
            if entry.write is None:  # otherwise a newer status waits
                self.writes.put(entry, pending)
            await asyncio.sleep(error.pause_seconds)
            return
        if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT) or DOES_NOT_FIT in error.message:
            _log.debug("%s is deleted, another object, or newer than the cache: its status is not written", entry.key)
            self.cache.enqueue_after(entry, _CONFLICT_SECONDS)
        else:
            # Rejected by a rule (a finished phase never changes, an attempt never decreases), the role or the schema.
            self.cache.enqueue_after(entry, _REFUSED_SECONDS)
            if error.status == HTTPStatus.FORBIDDEN:
                self._refused_until = time.monotonic() + 3 * _REFUSED_SECONDS
            _log.error("The API server rejected the status of %s: %s", entry.key, error)


def _result(error: ApiError) -> str:
    named = {
        0: "unreachable",
        HTTPStatus.NOT_FOUND: "gone",
        HTTPStatus.CONFLICT: "conflict",
        HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    }
    return named.get(error.status) or ("retried" if error.transient else "refused")
