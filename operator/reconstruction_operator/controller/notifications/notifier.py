"""Notifier: sends the notifications in the statuses of jobs, and marks them.

The mark is made after the receiver has accepted the event: a crash in between sends it again, with the same id
(at-least-once delivery). All but the mark is read from the job's object, so a new leader continues where the last one
ended, even if Redis is empty.

A failure delays its job, so that an event that a receiver rejects holds up no other job's. If the receiver is down,
one event at a time tries it again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from reconstruction_operator.api import codec
from reconstruction_operator.api.notification import Notification, NotificationState
from reconstruction_operator.api.status import Status
from reconstruction_operator.controller import transition_log
from reconstruction_operator.controller.entry import Delivery, Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.notifications.cloudevent import cloud_event, gallery_page
from reconstruction_operator.controller.notifications.sending import DeliveryError, Sender
from reconstruction_operator.controller.notifications.signature import OTHERS
from reconstruction_operator.controller.writes.event_recorder import EventRecorder
from reconstruction_operator.kube import parsing, paths
from reconstruction_operator.kube.client import JSON_PATCH, UNCHECKED, Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.times import backoff
from reconstruction_operator.planning.types import Event, Timing
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.25
_AT_ONCE: Final = 4  # events on their way to one address
_BACKOFF_SECONDS: Final = 1.0  # doubles
_BACKOFF_MAX_SECONDS: Final = 600.0
_API_SECONDS: Final = 1.0  # after an answer of the API server that does not fit, until the job is read again
_DEFECT_SECONDS: Final = 60.0


class _Down(NamedTuple):
    """An address whose receiver is down."""

    tries: int
    until: float  # monotonic, of the next try
    why: str


class _Stored(NamedTuple):
    """A notification in a job's object."""

    place: int  # in the list
    notification: Notification
    status: dict[str, Any]  # that it is in, as JSON

    @property
    def key(self) -> tuple[str, int]:
        return self.notification.kind, self.notification.attempt


