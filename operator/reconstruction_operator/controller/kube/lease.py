"""Leader election: the replica that holds the Lease works, the others stand by and take over.

No library both exposes the number of transitions, which is the fencing token of all writes to Redis, and releases the
Lease at a clean stop. The rules are those of client-go: no clock of another machine is trusted. A candidate takes the
Lease after it saw the same record for the record's whole duration on its own monotonic clock. The holder counts from
the moment before it sent its last successful renewal, so it stops before a candidate may take over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from reconstruction_operator.controller.kube import objects
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

# Share of the duration for which the holder trusts a renewal: the rest is for slow clocks and requests
HOLDER_MARGIN: Final = 0.8
_API_VERSION: Final = "coordination.k8s.io/v1"
_POLL_SECONDS: Final = 1.0  # period of a standby: how soon it takes a released Lease
_RENEWALS_PER_DURATION: Final = 5.0
_MAX_DURATION_SECONDS: Final = 600.0  # that is respected: any writer of the Lease can name a longer one
_CLOCK_SKEW: Final = timedelta(days=1)
_LOOKS_DIGITS: Final = 15
_MAX_FENCE: Final = 2_000_000_000  # the largest that fence.lua accepts; a Lease's transitions are an int32
LOOKS: Final = "reconstruction.dev/redis-looks"  # annotation of the Lease
_START: Final = datetime(2020, 1, 1, tzinfo=UTC)


# --- Rules, without I/O -----------------------------------------------------------------------------------------------


def looks_of(lease: Mapping[str, Any]) -> int:
    """Return the number of looks that Redis had counted (`state.timeline`), by the Lease's
    annotation; 0 without one.
    """
    text = str((lease.get("metadata", {}).get("annotations") or {}).get(LOOKS, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < _LOOKS_DIGITS else 0


def first_transitions(now: datetime) -> int:
    """Return the count at which a new Lease starts: seconds since 2020, which fit the field's 31 bits until 2088.

    The count is the fencing token, and Redis remembers the highest one. After a Lease was deleted, its successor must
    start above the old count, or Redis would reject the new holder. A Lease has far less than one transition a second.
    """
    return max(0, int((now - _START).total_seconds()))


def lease_spec(
    identity: str, duration_seconds: float, transitions: int, now: datetime, acquired: str | None = None
) -> dict[str, Any]:
    """Return a Lease's spec with `identity` as holder.

    A renewal keeps `acquired`, the time at which the tenure began.
    """
    return {
        "holderIdentity": identity,
        "leaseDurationSeconds": max(1, math.ceil(duration_seconds)),
        "acquireTime": acquired or objects.micro_time(now),
        "renewTime": objects.micro_time(now),
        "leaseTransitions": transitions,
    }


# --- The election -----------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class LeaderElection:
    """Holds the Lease, or tries to. `fence` is the transition count of our tenure, None while another replica leads."""

    api: Api
    namespace: str
    name: str
    identity: str
    duration_seconds: float
    monotonic: Callable[[], float] = time.monotonic
    # Looks that Redis has counted; the Lease keeps the number for the next leader
    looks: int = field(default=0, init=False)
    _lease: dict[str, Any] | None = field(default=None, init=False)  # the newest body
    _since: float = field(default=math.inf, init=False)  # for how long it has been unchanged
    _tenure: int | None = field(default=None, init=False)
    _trusted_until: float = field(default=0.0, init=False)
    _at_least: int = field(default=0, init=False)  # transitions that our token must exceed
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def _collection(self) -> str:
        return f"/apis/{_API_VERSION}/namespaces/{self.namespace}/leases"

    @property
    def fence(self) -> int | None:
        """Our fencing token; None unless this replica certainly leads.

        Read it before every batch of actions; never store it.
        """
        return self._tenure if self._tenure is not None and self.monotonic() < self._trusted_until else None

    @property
    def leading(self) -> bool:
        """Whether this replica certainly leads."""
        return self.fence is not None

    @property
    def holder(self) -> str:
        """The identity of the last holder that was seen."""
        return str(self._spec.get("holderIdentity") or "")

    @property
    def _spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = (self._lease or {}).get("spec") or {}
        return spec

    @property
    def _expires_at(self) -> float:
        """The monotonic time from which a candidate may take the Lease."""
        longest = max(self.duration_seconds, _MAX_DURATION_SECONDS)
        duration = float(self._spec.get("leaseDurationSeconds") or 0)
        return self._since + (min(duration, longest) if self.holder else 0.0)

    async def changed(self, timeout_seconds: float) -> None:
        """Return when this replica takes or loses the Lease, or after `timeout_seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
                self._changed.clear()

    def deposed(self, seen: int | None) -> None:
        """Stop leading: Redis holds a higher fencing token. The next tenure gets one above `seen`, if that is known."""
        _log.warning(
            "Redis rejected fencing token %s (current token: %s); campaigning again", self._tenure, seen or "unknown"
        )
        current = min(seen, _MAX_FENCE) if seen is not None else (self._tenure or 0) + 1
        self._at_least = max(self._at_least, current)
        self._lose("deposed")

    async def run(self) -> None:
        """Campaign for the Lease and renew it, until cancelled."""
        while True:
            started = self.monotonic()
            try:
                async with asyncio.timeout(self.duration_seconds / 2):
                    await self._round(started)
            except (ApiError, TimeoutError) as error:
                log = (
                    _log.debug if isinstance(error, ApiError) and error.status == HTTPStatus.CONFLICT else _log.warning
                )
                log("The Lease could not be read or written: %s", error or "no response in time")
            if self._tenure is not None and self.monotonic() >= self._trusted_until:
                self._lose("expired")
            await asyncio.sleep(self._pause_seconds())

    async def release(self) -> None:
        """Release the Lease at a clean stop, so that a standby takes it at once."""
        if self._tenure is None or self._lease is None:
            return
        self._lose("released")
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._write(spec, timeout_seconds=2.0)
        except ApiError as error:
            _log.warning("The Lease could not be released; a standby waits until it expires: %s", error)

    async def _round(self, started: float) -> None:
        if self._tenure is not None and self._lease is not None:
            try:
                await self._hold(self._tenure, self._lease["spec"].get("acquireTime"), started)
            except ApiError as error:
                if error.status not in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
                    raise
                self._lose("taken")
            else:
                return
        await self._campaign(started)

    async def _campaign(self, started: float) -> None:
        try:
            lease = await self.api.get(f"{self._collection}/{self.name}")
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            await self._create(started)
            return
        self._saw(lease, self.monotonic())
        if self.holder != self.identity and self.monotonic() < self._expires_at:
            return
        # Above the count even if we are the last holder: another replica may have led in between.
        # No Lease of ours counts more than seconds; after a foreign count near the maximum there would be no valid
        # token.
        latest = first_transitions(datetime.now(UTC) + _CLOCK_SKEW)
        transitions = max(min(int(self._spec.get("leaseTransitions") or 0), latest), self._at_least) + 1
        await self._hold(transitions, None, started)
        self._win(transitions, started)

    async def _create(self, started: float) -> None:
        transitions = max(first_transitions(datetime.now(UTC)), self._at_least + 1)
        body = {
            "apiVersion": _API_VERSION,
            "kind": "Lease",
            "metadata": self._metadata({"name": self.name}),
            "spec": lease_spec(self.identity, self.duration_seconds, transitions, datetime.now(UTC)),
        }
        self._saw(await self.api.request("POST", self._collection, body=body), started)
        self._win(transitions, started)

    async def _hold(self, transitions: int, acquired: str | None, started: float) -> None:
        await self._write(lease_spec(self.identity, self.duration_seconds, transitions, datetime.now(UTC), acquired))
        self._trusted_until = started + self.duration_seconds * HOLDER_MARGIN

    async def _write(self, spec: dict[str, Any], timeout_seconds: float | None = None) -> None:
        # Optimistic concurrency: the body holds the resource version that we read, so of two candidates one gets a
        # conflict.
        lease = self._lease or {}
        body = {**lease, "metadata": self._metadata(lease.get("metadata") or {}), "spec": spec}
        limit = self.duration_seconds / 2 if timeout_seconds is None else timeout_seconds
        path = f"{self._collection}/{self.name}"
        self._saw(await self.api.request("PUT", path, body=body, timeout_seconds=limit), self.monotonic())

    def _metadata(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        return {**metadata, "annotations": {**(metadata.get("annotations") or {}), LOOKS: str(self.looks)}}

    def _saw(self, lease: dict[str, Any], now: float) -> None:
        # The metadata have a version, which changes with every write.
        if self._lease is None or lease["metadata"] != self._lease["metadata"]:
            self._since = now
        self._lease = lease
        self.looks = max(self.looks, looks_of(lease))

    def _win(self, transitions: int, started: float) -> None:
        self._tenure = self._at_least = transitions
        self._trusted_until = started + self.duration_seconds * HOLDER_MARGIN
        metrics.LEADER.set(1)
        metrics.LEADER_CHANGES.labels("taken").inc()
        _log.info("Leading as %s, transition %d", self.identity, transitions)
        self._changed.set()

    def _lose(self, why: str) -> None:
        if self._tenure is None:
            return
        self._tenure = None
        metrics.LEADER.set(0)
        metrics.LEADER_CHANGES.labels(why).inc()
        _log.warning("No longer leading: %s", why)
        self._changed.set()

    def _pause_seconds(self) -> float:
        if self._tenure is not None:
            return self.duration_seconds / _RENEWALS_PER_DURATION
        return min(_POLL_SECONDS, max(0.05, self._expires_at - self.monotonic()))
