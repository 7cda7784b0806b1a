"""Status writer: the only writer of statuses. It writes the newest status of each job, within the budget of `write_budget`.

Finished states go first, then dispatches, then other changes of phase, then progress (evenly over the jobs), then what jobs wait for
(`write_queue`); Events come last (`event_recorder`). A write for which the server had no room is retried. A rejected write is
dropped, and the job is requeued, to be planned again from the server's version.

A write is a JSON patch (RFC 6902) that applies to one version of one object. Its first operations test `metadata.uid`,
so that a new object of the same name is never written by mistake, and `metadata.resourceVersion` (optimistic
concurrency): a leader that was paused in the middle of a write would otherwise overwrite its successor's progress when it
resumes. A merge patch cannot enforce the uid: for a status write the server takes the metadata from the stored object and
does not compare it (seen on 1.36).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status
from reconstruction_operator.controller import instruments, transition_log
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.client import JSON_PATCH, UNCHECKED, ApiError, SupportsRequest
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.writes.event_recorder import EventRecorder
from reconstruction_operator.controller.writes.write_queue import HELD, PendingWrite, Urgency, WriteQueue, urgency_of
from reconstruction_operator.planning.types import Event, Job
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

# The server's message if a patch does not fit the object: another uid, or a newer version. It has no details (seen on 1.36).
# A rejection by a rule or the schema has its own message.
DOES_NOT_FIT: Final = "the server rejected our request due to an error in our request"

_SENDERS: Final = 8  # writes in flight at once: enough to hide the round trip, few enough to stay fair
_WRITE_TIMEOUT_SECONDS: Final = 5.0
_NOT_LEADING_SECONDS: Final = 0.1
_CONFLICT_SECONDS: Final = 1.0  # until the job is requeued
_REFUSED_SECONDS: Final = 10.0  # the same; long enough that a rejection does not become a loop

_PHASES: Final = (Urgency.DISPATCH, Urgency.PHASE, Urgency.BRIEF)
_KINDS: Final = {one: "phase" if one in _PHASES else one.name.lower() for one in Urgency}  # in metrics

Operation = dict[str, Any]


def status_patch(
    key: JobKey, version: int, before: dict[str, Any], after: dict[str, Any], *, whole: bool
) -> list[Operation]:
    """Make the body of a PATCH of /status, from one encoded status to another, for that version of the object.

    `whole` replaces the status: for changes of phase, which must leave nothing stale even if the cached status was old.
    Otherwise only the fields that differ are sent.
    """
    changes: list[Operation] = [{"op": "add", "path": "/status", "value": after}]
    if not whole:  # "add" sets a member whether it exists or not
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        changes = [
            *({"op": "remove", "path": f"/status/{name}"} for name in before if name not in after),
            *({"op": "add", "path": f"/status/{name}", "value": value} for name, value in changed.items()),
        ]
    return [
        {"op": "test", "path": "/metadata/uid", "value": key.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": str(version)},
        *changes,
    ]


@dataclass(eq=False)
class StatusWriter:
    """Accepts statuses (`offer`); `run` writes them while this replica leads."""

    api: SupportsRequest
    cache: Cache
    election: LeaderElection
    writes: WriteQueue
    events: EventRecorder
    stored: Callable[[Status, Mapping[str, Any]], None] = lambda _wanted, _answer: None
    monotonic: Callable[[], float] = time.monotonic
    _refusing: bool = field(default=False, init=False)  # whether the server has no room, which is logged once
    _idle: deque[asyncio.Future[None]] = field(default_factory=deque, init=False)  # of senders without work
    _timer: asyncio.TimerHandle | None = field(default=None, init=False)  # timer until a held write is due
    _again: set[JobKey] = field(default_factory=set, init=False)  # jobs to plan again after their write in flight

    def offer(self, job: Job, wanted: Status, events: tuple[Event, ...], *, again: bool = False) -> None:
        """Write `wanted` in place of the status that waits for the job. If it is stored already, nothing is written.

        Once it is stored, the job is enqueued if `again` is set.
        """
        if codec.same(job.status, wanted):
            self.writes.drop(job.key)
            if self.writes.is_in_flight(job.key):
                self._again.add(job.key)  # a write of an older status is in flight
            return
        urgency = urgency_of(job.status, wanted)
        self.writes.put(PendingWrite(job.key, job.status, wanted, events, self.monotonic(), urgency, again))
        self._wake()

    def forget(self) -> None:
        """Drop everything: another replica decides from now on."""
        self.writes.clear()

    async def run(self) -> None:
        """Write statuses until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(_SENDERS):
                group.create_task(self._send_forever(), name=f"status writer {number}")

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything is written (`run` must be running). Return whether it was."""
        self.writes.hurried = True
        self._wake()
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self.writes.idle and self.election.leading:  # noqa: ASYNC110  # losing the Lease sets no event
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        finally:
            self.writes.hurried = False
        return self.writes.idle

    async def _send_forever(self) -> None:
        while True:
            pending = await self._next()
            try:
                await self._write(pending)
            finally:
                self.writes.done(pending.key)
                if pending.key in self._again:
                    self._again.discard(pending.key)
                    self.cache.enqueue(pending.key)

    async def _next(self) -> PendingWrite:
        while True:
            now = self.monotonic()
            delay = self.writes.budget.delay_seconds(now)
            if not self.election.leading:
                delay = max(delay, _NOT_LEADING_SECONDS)
            if delay > 0:
                await asyncio.sleep(delay)
                continue
            pending = self.writes.take()
            if pending is not None:
                self.writes.budget.take(now)  # there is a token: the delay was 0
                if pending.urgency in HELD:
                    self._wake()  # other writes may have become due at the same time
                return pending
            held_seconds = self.writes.held_seconds()
            if held_seconds is not None and self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(held_seconds, self._ring)
            woken = asyncio.get_running_loop().create_future()
            self._idle.append(woken)
            await woken

    def _wake(self) -> None:
        """Wake one sender: it takes what was offered. A sender that has finished a write looks for the next by itself."""
        while self._idle:
            woken = self._idle.popleft()
            if not woken.done():  # otherwise its sender was cancelled
                woken.set_result(None)
                return

    def _ring(self) -> None:
        self._timer = None
        self._wake()

    async def _write(self, pending: PendingWrite) -> None:
        job = self.cache.get(pending.key)
        if job is None:
            return
        if job.status != pending.base:
            self.cache.enqueue(pending.key)  # decided from a status that has been replaced since
            return
        whole = pending.base.phase is None or pending.urgency not in (Urgency.PROGRESS, Urgency.WAITING)
        # Encoded only now: thousands of jobs may wait, and their JSON would be twice as large as the statuses.
        before, after = {} if whole else codec.encode(pending.base), codec.encode(pending.status)
        patch = status_patch(job.key, job.version, before, after, whole=whole)
        kind = _KINDS[pending.urgency]
        begun = self.monotonic()
        self.cache.writes(job.key, pending.status)
        try:
            body = await self.api.request(
                "PATCH",
                f"{objects.path(job.key)}/status{UNCHECKED}",
                body=patch,
                content_type=JSON_PATCH,
                timeout_seconds=_WRITE_TIMEOUT_SECONDS,
            )
        except ApiError as error:
            metrics.API_WRITES.labels(kind, _result(error)).inc()
            self._failed(pending, error, begun)
            return
        self.writes.budget.answered(begun, self.monotonic())
        self._refusing = False
        metrics.API_WRITES.labels(kind, "ok").inc()
        metrics.WRITE_LAG.labels(kind).observe(self.monotonic() - pending.since)
        self.cache.put(body, objects.written(job, body, pending.status, after))
        if pending.again:
            self.cache.enqueue(pending.key)
        self.stored(pending.status, body)
        self.events.record(job.key, pending.events)
        instruments.stored(job, pending.status)
        transition_log.log(job, pending.status, pending.events)

    def _failed(self, pending: PendingWrite, error: ApiError, begun: float) -> None:
        if error.transient:
            self._back_off(error, begun)
            if pending.key not in self.writes:  # otherwise a newer status waits
                self.writes.put(pending)
            return
        self.writes.budget.answered(begun, self.monotonic())  # this write is wrong, not the server
        if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT) or DOES_NOT_FIT in error.message:
            _log.debug("%s is deleted, another object, or newer than the cache: its status is not written", pending.key)
            self.cache.enqueue_after(pending.key, _CONFLICT_SECONDS)
        else:
            # Rejected by a rule (a finished phase never changes, an attempt never decreases), the role or the schema.
            self.cache.enqueue_after(pending.key, _REFUSED_SECONDS)
            _log.error("The API server rejected the status of %s: %s", pending.key, error)

    def _back_off(self, error: ApiError, begun: float) -> None:
        jitter = random.uniform(0.75, 1.25)  # noqa: S311  # no secret
        pause = self.writes.budget.refused(
            begun, self.monotonic(), retry_after_seconds=error.retry_after_seconds, jitter=jitter
        )
        if pause is not None:
            log = _log.debug if self._refusing else _log.warning
            log("The API server did not accept a status write; retrying in %.1f s: %s", pause, error)
            self._refusing = True


def _result(error: ApiError) -> str:
    if error.status == 0:
        return "unreachable"
    named: dict[int, str] = {
        HTTPStatus.NOT_FOUND: "gone",
        HTTPStatus.CONFLICT: "conflict",
        HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    }
    return named.get(error.status) or ("retried" if error.transient else "refused")
