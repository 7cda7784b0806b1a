"""Preflight: asks a worker to check the input of a waiting job. A bad input fails the job before a slot is free.

A job that can run at once is never checked, and no job waits for a check. Requests and answers may be lost: a request without an
answer is repeated a few times.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections import Counter
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
from reconstruction_operator.state import calls, operator_calls

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 60.0  # workers kill a check after half of that time
_TRIES: Final = 3
_FOR_EACH_THREAD: Final = 2  # maximum open requests for each worker: the current one and the next
_MOST_IN_A_POOL: Final = 50
_EXAMINED: Final = 500  # jobs that one search considers, by namespace
_UNANSWERED: Final = Checked(Verdict.UNKNOWN, message="No worker has reported whether the input can be used.")


class _Request(NamedTuple):
    """An open request."""

    token: str
    at: float  # monotonic
    pool: str
    tries: int


@dataclass(eq=False)
class Preflight:
    """The waiting jobs, the open requests and the results of workers. Plans decide what follows from a result."""

    cache: Cache
    view: RedisView
    election: LeaderElection
    install_id: str
    after_seconds: float  # how long a job must have waited; 0: no input is checked
    monotonic: Callable[[], float] = time.monotonic
    # By pool and namespace (the last served is last), the jobs and since when they wait, oldest first
    _waiting: dict[str, dict[str, dict[JobKey, float]]] = field(default_factory=dict, init=False)
    _open: dict[JobKey, _Request] = field(default_factory=dict, init=False)
    _results: dict[JobKey, Checked] = field(default_factory=dict, init=False)

    def found(self, key: JobKey) -> Checked | None:
        """Return the result of a worker for the job's input; None without one."""
        return self._results.get(key)

    def planned(self, job: Job, status: Status) -> None:
        """Note from the job's newest plan whether it waits for its first worker and its input was not checked yet."""
        if not self.after_seconds:
            return
        result = self._results.get(job.key)
        if result is not None and (
            job.finished or (result.verdict is not Verdict.UNUSABLE and not _is_unchecked(job.status))
        ):
            del self._results[job.key]  # the status holds it
        elif result is None and _is_waiting(status):
            namespaces = self._waiting.setdefault(job.spec.queue, {})
            namespaces.setdefault(job.key.namespace, {}).setdefault(job.key, self.monotonic())
        else:
            self._leave(job.key, job.spec.queue)

    def forget(self, key: JobKey) -> None:
        """Drop a deleted job."""
        for pool in tuple(self._waiting):
            self._leave(key, pool)
        self._results.pop(key, None)

    def clear(self) -> None:
        """Drop all state: a new tenure begins."""
        for state in (self._waiting, self._open, self._results):
            state.clear()

    async def run(self) -> None:
        """Send requests and read answers until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            fence = self.election.fence
            if fence is None or not self._waiting:
                continue
            try:
                await self.round(fence)
            except calls.DeposedError as error:
                self.election.deposed(error.seen)
            except (RedisError, calls.ProtocolError) as error:
                _log.debug("Inputs could not be checked: %s", error)

    async def round(self, fence: int) -> None:
        """Read the answers, and request the next checks. Raises RedisError, ProtocolError and DeposedError."""
        call = operator_calls.take_checked(self.view.keys, fence=fence, install_id=self.install_id)
        for job_id, result in (await calls.arun(self.view.state, call)).items():
            job = self.cache.by_id(job_id)
            request = self._open.get(job.key) if job is not None else None
            if job is not None and request is not None and request.token == result.token:
                self._conclude(job.key, request.pool, result)
        for key, request in [pair for pair in self._open.items() if self.monotonic() - pair[1].at > _ANSWER_SECONDS]:
            if request.tries >= _TRIES:
                self._conclude(key, request.pool, _UNANSWERED)
            elif (job := self.cache.get(key)) is not None:
                await self._request(job, fence)
        for pool in tuple(self._waiting):
            while (job := self._next(pool)) is not None and await self._request(job, fence):
                pass

    def _conclude(self, key: JobKey, pool: str, result: Checked) -> None:
        self._leave(key, pool)
        self._results[key] = result
        self.cache.enqueue(key)
        _log.debug("%s: its input is %s: %s", key, result.verdict, result.message)

    def _next(self, pool: str) -> Job | None:
        """Return the oldest job of the namespace with the fewest open requests; None if the workers have enough requests."""
        requests = Counter(key.namespace for key, request in self._open.items() if request.pool == pool)
        if requests.total() >= _MOST_IN_A_POOL:
            return None
        for namespace in sorted(self._waiting.get(pool, ()), key=requests.__getitem__):
            job = self._oldest(pool, namespace)
            threads = 0 if job is None else self.view.catalogue.preflight_threads(job.queue)
            if requests.total() < _FOR_EACH_THREAD * threads:
                return job
        return None

    def _oldest(self, pool: str, namespace: str) -> Job | None:
        """Return the namespace's oldest job to check. Jobs whose model reads no input are dropped."""
        for key, since in tuple(itertools.islice(self._waiting[pool][namespace].items(), _EXAMINED)):
            job = self.cache.get(key)
            if self.monotonic() - since < self.after_seconds:
                return None
            if job is None or not self.view.catalogue.reads_photos(job):
                self._leave(key, pool)
            elif key not in self._open:
                return job
        return None

    async def _request(self, job: Job, fence: int) -> bool:
        """Request a check of the job's input. Return False if Redis holds too many requests, or the job waits no more."""
        token, key, spec, pool = secrets.token_hex(8), job.key, job.spec, job.spec.queue
        request = CheckRequest(
            key.job_id, token, self.install_id, key.namespace, spec.model_type, spec.input.uri, spec.parameters
        )
        leader: operator_calls.Leader = {"fence": fence, "install_id": self.install_id}
        call = operator_calls.request_check(self.view.keys, pool=pool, request=request, most=_MOST_IN_A_POOL, **leader)
        if not await calls.arun(self.view.state, call):
            return False
        namespaces = self._waiting.get(pool, {})
        if key not in namespaces.get(key.namespace, ()):
            return False
        tries = self._open[key].tries if key in self._open else 0
        self._open[key] = _Request(token, self.monotonic(), pool, tries + 1)
        namespaces[key.namespace] = namespaces.pop(key.namespace)  # the next turn of equals is another's
        return True

    def _leave(self, key: JobKey, pool: str) -> None:
        namespaces = self._waiting.get(pool, {})
        jobs = namespaces.get(key.namespace, {})
        if jobs.pop(key, None) is not None and not jobs:
            del namespaces[key.namespace]
            if not namespaces:
                del self._waiting[pool]
        self._open.pop(key, None)


def _is_waiting(status: Status) -> bool:
    return (
        status.phase in (Phase.PENDING, Phase.QUEUED)
        and status.attempt <= 1
        and status.start_time is None
        and _is_unchecked(status)
    )


def _is_unchecked(status: Status) -> bool:
    """Whether the input must be checked, again if it was unusable: a job that failed for that continues only if its end was lost."""
    checked = status.condition(ConditionType.INPUT_CHECKED)
    return checked is None or checked.status == "False"
