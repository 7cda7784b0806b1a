"""Preflight: asks a worker to check the input of a waiting job. A bad input fails the job before a slot is free.

A job that can run at once is never checked, and no job waits for a check. Requests and answers may be lost: a request
without an answer is repeated a few times.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from redis.exceptions import RedisError

from reconstruction_operator.api.status import ConditionType, Phase, Status
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Usability
from reconstruction_operator.controller.entry import Entry, InputCheck
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.lease import LeaderElection
from reconstruction_operator.controller.redis_view.view import RedisView
from reconstruction_operator.state import calls, operator_calls

_log = logging.getLogger(__name__)

_PERIOD_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 60.0  # workers kill a check after half of that time
_TRIES: Final = 3
_FOR_EACH_THREAD: Final = 2  # maximum open requests for each worker: the current one and the next
_MOST_IN_A_POOL: Final = 50
_EXAMINED: Final = 500  # jobs that one search considers, by namespace
_UNANSWERED: Final = Checked(Usability.UNKNOWN, message="No worker has reported whether the input can be used.")


@dataclass(eq=False)
class Preflight:
    """The waiting jobs, the open requests and the results of workers. Plans decide what follows from a result."""

    cache: Cache
    view: RedisView
    election: LeaderElection
    install_id: str
    after_seconds: float  # how long a job must have waited; 0: no input is checked
    monotonic: Callable[[], float] = time.monotonic
    # By pool and namespace (the last served is last), the jobs that wait, the oldest first. Those with an open request
    # lead their line.
    _waiting: dict[str, dict[str, dict[Entry, None]]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.cache.indices.append(self)

    def planned(self, entry: Entry, status: Status) -> None:
        """Note from the job's newest plan whether it waits for its first worker and its input was not checked yet."""
        if not self.after_seconds:
            return
        job, result = entry.job, entry.checked
        if result is not None and (
            job.finished or (result.usability is not Usability.UNUSABLE and not _is_unchecked(job.status))
        ):
            entry.checked = None  # the status holds it
        elif result is None and _is_waiting(status):
            self._join(entry, job.spec.queue)
        else:
            self.discard(entry)

    def clear(self) -> None:
        """Remove all jobs: a new tenure begins, or ours ended."""
        self._waiting.clear()

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
            entry = self.cache.entry(job_id)
            if entry is not None and entry.check is not None and result.token == entry.check.token:
                self._conclude(entry, result)
        for pool in tuple(self._waiting):
            for entry in tuple(self._requested(pool)):
                check = entry.check
                if check is None or self.monotonic() - check.asked_at <= _ANSWER_SECONDS:
                    continue
                if check.tries >= _TRIES:
                    self._conclude(entry, _UNANSWERED)
                else:
                    await self._request(entry, check, fence)
            while (following := self._next(pool)) is not None and await self._request(*following, fence):
                pass

    def _conclude(self, entry: Entry, result: Checked) -> None:
        self.discard(entry)
        entry.checked = result
        self.cache.enqueue(entry)
        _log.debug("%s: its input is %s: %s", entry.key, result.usability, result.message)

    def _next(self, pool: str) -> tuple[Entry, InputCheck] | None:
        """Return the oldest job of the namespace with the fewest open requests; None if the workers have enough
        requests.
        """
        requests = Counter(entry.key.namespace for entry in self._requested(pool))
        if requests.total() >= _MOST_IN_A_POOL:
            return None
        for namespace in sorted(self._waiting.get(pool, ()), key=requests.__getitem__):
            oldest = self._oldest(pool, namespace)
            threads = 0 if oldest is None else self.view.catalogue.preflight_threads(oldest[0].job.queue)
            if requests.total() < _FOR_EACH_THREAD * threads:
                return oldest
        return None

    def _requested(self, pool: str) -> Iterator[Entry]:
        """Iterate over the jobs of the pool with an open request. The oldest of a namespace is requested first."""
        for line in self._waiting.get(pool, {}).values():
            yield from itertools.takewhile(_is_requested, line)

    def _oldest(self, pool: str, namespace: str) -> tuple[Entry, InputCheck] | None:
        """Return the namespace's oldest job to check. Jobs whose model reads no input are dropped."""
        for entry in tuple(itertools.islice(self._waiting[pool][namespace], _EXAMINED)):
            check = entry.check
            if check is None or self.monotonic() - check.since < self.after_seconds:
                return None
            if not self.view.catalogue.reads_photos(entry.job):
                self.discard(entry)
            elif not _is_requested(entry):
                return entry, check
        return None

    async def _request(self, entry: Entry, check: InputCheck, fence: int) -> bool:
        """Request a check of the job's input.

        Return False if Redis holds too many requests, or the job waits no more.
        """
        token = secrets.token_hex(8)
        key, spec, pool = entry.key, entry.job.spec, check.pool
        ours = replace(key, install_id=self.install_id)
        request = CheckRequest(ours, token, spec.model_type, spec.input.uri, spec.parameters)
        leader: operator_calls.Leader = {"fence": fence, "install_id": self.install_id}
        call = operator_calls.request_check(self.view.keys, pool=pool, request=request, most=_MOST_IN_A_POOL, **leader)
        if not await calls.arun(self.view.state, call):
            return False
        if entry.check is not check:
            return False
        entry.check = check._replace(token=token, asked_at=self.monotonic(), tries=check.tries + 1)
        namespaces = self._waiting[pool]
        namespaces[key.namespace] = namespaces.pop(key.namespace)  # the next turn of equals is another's
        return True

    def _join(self, entry: Entry, pool: str) -> None:
        if entry.check is not None and entry.check.pool != pool:
            self.discard(entry)  # the spec was edited
        if entry.check is None:
            entry.check = InputCheck(pool, self.monotonic())
            self._waiting.setdefault(pool, {}).setdefault(entry.key.namespace, {})[entry] = None

    def discard(self, entry: Entry) -> None:
        """Remove a job that is gone, or does not wait for a check."""
        check, entry.check = entry.check, None
        if check is None:
            return
        namespaces, namespace = self._waiting[check.pool], entry.key.namespace
        del namespaces[namespace][entry]
        if not namespaces[namespace]:
            del namespaces[namespace]
        if not namespaces:
            del self._waiting[check.pool]


def _is_requested(entry: Entry) -> bool:
    return entry.check is not None and bool(entry.check.token)


def _is_waiting(status: Status) -> bool:
    return (
        status.phase in (Phase.PENDING, Phase.QUEUED)
        and status.attempt <= 1
        and status.start_time is None
        and _is_unchecked(status)
    )


def _is_unchecked(status: Status) -> bool:
    """Whether the input must be checked, again if it was unusable: a job that failed for that continues only if its end
    was lost.
    """
    checked = status.condition(ConditionType.INPUT_CHECKED)
    return checked is None or checked.status == "False"
