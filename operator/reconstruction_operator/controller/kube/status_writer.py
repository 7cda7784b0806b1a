"""The one writer of statuses: only the newest of each job, the important first, and no faster than the API server likes.

Finished states go first, then changes of phase, then progress, evenly over the jobs; Events come last (`events`). A
write that the server could not take is tried again, so nothing is lost; one that it refused is dropped, and the job is
looked at again with what the server has now.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status
from reconstruction_operator.controller.kube import objects, patches
from reconstruction_operator.controller.kube.backlog import Backlog, Kind, Pending, kind_of
from reconstruction_operator.controller.kube.buckets import TokenBucket
from reconstruction_operator.controller.kube.client import JSON_PATCH, ApiError
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.planning.types import Event, Job
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_SENDERS: Final = 8  # writes under way at once: enough to hide the round trip, few enough to stay fair
_BURST_SECONDS: Final = 0.5  # of the rate
_BACKOFF_SECONDS: Final = 0.25  # after a failed write; doubles
_BACKOFF_MAX_SECONDS: Final = 1.0  # a server that is well again is noticed within this time
_WRITE_TIMEOUT_SECONDS: Final = 5.0
_CONFLICT_PAUSE_SECONDS: Final = 1.0
_REFUSED_PAUSE_SECONDS: Final = 10.0

_GONE: Final = 404
_CONFLICT: Final = 409
_INVALID: Final = 422


class Transport(Protocol):
    """What the writer needs of the API client."""

    async def request(  # noqa: D102  # as Api.request
        self, method: str, path: str, *, body: Any, content_type: str, timeout_seconds: float
    ) -> dict[str, Any]: ...


class StatusWriter:
    """Takes wishes (`offer`) and has them stored by `run`.

    `allowed` says whether we may write at all (the Lease); `stored` is told of each status that was stored, with what
    was stored before; `again` asks for another look at a job after so many seconds.
    """

    def __init__(
        self,
        api: Transport,
        store: Store,
        *,
        writes_per_second: float,
        allowed: Callable[[], bool],
        stored: Callable[[Job, Status, tuple[Event, ...]], None],
        again: Callable[[JobKey, float], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._store = store
        self._allowed = allowed
        self._stored = stored
        self._again = again
        self._monotonic = monotonic
        self._backlog = Backlog()
        self._busy: set[JobKey] = set()
        self._failures = 0  # in a row, whichever writes they were: it is the server that is unwell
        self._failed_at = -1.0
        self._blocked_until = 0.0
        self._wake = asyncio.Event()
        self.bucket = TokenBucket(
            per_second=writes_per_second, burst=writes_per_second * _BURST_SECONDS, now=self._monotonic()
        )

    def offer(self, job: Job, wanted: Status, events: tuple[Event, ...]) -> None:
        """Have `wanted` stored; replaces what was wanted before. A status that is stored already takes the wish back."""
        if patches.same(job.status, wanted):
            self._backlog.drop(job.key)
            return
        now = self._monotonic()
        self._backlog.put(Pending(job.key, job.status, wanted, kind_of(job.status, wanted), events, now))
        self._wake.set()

    def forget(self) -> None:
        """Drop everything: another replica decides from now on."""
        self._backlog = Backlog()

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not self._backlog and not self._busy

    @property
    def urgent(self) -> bool:
        """An end or a change of phase waits."""
        return self._backlog.urgent

    def lag_seconds(self) -> float:
        """Age of the oldest wish."""
        oldest = self._backlog.oldest()
        return 0.0 if oldest is None else max(0.0, self._monotonic() - oldest)

    def measure(self) -> None:
        """Bring the gauges up to date."""
        metrics.WRITES_PENDING.set(len(self._backlog) + len(self._busy))
        metrics.OLDEST_WRITE.set(self.lag_seconds())

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(_SENDERS):
                group.create_task(self._send_forever(), name=f"status writer {number}")

    async def flush(self, timeout_seconds: float) -> bool:
        """Wait until everything is written (while `run` runs); whether it was."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self.idle and self._allowed():  # noqa: ASYNC110  # the Lease has no event that ends the wait
                    await asyncio.sleep(0.02)
        except TimeoutError:
            return False
        return self.idle

    async def _send_forever(self) -> None:
        while True:
            pending = await self._next()
            self._busy.add(pending.key)
            try:
                await self._write(pending)
            finally:
                self._busy.discard(pending.key)
                self._wake.set()

    async def _next(self) -> Pending:
        while True:
            now = self._monotonic()
            delay = max(self.bucket.delay_seconds(now), self._blocked_until - now)
            if not self._allowed():
                delay = max(delay, 0.1)
            if delay > 0:
                await asyncio.sleep(delay)
                continue
            pending = self._backlog.take(self._busy)
            if pending is not None and self.bucket.take(now):
                return pending
            if pending is not None:
                self._backlog.put(pending)
                continue
            self._wake.clear()
            await self._wake.wait()

    async def _write(self, pending: Pending) -> None:
        job = self._store.get(pending.key)
        if job is None or job.status != pending.base:
            # Decided from what is stored no more, perhaps by our own last write. The news has made the job dirty.
            return
        version = self._store.version(job.key)
        patch = patches.status_patch(
            job.key, version, job.status, pending.status, whole=pending.kind is not Kind.PROGRESS
        )
        if patch is None:
            return
        kind = pending.kind.name.lower()
        begun = self._monotonic()
        try:
            body = await self._api.request(
                "PATCH",
                f"{objects.path(job.key)}/status",
                body=patch,
                content_type=JSON_PATCH,
                timeout_seconds=_WRITE_TIMEOUT_SECONDS,
            )
        except ApiError as error:
            metrics.API_WRITES.labels(kind, _result(error)).inc()
            self._refused(pending, error, begun)
            return
        self._failures = 0
        metrics.API_WRITES.labels(kind, "ok").inc()
        metrics.WRITE_LAG.labels(kind).observe(self._monotonic() - pending.since)
        self._store.put(body)
        self._stored(job, pending.status, pending.events)

    def _refused(self, pending: Pending, error: ApiError, begun: float) -> None:
        if error.transient:
            # Those that were under way together fail together: that is one failure, and no reason to wait for longer.
            if begun >= self._failed_at:
                self._failures += 1
                self._failed_at = self._monotonic()
            backoff = min(_BACKOFF_MAX_SECONDS, _BACKOFF_SECONDS * 2.0 ** min(self._failures - 1, 8))
            wait = max(error.retry_after_seconds or 0.0, backoff * random.uniform(0.75, 1.25))  # noqa: S311  # no secret
            self._blocked_until = max(self._blocked_until, self._monotonic() + wait)
            if self._backlog.find(pending.key) is None:  # else a newer wish is there
                self._backlog.put(pending)
            log = _log.warning if self._failures == 1 else _log.debug
            log("The API server did not take a status write; tried again in %.1f s: %s", wait, error)
        elif error.status in (_GONE, _CONFLICT) or patches.DOES_NOT_FIT in error.message:
            _log.debug(
                "%s/%s is gone, another object, or newer than we knew: its status is not written",
                pending.key.namespace,
                pending.key.name,
            )
            self._again(pending.key, _CONFLICT_PAUSE_SECONDS)
        else:
            # Refused by a rule (a finished phase never changes, an attempt never falls), by the role, or by the schema.
            # The job is decided again from what the server has: not at once, so that a refusal does not become a loop.
            self._again(pending.key, _REFUSED_PAUSE_SECONDS)
            _log.error("The API server refused the status of %s/%s: %s", pending.key.namespace, pending.key.name, error)


def _result(error: ApiError) -> str:
    if error.status == 0:
        return "unreachable"
    named = {_GONE: "gone", _CONFLICT: "conflict", _INVALID: "invalid"}
    return named.get(error.status) or ("retried" if error.transient else "refused")
