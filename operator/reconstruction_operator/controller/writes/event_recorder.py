"""Event recorder: posts Kubernetes Events after the statuses, within the same budget. `event_queue` decides which, and when."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.api.identity import MANAGER, JobKey
from reconstruction_operator.controller.kube.client import MERGE_PATCH, UNCHECKED, ApiError, SupportsRequest
from reconstruction_operator.controller.kube.objects import EventSubject, micro_time
from reconstruction_operator.controller.writes.event_queue import WAITING_AT_MOST, EventQueue, PendingEvent
from reconstruction_operator.controller.writes.write_queue import WriteQueue
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_SERIES_AT_MOST: Final = 4_000
_SERIES_SECONDS: Final = 600.0  # a repetition within this time is counted on the first Event
_NOTE_LIMIT: Final = 1_024  # characters; the API's own limit
_INSTANCE_LIMIT: Final = 128  # the same
_PAUSE_SECONDS: Final = 0.05  # while ends and changes of phase wait, which go first
_YIELD_SECONDS: Final = 0.2  # after each Event while progress waits
_RETRY_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 5.0


@dataclass(slots=True)
class _Series:
    path: str
    count: int
    until: float  # monotonic


def event_body(pending: PendingEvent, name: str, instance: str) -> dict[str, Any]:
    """Make an events.k8s.io/v1 Event; `instance` is the identity of the replica that reports it."""
    body = {
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
    return body | ({"series": _series(pending.count, pending.last)} if pending.count > 1 else {})


def _series(count: int, last: datetime) -> dict[str, Any]:
    return {"count": count, "lastObservedTime": micro_time(last)}


@dataclass(eq=False)
class EventRecorder:
    """Posts the recorded Events when the status writes in `writes` leave room for them."""

    api: SupportsRequest
    writes: WriteQueue
    instance: str
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _queue: EventQueue = field(init=False)
    _series: OrderedDict[tuple[EventSubject, Event], _Series] = field(default_factory=OrderedDict, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _dropping: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._queue = EventQueue(self.monotonic())

    def record(self, about: JobKey | EventSubject, events: tuple[Event, ...]) -> None:
        """Queue these Events. If too many wait, the oldest is dropped."""
        if not events:
            return
        subject = EventSubject.of(about) if isinstance(about, JobKey) else about
        for event in events:
            full = not self._queue.add(subject, event, self.now(), self.monotonic())
            if full:
                metrics.EVENTS_DROPPED.labels("full").inc()
            if full and not self._dropping:
                _log.warning("%d Events wait to be posted: older ones are dropped", WAITING_AT_MOST)
            self._dropping = full
        self._wake.set()

    async def run(self) -> None:
        """Post Events until cancelled."""
        while True:
            now = self.monotonic()
            metrics.EVENTS_DROPPED.labels("old").inc(self._queue.drop_old(now))
            delay = self._queue.delay_seconds(now)
            if delay is None or delay > 0:
                await self._sleep(delay)
            # Ahead of progress, which would take every token.
            elif self.writes.urgent or not self.writes.budget.take(now, ahead=True):
                await asyncio.sleep(_PAUSE_SECONDS)
            elif (pending := self._queue.take(now)) is not None:
                await self._post(pending)
                if not self.writes.idle:  # progress gets at least half of the budget
                    await asyncio.sleep(max(_YIELD_SECONDS, 2.0 / self.writes.budget.per_second))

    async def flush(self, timeout_seconds: float) -> None:
        """Post the waiting Events at shutdown, when `run` has ended. Events left after the timeout are dropped."""
        waiting: list[PendingEvent] = []
        try:
            async with asyncio.timeout(timeout_seconds):
                while waiting := self._queue.take_all():  # those that could not be posted come first
                    for pending in waiting:
                        await self._post(pending)
        except TimeoutError:
            _log.info("Some of %d Events were dropped at shutdown", len(waiting))

    async def _sleep(self, seconds: float | None) -> None:
        """Sleep until another Event is recorded, or for that long."""
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _post(self, pending: PendingEvent) -> None:
        same = (pending.subject, pending.event)
        series, begun = self._series.get(same), self.monotonic()
        try:
            if series is not None and series.until > begun:
                count = series.count + pending.count
                body = {"series": _series(count, pending.last)}
                await self._request("PATCH", series.path, body, MERGE_PATCH)
                series.count = count
                self._series.move_to_end(same)
            else:
                number = f"{int(pending.at.timestamp() * 1e6):x}{abs(hash(same)) % 0xFFFF:04x}"
                name = f"{pending.subject.name[:200]}.{number}"
                base = f"/apis/events.k8s.io/v1/namespaces/{pending.subject.namespace}/events"
                await self._request(
                    "POST", base + UNCHECKED, event_body(pending, name, self.instance), "application/json"
                )
                self._series[same] = _Series(f"{base}/{name}", pending.count, begun + _SERIES_SECONDS)
                while len(self._series) > _SERIES_AT_MOST:
                    self._series.popitem(last=False)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND and self._series.pop(same, None) is not None:
                self._queue.put_back(pending)  # its first Event was deleted: a new one is posted
            else:
                await self._failed(pending, error, begun)

    async def _failed(self, pending: PendingEvent, error: ApiError, begun: float) -> None:
        metrics.API_WRITES.labels("event", "retried" if error.transient else "refused").inc()
        if error.transient:
            self._queue.put_back(pending)
            self.writes.budget.refused(
                begun, self.monotonic(), retry_after_seconds=error.retry_after_seconds, jitter=1.0
            )
            await asyncio.sleep(_RETRY_SECONDS)
        else:  # the namespace is being deleted, or the role does not allow Events: worth one line of log
            metrics.EVENTS_DROPPED.labels("refused").inc()
            log = _log.debug if error.status == HTTPStatus.NOT_FOUND else _log.info
            log("The API server rejected an Event about %s: %s", pending.subject, error)

    async def _request(self, method: str, path: str, body: dict[str, Any], content_type: str) -> None:
        begun = self.monotonic()
        await self.api.request(method, path, body=body, content_type=content_type, timeout_seconds=_TIMEOUT_SECONDS)
        self.writes.budget.answered(begun, self.monotonic())
        metrics.API_WRITES.labels("event", "ok").inc()
