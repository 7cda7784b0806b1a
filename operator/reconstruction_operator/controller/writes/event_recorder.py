"""Event recorder: posts Kubernetes Events, one at a time and at a low rate.

With more jobs than a person can read about, only some get them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.api.identity import API_VERSION, KIND, MANAGER, JobRef
from reconstruction_operator.controller.kube.objects import micro_time
from reconstruction_operator.kube.client import UNCHECKED, Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

WAITING_AT_MOST: Final = {"Normal": 200, "Warning": 1_000}  # an Event of this type is dropped while that many wait
_SHARE: Final = 0.1  # of the time, in which Events are posted: a slow server gets fewer
_NOTE_LIMIT: Final = 1_024  # characters; the API's own limit
_INSTANCE_LIMIT: Final = 128  # the same
_TIMEOUT_SECONDS: Final = 5.0


def event_body(key: JobRef, event: Event, at: datetime, name: str, instance: str) -> dict[str, Any]:
    """Make an events.k8s.io/v1 Event; `instance` is the identity of the replica that reports it."""
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": key.namespace},
        "eventTime": micro_time(at),
        "reportingController": MANAGER,
        "reportingInstance": instance[:_INSTANCE_LIMIT],
        "action": event.reason,
        "reason": event.reason,
        "type": event.type,
        "note": event.message[:_NOTE_LIMIT],
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": key.namespace,
            "name": key.name,
            "uid": key.uid,
        },
    }


@dataclass(eq=False)
class EventRecorder:
    """Accepts Events (`record`); `run` posts them."""

    api: Api
    instance: str
    _queue: asyncio.Queue[tuple[JobRef, Event, datetime]] = field(default_factory=asyncio.Queue, init=False)

    def record(self, key: JobRef, events: tuple[Event, ...]) -> None:
        """Queue these Events about a job. They are dropped if too many wait."""
        for event in events:
            if self._queue.qsize() < WAITING_AT_MOST[event.type]:
                self._queue.put_nowait((key, event, datetime.now(UTC)))
            else:
                metrics.EVENTS_DROPPED.labels("full").inc()

    async def run(self) -> None:
        """Post Events until cancelled."""
        while True:
            queued = await self._queue.get()
            began = time.monotonic()
            await self._post(*queued)
            await asyncio.sleep((time.monotonic() - began) * (1 / _SHARE - 1))

    async def flush(self, timeout_seconds: float) -> None:
        """Post the waiting Events at shutdown, when `run` has ended. Events left after the timeout are dropped."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self._queue.empty():
                    await self._post(*self._queue.get_nowait())
        except TimeoutError:
            _log.info("%d Events were dropped at shutdown", self._queue.qsize() + 1)

    async def _post(self, key: JobRef, event: Event, at: datetime) -> None:
        """Post an Event, again and again while the API server has no room for it."""
        path = f"/apis/events.k8s.io/v1/namespaces/{key.namespace}/events{UNCHECKED}"
        name = f"{key.name[:200]}.{time.time_ns():x}"  # lists of Events are in the order of their names
        body = event_body(key, event, at, name, self.instance)
        while True:
            try:
                await self.api.request("POST", path, body=body, timeout_seconds=_TIMEOUT_SECONDS)
            except ApiError as error:
                metrics.API_WRITES.labels("event", "retried" if error.transient else "refused").inc()
                if not error.transient:
                    # The namespace is being deleted, or the role does not allow Events: worth one line of log.
                    metrics.EVENTS_DROPPED.labels("refused").inc()
                    log = _log.debug if error.status == HTTPStatus.NOT_FOUND else _log.info
                    log("The API server rejected an Event about %s: %s", key, error)
                    return
                await asyncio.sleep(error.pause_seconds)
            else:
                metrics.API_WRITES.labels("event", "ok").inc()
                return
