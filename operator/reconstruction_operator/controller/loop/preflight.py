"""Preflight: asks a worker to check the input of a waiting job. A bad input fails the job before a slot is free.

A job that can run at once is never checked, and no job waits for a check. Requests and answers may be lost: a request without an
answer is repeated a few times.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from redis.exceptions import RedisError

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import ConditionType, Phase, Status
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Verdict
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.planning.types import Job
from reconstruction_operator.state import calls, errors, operator_calls

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 60.0  # workers kill a check after half of that time
_TRIES: Final = 3
_FOR_EACH_THREAD: Final = 2  # maximum open requests for each worker: the current one and the next
_MOST_IN_A_POOL: Final = 50
_LOOKED_AT: Final = 500  # waiting jobs that one round considers, by pool
_UNANSWERED: Final = Checked(Verdict.UNKNOWN, message="No worker has reported whether the input can be used.")


class _Asked(NamedTuple):
    token: str
    at: float  # monotonic
    pool: str


@dataclass(eq=False)
class Preflight:
    """The waiting jobs, the open requests and the findings of workers. Plans decide what follows from a finding."""

    cache: Cache
    view: RedisView
    election: LeaderElection
    install_id: str
    after_seconds: float  # how long a job must have waited; 0: no input is checked
    monotonic: Callable[[], float] = time.monotonic
    # By pool, and since when; oldest first
    _waiting: dict[str, dict[JobKey, float]] = field(default_factory=dict, init=False)
    _asked: dict[JobKey, _Asked] = field(default_factory=dict, init=False)
    _asked_at: float = field(default=-math.inf, init=False)  # time of the newest request
    _tries: dict[JobKey, int] = field(default_factory=dict, init=False)
    _found: dict[JobKey, Checked] = field(default_factory=dict, init=False)

    def found(self, key: JobKey) -> Checked | None:
        """Return the finding of a worker about the job's input; None without one."""
        return self._found.get(key)

    def planned(self, job: Job, status: Status) -> None:
        """Note from the job's newest plan whether it waits for its first worker and its input was not checked yet."""
        if not self.after_seconds:
            return
        found = self._found.get(job.key)
        if found is not None and (
            job.finished or (found.verdict is not Verdict.UNUSABLE and not _is_unchecked(job.status))
        ):
            del self._found[job.key]  # the status holds the finding
        elif found is None and _is_waiting(status):
            self._waiting.setdefault(job.spec.queue, {}).setdefault(job.key, self.monotonic())
        else:
            self._leave(job.key, job.spec.queue)

    def forget(self, key: JobKey) -> None:
        """Drop a deleted job."""
        for pool in tuple(self._waiting):
            self._leave(key, pool)
        self._found.pop(key, None)

    def clear(self) -> None:
        """Drop all state: a new tenure begins."""
        for known in (self._waiting, self._asked, self._tries, self._found):
            known.clear()
        self._asked_at = self.monotonic()  # an earlier leader may just have sent requests

    async def run(self) -> None:
        """Send requests and read answers until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            fence = self.election.fence
            if fence is None or not (self._waiting or self._listens):
                continue
            try:
                await self.round(fence)
            except errors.DeposedError as error:
                self.election.deposed(error.seen)
            except (RedisError, errors.ProtocolError) as error:
                _log.debug("Inputs could not be checked: %s", error)

    async def round(self, fence: int) -> None:
        """Read the answers, and request the next checks. Raises RedisError, ProtocolError and DeposedError."""
        if self._listens:
            call = operator_calls.take_checked(self.view.keys, fence=fence, install_id=self.install_id)
            for job_id, found in (await calls.arun(self.view.state, call)).items():
                self._take(job_id, found)
        self._give_up(self.monotonic())
        for pool in tuple(self._waiting):
            for job in self._next(pool, self.monotonic()):
                if not await self._ask(job, fence):
                    break

    def _take(self, job_id: str, found: Checked) -> None:
        job = self.cache.by_id(job_id)
        asked = self._asked.get(job.key) if job is not None else None
        if job is None or asked is None or asked.token != found.token:
            return
        self._conclude(job.key, asked.pool, found)

    def _give_up(self, now: float) -> None:
        for key, asked in [pair for pair in self._asked.items() if now - pair[1].at > _ANSWER_SECONDS]:
            del self._asked[key]
            if self._tries.get(key, 0) >= _TRIES:
                self._conclude(key, asked.pool, _UNANSWERED)

    def _conclude(self, key: JobKey, pool: str, found: Checked) -> None:
        self._leave(key, pool)
        self._found[key] = found
        self.cache.enqueue(key)
        _log.debug("%s: its input is %s: %s", key, found.verdict, found.message)

    def _next(self, pool: str, now: float) -> list[Job]:
        """Return the jobs of the pool to check now; jobs whose model reads no input are dropped."""
        waiting, catalogue = self._waiting[pool], self.view.catalogue
        asked = sum(one.pool == pool for one in self._asked.values())
        due: list[Job] = []
        for key, since in tuple(itertools.islice(waiting.items(), _LOOKED_AT)):
            job = self.cache.get(key)
            if now - since < self.after_seconds:
                break
            threads = catalogue.preflight_threads(job.queue) if job is not None else 0
            if job is not None and asked + len(due) >= min(_FOR_EACH_THREAD * threads, _MOST_IN_A_POOL):
                break
            if job is None or not catalogue.reads_photos(job):
                self._leave(key, pool)
            elif key not in self._asked:
                due.append(job)
        return due

    async def _ask(self, job: Job, fence: int) -> bool:
        token, pool = secrets.token_hex(8), job.spec.queue
        request = CheckRequest(
            job.key.job_id,
            token,
            self.install_id,
            job.key.namespace,
            job.spec.model_type,
            job.spec.input.uri,
            job.spec.parameters,
        )
        leader: operator_calls.Leader = {"fence": fence, "install_id": self.install_id}
        call = operator_calls.request_check(self.view.keys, pool=pool, request=request, most=_MOST_IN_A_POOL, **leader)
        if not await calls.arun(self.view.state, call):
            return False
        self._asked_at = self.monotonic()
        self._asked[job.key] = _Asked(token, self._asked_at, pool)
        self._tries[job.key] = self._tries.get(job.key, 0) + 1
        return True

    @property
    def _listens(self) -> bool:
        """Whether answers are expected. Obsolete answers are read too, to remove them from Redis."""
        return self.monotonic() - self._asked_at <= _ANSWER_SECONDS

    def _leave(self, key: JobKey, pool: str) -> None:
        waiting = self._waiting.get(pool)
        if waiting is not None and waiting.pop(key, None) is not None and not waiting:
            del self._waiting[pool]
        self._asked.pop(key, None)
        self._tries.pop(key, None)


def _is_waiting(status: Status) -> bool:
    return (
        status.phase in (Phase.PENDING, Phase.QUEUED)
        and status.attempt <= 1
        and status.start_time is None
        and _is_unchecked(status)
    )


def _is_unchecked(status: Status) -> bool:
    """Whether the input must be checked, again if it was unusable: a job that failed for that continues only if its end was lost."""
    known = status.condition(ConditionType.INPUT_CHECKED)
    return known is None or known.status == "False"
