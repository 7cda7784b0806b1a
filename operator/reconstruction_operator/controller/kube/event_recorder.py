"""Event recorder: posts Kubernetes Events after the statuses, within the same rate limit, and drops the oldest of too many."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Self

from reconstruction_operator.api.identity import GROUP, KIND, MANAGER, VERSION, JobKey
from reconstruction_operator.controller.kube.client import MERGE_PATCH, ApiError, SupportsRequest
from reconstruction_operator.controller.kube.objects import micro_time
from reconstruction_operator.controller.kube.write_queue import WriteQueue
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_WAITING_AT_MOST: Final = 2_000
_SERIES_AT_MOST: Final = 4_000
_SERIES_SECONDS: Final = 600.0  # a repetition within this time is counted on the first Event
_NOTE_LIMIT: Final = 1_024  # characters; the API's own limit
_INSTANCE_LIMIT: Final = 128  # the same
_PAUSE_SECONDS: Final = 0.05  # while ends and phases wait: they go first
_YIELD_SECONDS: Final = 0.2  # after each Event while progress waits
_RETRY_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Subject:
    """The object that an Event is about: a job, or the operator's Lease if it is about all jobs."""

    namespace: str
    name: str
    uid: str
    kind: str = KIND
    api_version: str = f"{GROUP}/{VERSION}"

    @classmethod
    def of(cls, key: JobKey) -> Self:
        """A job."""
        return cls(key.namespace, key.name, key.uid)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """One Event about one object."""

    subject: Subject
    event: Event
    at: datetime


@dataclass(slots=True)
class _Series:
    path: str
    count: int
    until: float  # monotonic


def event_body(pending: PendingEvent, name: str, instance: str) -> dict[str, Any]:
    """An events.k8s.io/v1 Event; `instance` is the identity of the replica that reports it."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": pending.subject.namespace},
        "eventTime": micro_time(pending.at),
        "reportingController": MANAGER,
        "reportingInstance": instance[:_INSTANCE_LIMIT],
        "action": pending.event.reason,
        "reason": pending.event.reason,
        "type": pending.event.type,
        "note": pending.event.message[:_NOTE_LIMIT],
        "regarding": {
            "apiVersion": pending.subject.api_version,
            "kind": pending.subject.kind,
            "namespace": pending.subject.namespace,
            "name": pending.subject.name,
            "uid": pending.subject.uid,
        },
    }


@dataclass(eq=False)
class EventRecorder:
    """Posts what is recorded, when the status writes in `writes` leave room for it."""

    api: SupportsRequest
    writes: WriteQueue
    instance: str
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _waiting: deque[PendingEvent] = field(default_factory=deque, init=False)
    _series: OrderedDict[tuple[Subject, Event], _Series] = field(default_factory=OrderedDict, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _dropping: bool = field(default=False, init=False)

    def record(self, about: JobKey | Subject, events: tuple[Event, ...]) -> None:
        """Post these later. If too many wait, the oldest is dropped."""
        subject = Subject.of(about) if isinstance(about, JobKey) else about
        for event in events:
            full = len(self._waiting) >= _WAITING_AT_MOST
            if full:
                self._waiting.popleft()
                metrics.EVENTS_DROPPED.labels("full").inc()
            if full and not self._dropping:
                _log.warning("%d Events wait to be posted: older ones are dropped", _WAITING_AT_MOST)
            self._dropping = full
            self._waiting.append(PendingEvent(subject, event, self.now()))
        self._wake.set()

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            while not self._waiting:  # a loop: a status without Events wakes this task, too
                self._wake.clear()
                await self._wake.wait()
            if self.writes.urgent or not self.writes.bucket.take(self.monotonic()):
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            await self._post(self._waiting.popleft())
            if not self.writes.idle:  # progress is sent first, but must not starve the Events
                await asyncio.sleep(_YIELD_SECONDS)

    async def flush(self, timeout_seconds: float) -> None:
        """Post what waits, at the end of the process, when `run` has ended. What is left after the timeout is dropped."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while self._waiting:
                    await self._post(self._waiting.popleft())
        except TimeoutError:
            _log.info("%d Events were dropped at the end", len(self._waiting))

    async def _post(self, pending: PendingEvent) -> None:
        same = (pending.subject, pending.event)
        series = self._series.get(same)
        try:
            if series is not None and series.until > self.monotonic():
                series.count += 1
                self._series.move_to_end(same)
                body = {"series": {"count": series.count, "lastObservedTime": micro_time(pending.at)}}
                await self._request("PATCH", series.path, body, MERGE_PATCH)
            else:
                number = f"{int(pending.at.timestamp() * 1e6):x}{abs(hash(same)) % 0xFFFF:04x}"
                name = f"{pending.subject.name[:200]}.{number}"
                base = f"/apis/events.k8s.io/v1/namespaces/{pending.subject.namespace}/events"
                await self._request("POST", base, event_body(pending, name, self.instance), "application/json")
                self._series[same] = _Series(f"{base}/{name}", 1, self.monotonic() + _SERIES_SECONDS)
                while len(self._series) > _SERIES_AT_MOST:
                    self._series.popitem(last=False)
        except ApiError as error:
            metrics.API_WRITES.labels("event", "retried" if error.transient else "refused").inc()
            if error.transient:
                self._waiting.appendleft(pending)
                await asyncio.sleep(max(_RETRY_SECONDS, error.retry_after_seconds or 0.0))
            else:  # the namespace is being deleted, or the role lacks Events: worth one line of log
                metrics.EVENTS_DROPPED.labels("refused").inc()
                log = _log.debug if error.status == HTTPStatus.NOT_FOUND else _log.info
                log("An Event about %s was refused: %s", pending.subject, error)

    async def _request(self, method: str, path: str, body: dict[str, Any], content_type: str) -> None:
        await self.api.request(method, path, body=body, content_type=content_type, timeout_seconds=_TIMEOUT_SECONDS)
        metrics.API_WRITES.labels("event", "ok").inc()
