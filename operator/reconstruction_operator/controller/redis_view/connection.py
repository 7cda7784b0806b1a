"""Is Redis there, and has it forgotten anything? Asked every second, since all else rests on the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import redis.asyncio
from redis.exceptions import ConnectionError, RedisError, TimeoutError  # noqa: A004  # redis-py names them so

from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.election import Election
from reconstruction_operator.controller.redis_view.liveness import LivenessTracker
from reconstruction_operator.controller.redis_view.observer import Observer
from reconstruction_operator.state import calls, errors, operator_calls
from reconstruction_operator.telemetry import metrics

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 1.0
_KEEPS: Final = "noeviction"


class Contact:
    """The contact with Redis. `forgot` is called when it was away or has forgotten things: look at everything again."""

    def __init__(
        self,
        state: redis.asyncio.Redis,
        observer: Observer,
        liveness: LivenessTracker,
        election: Election,
        *,
        keys: Keys,
        install_id: str,
        forgot: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._observer = observer
        self._liveness = liveness
        self._election = election
        self._keys = keys
        self._install_id = install_id
        self._forgot = forgot
        self._monotonic = monotonic
        self._epoch: str | None = None
        self._error = "not reached yet"
        self._policy = ""
        self.last_answer: float | None = None

    @property
    def error(self) -> str:
        """What is wrong with Redis; empty if it answers."""
        return self._error

    @property
    def evicts(self) -> bool:
        """Whether Redis may throw our state away."""
        return self._policy not in ("", _KEEPS)

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            try:
                await self.check(self._election.fence)
            except errors.DeposedError as error:
                self._election.deposed(error.seen)
            except (RedisError, OSError, errors.ProtocolError) as error:
                self._lost(error)
            await asyncio.sleep(_PERIOD_SECONDS)

    async def check(self, fence: int | None) -> bool:
        """Ask now; with a fence, make sure of the epoch as well. True: Redis has forgotten things since the last time.

        Raises:
            RedisError: it does not answer; say so by `failed`.
            DeposedError: a newer leader has been here.

        """
        info = await self._state.info()
        forgot = False
        if fence is not None:
            run_id = str(info.get("run_id", ""))
            call = operator_calls.open_epoch(self._keys, fence=fence, install_id=self._install_id, run_id=run_id)
            epoch = await calls.arun(self._state, call)
            self._observer.epoch_started_at = epoch.started_at
            forgot = self._epoch not in (None, epoch.id)
            self._epoch = epoch.id
        self._note_policy(str(info.get("maxmemory_policy", "")))
        self._found(forgot=forgot)
        return forgot

    def failed(self, error: RedisError) -> None:
        """A command of somebody's failed. Redis may be well all the same, and have refused just this one."""
        if isinstance(error, ConnectionError | TimeoutError):
            self._lost(error)
        else:
            _log.error("Redis refused a command: %s", error)

    def _lost(self, error: Exception) -> None:
        if not self._error:
            _log.warning("Redis does not answer; jobs go on, and the operator waits for it: %s", error)
        self._error = str(error) or type(error).__name__
        metrics.REDIS_UP.set(0)
        self._liveness.interrupted()

    def _found(self, *, forgot: bool) -> None:
        self.last_answer = self._monotonic()
        metrics.REDIS_UP.set(1)
        back, self._error = bool(self._error), ""
        if forgot:
            metrics.REDIS_EPOCHS.inc()
            _log.warning("Redis was restarted or emptied: everything is asserted again")
            self._forgot("epoch")
        elif back:
            _log.info("Redis answers")
            self._forgot("reconnect")

    def _note_policy(self, policy: str) -> None:
        if policy != self._policy and policy not in ("", _KEEPS):
            _log.error(
                "Redis may evict keys (maxmemory-policy %s): it must be %s, or claims and records can be lost",
                policy,
                _KEEPS,
            )
        self._policy = policy
        metrics.REDIS_EVICTS.set(self.evicts)