@dataclass(eq=False)
class Notifier:
    """Sends and marks while this replica leads. `gallery` is the published address."""

    api: Api
    cache: Cache
    election: LeaderElection
    events: EventRecorder
    sender: Sender
    timing: Timing
    retry_seconds: float
    gallery: str
    monotonic: Callable[[], float] = time.monotonic
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _down: dict[str, _Down] = field(default_factory=dict, init=False)  # by address
    _busy: Counter[str] = field(default_factory=Counter, init=False)  # events on their way, by address

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                if self.election.leading:
                    for entry in list(self.due(self.monotonic())):
                        group.create_task(self._handle(entry))
                await asyncio.sleep(_POLL_SECONDS)

    def due(self, now: float) -> Iterator[Entry]:
        """Yield the jobs of which a notification is to be sent now, and reserve the places of their addresses."""
        for entry in self.cache.unsent():
            delivery = entry.delivery = entry.delivery or Delivery()
            if delivery.busy or delivery.due > now or not entry.job.ours:
                continue
            address = self.timing.notified(entry.key.namespace)
            down = self._down.get(address)
            if down is not None and down.until > now and not self._overdue(entry.job.status.unsent[0]):
                continue
            if self._busy[address] >= (1 if down else _AT_ONCE):
                continue
            delivery.busy = True
            self._busy[address] += 1
            yield entry

    async def _handle(self, entry: Entry) -> None:
        delivery = entry.delivery or Delivery()
        address = self.timing.notified(entry.key.namespace)
        try:
            await self._advance(entry, delivery, address)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:  # the watch tells of its deletion
                _log.warning("The notifications of %s cannot be read or marked: %s", entry.key, error)
            delivery.due = self.monotonic() + max(_API_SECONDS, error.pause_seconds)
        except Exception:  # noqa: BLE001  # one bad job never stops the others
            _log.exception("The notifications of %s cannot be sent", entry.key)
            delivery.due = self.monotonic() + _DEFECT_SECONDS
        finally:
            delivery.busy = False
            self._busy[address] -= 1

    async def _advance(self, entry: Entry, delivery: Delivery, address: str) -> None:
        """Send the job's next notification, and mark it."""
        body = await self.api.get(paths.of(entry.key))
        stored = _next(body)
        if parsing.key_of(body) != entry.key or stored is None:  # another object of the name, or the cache is older
            self.cache.put(body)
            delivery.due = self.monotonic() + _API_SECONDS
            return
        state = NotificationState.SENT
        if delivery.accepted != stored.key:
            reached = await self._send(entry, delivery, address, stored)
            if reached is None:
                return
            state, delivery.accepted = reached, stored.key
        self.cache.put(await self._mark(entry, stored, state))
        entry.delivery = None

    async def _send(self, entry: Entry, delivery: Delivery, address: str, stored: _Stored) -> NotificationState | None:
        """Send it, and return its new state; None if it is to be sent again."""
        key, notification = entry.key, stored.notification
        name = f"notification {notification.kind} of attempt {notification.attempt}"
        if not address:
            transition_log.log_step(key, "NotificationDropped", f"The {name} has no address any more")
            return NotificationState.DROPPED
        overdue = self._overdue(notification)
        down = self._down.get(address)
        if down is not None and down.until > self.monotonic():
            if not overdue:  # it went down while this one waited for its place
                delivery.due = down.until
                return None
            error: DeliveryError | None = DeliveryError(down.why, down=True)
        else:
            error = await self._try(entry, address, stored)
        if error is not None:
            metrics.NOTIFICATIONS.labels("refused" if error.refused else "failed").inc()
            if overdue:
                self._warn(entry, "NotificationDropped", f"The {name} is dropped: {error}")
                metrics.NOTIFICATIONS.labels("dropped").inc()
                return NotificationState.DROPPED
            self._delay(delivery, address, error)
            if error.refused and not delivery.warned:
                delivery.warned = True
                self._warn(entry, "NotificationRefused", f"The {name} is not sent, and tried again: {error}")
            _log.info("The %s of %s is not sent, after %d tries: %s", name, key, delivery.tries, error)
            return None
        self._down.pop(address, None)
        metrics.NOTIFICATIONS.labels("sent").inc()
        transition_log.log_step(key, "NotificationSent", f"The {name} is sent", attempt=notification.attempt)
        return NotificationState.SENT

    async def _try(self, entry: Entry, address: str, stored: _Stored) -> DeliveryError | None:
        """Send it once, and return the error."""
        event = cloud_event(entry.key, stored.notification, stored.status, gallery_page(self.gallery, entry.key))
        namespace = entry.key.namespace
        key_name = namespace if namespace in dict(self.timing.notifications) else OTHERS
        try:
            await self.sender.send(address, event, key_name)
        except DeliveryError as error:
            return error
        return None

    def _delay(self, delivery: Delivery, address: str, error: DeliveryError) -> None:
        now = self.monotonic()
        delivery.tries += 1
        delivery.due = now + backoff(delivery.tries, _BACKOFF_SECONDS, _BACKOFF_MAX_SECONDS)
        if error.down:
            tries = self._down[address].tries + 1 if address in self._down else 1
            until = now + backoff(tries, _BACKOFF_SECONDS, _BACKOFF_MAX_SECONDS)
            self._down[address] = _Down(tries, until, str(error))
        else:
            self._down.pop(address, None)

    def _overdue(self, notification: Notification) -> bool:
        since = notification.time
        return since is not None and (self.utc_now() - since).total_seconds() > self.retry_seconds

    def _warn(self, entry: Entry, reason: str, message: str) -> None:
        _log.warning("%s: %s", entry.key, message)
        self.events.record(entry.key, (Event("Warning", reason, message),))

    async def _mark(self, entry: Entry, stored: _Stored, state: NotificationState) -> dict[str, Any]:
        """Store the notification's state over any version of the object that has it in that place."""
        path = f"/status/notifications/{stored.place}"
        kind, attempt = stored.key
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": entry.key.uid},
            {"op": "test", "path": f"{path}/kind", "value": kind},
            {"op": "test", "path": f"{path}/attempt", "value": attempt},
            {"op": "add", "path": f"{path}/state", "value": state.value},
        ]
        return await self.api.request(
            "PATCH", f"{paths.of(entry.key)}/status{UNCHECKED}", body=patch, content_type=JSON_PATCH
        )


def _next(body: dict[str, Any]) -> _Stored | None:
    """Return the first notification of an object that is not sent; None if all are."""
    status = body.get("status") or {}
    for place, notification in enumerate(codec.decode(Status, status).notifications):
        if notification.state is NotificationState.PENDING:
            return _Stored(place, notification, status)
    return None
