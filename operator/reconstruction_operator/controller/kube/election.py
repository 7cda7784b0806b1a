"""Leader election on a Lease: two replicas, one works, the other is warm and takes over.

The library's own election neither gives the number of transitions, which fences our writes to Redis, nor releases the
Lease at a clean stop; hence this one (`leases` has its rules).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from reconstruction_operator.controller.kube import leases
from reconstruction_operator.controller.kube.client import Api, ApiError
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 1.0  # of a standby; a released Lease is taken this fast
_RENEWALS_PER_DURATION: Final = 5.0
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_MAX_FENCE: Final = 2_000_000_000  # above it fence.lua believes none; a Lease's transitions are an int32


class Election:
    """Holds the Lease, or tries to. `fence` is the transition count of the tenure, None while another one leads."""

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        name: str,
        identity: str,
        duration_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = api
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._identity = identity
        self._duration_seconds = duration_seconds
        self._monotonic = monotonic
        self._now = now
        self._sighting: leases.Sighting | None = None
        self._lease: dict[str, Any] | None = None  # the newest body
        self._tenure: int | None = None
        self._trusted_until = 0.0
        self._at_least = 0  # transitions that our fence must exceed
        self._changed = asyncio.Event()

    @property
    def fence(self) -> int | None:
        """Our fence while we surely lead. Ask before every batch of actions; never keep the answer."""
        return self._tenure if self._tenure is not None and self._monotonic() < self._trusted_until else None

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as we know."""
        return self._sighting.record.holder if self._sighting else ""

    async def changed(self, timeout_seconds: float) -> None:
        """Return when we took or lost the Lease, or after `timeout_seconds`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def deposed(self, seen: int | None) -> None:
        """Redis has seen a higher fence than ours: stop acting; the next tenure will be above `seen` if it is known."""
        _log.warning(
            "Redis refused our fence %s (it has seen %s): contending again", self._tenure, seen or "a higher one"
        )
        known = min(seen, _MAX_FENCE) if seen is not None else (self._tenure or 0) + 1
        self._at_least = max(self._at_least, known)
        self._lose("deposed")

    async def run(self) -> None:
        """Contend and renew until cancelled."""
        while True:
            started = self._monotonic()
            try:
                async with asyncio.timeout(self._duration_seconds / 2):
                    await self._round(started)
            except (ApiError, TimeoutError) as error:
                log = _log.debug if isinstance(error, ApiError) and error.status == _CONFLICT else _log.warning
                log("The Lease could not be read or written: %s", error or "no answer in time")
            if self._tenure is not None and self._monotonic() >= self._trusted_until:
                self._lose("expired")
            await asyncio.sleep(self._pause_seconds())

    async def release(self) -> None:
        """Give the Lease back at a clean stop, so that a standby takes it at once."""
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
                if error.status not in (_CONFLICT, _NOT_FOUND):
                    raise
                self._lose("taken")
            else:
                return
        await self._contend(started)

    async def _contend(self, started: float) -> None:
        try:
            lease = await self._api.get(f"{self._collection}/{self._name}")
        except ApiError as error:
            if error.status != _NOT_FOUND:
                raise
            transitions = max(leases.first_transitions(self._now()), self._at_least + 1)
            spec = leases.spec(self._identity, self._duration_seconds, transitions, self._now())
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name},
                "spec": spec,
            }
            self._saw(await self._api.request("POST", self._collection, body=body), started)
            self._win(transitions, started)
            return
        self._saw(lease, self._monotonic())
        sighting = self._sighting
        if sighting is None or (sighting.record.holder != self._identity and self._monotonic() < sighting.expires()):
            return
        # Also after our own tenure lapsed: somebody may have come and gone in between only with a count above ours.
        transitions = max(sighting.record.transitions, self._at_least) + 1
        await self._hold(transitions, None, started)
        self._win(transitions, started)

    async def _hold(self, transitions: int, acquired: str | None, started: float) -> None:
        await self._write(leases.spec(self._identity, self._duration_seconds, transitions, self._now(), acquired))
        self._trusted_until = started + self._duration_seconds * leases.HOLDER_MARGIN

    async def _write(self, spec: dict[str, Any], timeout_seconds: float | None = None) -> None:
        # A replace with the resource version that we saw: of two candidates one gets a conflict.
        body = {**(self._lease or {}), "spec": spec}
        limit = self._duration_seconds / 2 if timeout_seconds is None else timeout_seconds
        path = f"{self._collection}/{self._name}"
        self._saw(await self._api.request("PUT", path, body=body, timeout_seconds=limit), self._monotonic())

    def _saw(self, lease: dict[str, Any], now: float) -> None:
        record = leases.Record.of(lease)
        self._lease = lease
        self._sighting = self._sighting.updated(record, now) if self._sighting else leases.Sighting(record, now)

    def _win(self, transitions: int, started: float) -> None:
        self._tenure = self._at_least = transitions
        self._trusted_until = started + self._duration_seconds * leases.HOLDER_MARGIN
        metrics.LEADER.set(1)
        metrics.LEADER_CHANGES.labels("taken").inc()
        _log.info("Leading as %s, transition %d", self._identity, transitions)
        self._changed.set()

    def _lose(self, why: str) -> None:
        if self._tenure is None:
            return
        self._tenure = None
        metrics.LEADER.set(0)
        metrics.LEADER_CHANGES.labels(why).inc()
        _log.warning("Not leading any more: %s", why)
        self._changed.set()

    def _pause_seconds(self) -> float:
        now = self._monotonic()
        if self._tenure is not None:
            return self._duration_seconds / _RENEWALS_PER_DURATION
        expires = self._sighting.expires() - now if self._sighting else _POLL_SECONDS
        return min(_POLL_SECONDS, max(0.05, expires))
