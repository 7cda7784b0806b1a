"""Redis connection: checks every second whether Redis responds, and whether it lost data or has older data (a new
epoch).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from reconstruction_operator.broker.backlog import memory_share
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.state import calls, operator_calls
from reconstruction_operator.state.replies import Epoch
from reconstruction_operator.state.timeline import Timeline
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 1.0
_KEEPS: Final = "noeviction"
PERIOD: Final = "period"
LOST_DATA: Final = "epoch"
"""The cause of a resync after Redis lost data, which enqueues more jobs than any other."""


class ResyncRequests:
    """Requests for a resync, which the sweeper carries out.

    The newest cause counts, except that a loss of data stays the cause until a resync for it begins.
    """

    def __init__(self) -> None:
        self._cause = "start"
        self._requested = asyncio.Event()

    def request(self, cause: str) -> None:
        """Request a resync at once."""
        if self._cause != LOST_DATA:
            self._cause = cause
        self._requested.set()

    def restore(self, cause: str) -> None:
        """Restore the cause of a resync that failed, unless another was requested since."""
        if self._cause == PERIOD or cause == LOST_DATA:
            self._cause = cause

    def take(self) -> str:
        """Take the cause of the resync that begins now: the newest request, or the period."""
        cause, self._cause = self._cause, PERIOD
        return cause

    async def wait(self, timeout_seconds: float) -> None:
        """Return at the next request, or after `timeout_seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._requested.wait()
                self._requested.clear()


@dataclass(eq=False)
class RedisConnection:
    """The state of the connection and of the server. `interruptions` counts how often the connection was lost."""

    state: redis.asyncio.Redis
    election: LeaderElection
    keys: Keys
    install_id: str
    epoch: str | None = field(default=None, init=False)  # the id of the epoch, which changes after a loss of data
    _epoch_started_at: datetime | None = field(default=None, init=False)
    _policy: str = field(default="", init=False)
    evicts: bool = field(default=False, init=False)  # whether Redis may evict keys
    memory_share: float = field(default=0.0, init=False)  # share of maxmemory that is used
    problem: str = field(default="not reached yet", init=False)  # why Redis does not respond; empty if it does
    interruptions: int = field(default=0, init=False)
    resync: ResyncRequests = field(default_factory=ResyncRequests, init=False)
    timeline: Timeline = field(default_factory=Timeline, init=False)

    def epoch_age_seconds(self, now: datetime) -> float:
        """For how long Redis has certainly kept its data, at `now` by Redis's clock."""
        return 0.0 if self._epoch_started_at is None else max(0.0, (now - self._epoch_started_at).total_seconds())

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            try:
                await self.check(self.election.fence)
            except calls.DeposedError as error:
                self.election.deposed(error.seen)
            except (RedisError, OSError, calls.ProtocolError) as error:
                self._lost(error)
            await asyncio.sleep(_PERIOD_SECONDS)

    async def check(self, fence: int | None) -> bool:
        """Check Redis, and with a fencing token the epoch too. Return whether Redis lost data since the last check.

        Raises:
            RedisError: Redis failed; the caller passes the error to `failed`.
            DeposedError: a newer leader has written to Redis.

        """
        info = await self.state.info()
        lost_data = False
        if fence is not None:
            run_id = str(info.get("run_id", ""))
            epoch = await self._open_epoch(fence, run_id)
            self._epoch_started_at = epoch.started_at
            lost_data = self.epoch not in (None, epoch.id)
            self.epoch = epoch.id
        self.memory_share = memory_share(info)
        self._note_policy(str(info.get("maxmemory_policy", "")))
        self._responded(lost_data=lost_data)
        return lost_data

    async def _open_epoch(self, fence: int, run_id: str) -> Epoch:
        """Open or check the epoch; the Lease keeps the number of looks for the next leader."""
        self.timeline.learn(self.election.looks)
        leader: dict[str, Any] = {"fence": fence, "install_id": self.install_id}
        looks = self.timeline.known
        call = operator_calls.open_epoch(self.keys, **leader, run_id=run_id, known_looks=looks)
        epoch = await calls.arun(self.state, call)
        self.timeline.went_back(epoch.looks, looks)
        self.election.looks = self.timeline.known
        return epoch

    def failed(self, error: RedisError) -> None:
        """Note that another component's command failed. Redis may be reachable and have rejected only this command."""
        if isinstance(error, redis.ConnectionError | redis.TimeoutError):
            self._lost(error)
        else:
            _log.error("Redis rejected a command: %s", error)

    def _lost(self, error: Exception) -> None:
        if not self.problem:
            _log.warning("Redis does not respond; running jobs continue, and the operator waits: %s", error)
        self.problem = str(error) or type(error).__name__
        self.interruptions += 1
        metrics.REDIS_UP.set(0)

    def _responded(self, *, lost_data: bool) -> None:
        metrics.REDIS_UP.set(1)
        reconnected, self.problem = bool(self.problem), ""
        if lost_data:
            metrics.REDIS_EPOCHS.inc()
            _log.warning("Redis was restarted or emptied, or has older data: all records and flags are written again")
            self.resync.request(LOST_DATA)
        elif reconnected:
            _log.info("Redis is reachable")
            self.resync.request("reconnect")

    def _note_policy(self, policy: str) -> None:
        self.evicts = policy not in ("", _KEEPS)
        if policy != self._policy and self.evicts:
            _log.error(
                "Redis may evict keys (maxmemory-policy %s): it must be %s, or claims and records can be lost",
                policy,
                _KEEPS,
            )
        self._policy = policy
        metrics.REDIS_EVICTS.set(self.evicts)
