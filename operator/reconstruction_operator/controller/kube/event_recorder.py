"""Kubernetes Events: told last, told once, and given up rather than allowed to pile up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reconstruction_operator.api.identity import GROUP, KIND, MANAGER, VERSION, JobKey
from reconstruction_operator.controller.kube.client import MERGE_PATCH, ApiError
from reconstruction_operator.controller.kube.status_writer import StatusWriter, Transport
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_WAITING_AT_MOST: Final = 2_000
_REMEMBERED: Final = 4_000  # Events that a repetition is counted on
_SERIES_SECONDS: Final = 600.0  # a repetition within this time is counted on the first Event
_NOTE_LIMIT: Final = 1_024  # characters; the API's own limit
_PAUSE_SECONDS: Final = 0.05  # while ends and phases wait: they go first
_YIELD_SECONDS: Final = 0.2  # after each Event while progress waits
_RETRY_SECONDS: Final = 1.0
_GONE: Final = 404


@dataclass(frozen=True, slots=True)
class Told:
    """One Event about one job."""

    key: JobKey
    event: Event
    at: datetime


@dataclass(slots=True)
class _Series:
    path: str
    count: int
    until: float  # monotonic


def event_body(told: Told, name: str, instance: str) -> dict[str, Any]:
    """An events.k8s.io/v1 Event; `instance` is which replica reports."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": told.key.namespace},
        "eventTime": _micro(told.at),
        "reportingController": MANAGER,
        "reportingInstance": instance[:128],
        "action": told.event.reason,
        "reason": told.event.reason,
        "type": told.event.type,
        "note": told.event.message[:_NOTE_LIMIT],
        "regarding": {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": KIND,
            "namespace": told.key.namespace,
            "name": told.key.name,
            "uid": told.key.uid,
        },
    }


class EventPoster:
    """Posts what it is told. Shares the writer's token bucket, and lets statuses go first."""

    def __init__(
        self,
        api: Transport,
        writer: StatusWriter,
        *,
        instance: str,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._writer = writer
        self._instance = instance
        self._monotonic = monotonic
        self._now = now
        self._waiting: deque[Told] = deque()
        self._series: OrderedDict[tuple[JobKey, Event], _Series] = OrderedDict()
        self._wake = asyncio.Event()

    def tell(self, key: JobKey, events: tuple[Event, ...]) -> None:
        """Post these; the oldest that waits is given up if there are too many."""
        for event in events:
            if len(self._waiting) >= _WAITING_AT_MOST:
                self._waiting.popleft()
                metrics.EVENTS_DROPPED.labels("full").inc()
            self._waiting.append(Told(key, event, self._now()))
        self._wake.set()

    async def run(self) -> None:
        """Post until cancelled."""
        while True:
            while not self._waiting:  # again: who tells of no Events wakes us as well
                self._wake.clear()
                await self._wake.wait()
            if self._writer.urgent or not self._writer.bucket.take(self._monotonic()):
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            await self._post(self._waiting.popleft())
            if not self._writer.idle:  # progress goes first as well, and yet must not keep every Event from being told
                await asyncio.sleep(_YIELD_SECONDS)

    async def flush(self, timeout_seconds: float) -> None:
        """Post what waits (instead of `run`), for so long at most: the end of the process loses the rest."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while self._waiting:
                    await self._post(self._waiting.popleft())
        except TimeoutError:
            _log.info("%d Events were given up at the end", len(self._waiting))

    async def _post(self, told: Told) -> None:
        same = (told.key, told.event)
        series = self._series.get(same)
        try:
            if series is not None and series.until > self._monotonic():
                series.count += 1
                self._series.move_to_end(same)
                await self._count(series, told)
            else:
                name = f"{told.key.name[:200]}.{int(told.at.timestamp() * 1e6):x}{abs(hash(same)) % 0xFFFF:04x}"
                base = f"/apis/events.k8s.io/v1/namespaces/{told.key.namespace}/events"
                await self._request("POST", base, event_body(told, name, self._instance), "application/json")
                self._series[same] = _Series(f"{base}/{name}", 1, self._monotonic() + _SERIES_SECONDS)
                while len(self._series) > _REMEMBERED:
                    self._series.popitem(last=False)
        except ApiError as error:
            metrics.API_WRITES.labels("event", "retried" if error.transient else "refused").inc()
            if error.transient:
                self._waiting.appendleft(told)
                await asyncio.sleep(max(_RETRY_SECONDS, error.retry_after_seconds or 0.0))
            else:  # the namespace is going away, or the role lacks Events: not worth more than a line
                metrics.EVENTS_DROPPED.labels("refused").inc()
                log = _log.debug if error.status == _GONE else _log.info
                log("An Event about %s/%s was refused: %s", told.key.namespace, told.key.name, error)

    async def _count(self, series: _Series, told: Told) -> None:
        body = {"series": {"count": series.count, "lastObservedTime": _micro(told.at)}}
        await self._request("PATCH", series.path, body, MERGE_PATCH)

    async def _request(self, method: str, path: str, body: dict[str, Any], content_type: str) -> None:
        await self._api.request(method, path, body=body, content_type=content_type, timeout_seconds=5.0)
        metrics.API_WRITES.labels("event", "ok").inc()


def _micro(at: datetime) -> str:
    """metav1.MicroTime."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
