"""Dispatch window over days: a message is sent once, however long its queue is, and a lost one once more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey, TaskId
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.broker.backlog import FoundMessages
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.planning.actions import Dispatch
from reconstruction_operator.planning.types import Job, Observation, Plan

from tests.support.controller.dispatch import make_admission, read
from tests.support.jobs import NOON, make_body, make_key
from tests.support.plans import TIMING, plan

JOBS = 40
HOURS = 32
ROUND_SECONDS = 1_800  # between two rounds of the operator, while only the worker works
RUN_SECONDS = 3_600


@dataclass
class Day:
    """One worker that runs jobs of an hour, and an operator with the real admission, plan and search."""

    window: int
    seconds: int = 0
    queue: list[TaskId] = field(default_factory=list)
    sent_at: dict[TaskId, datetime] = field(default_factory=dict)
    begun: dict[TaskId, int] = field(default_factory=dict)  # when the worker claimed it
    sent: int = 0  # messages

    def __post_init__(self) -> None:
        self.cache, self.versions = Cache(), 1
        for number in range(JOBS):
            self.cache.put(make_body(f"job-{number:03}"))
        self.admission = make_admission(self.cache, queue=self.window)
        self.messages = SentMessages(resend_seconds=TIMING.resend_seconds)

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def round(self) -> None:
        """Let the worker continue; the operator reads the queue, and plans every unfinished job."""
        running = [task for task, at in self.begun.items() if self.seconds < at + RUN_SECONDS]
        if self.queue and not running:
            self.begun[self.queue.pop(0)] = self.seconds
        self._search(self.seconds)
        self._search(self.seconds + 1)  # a second look
        read(self.admission.queues, "celery", celery=len(self.queue))
        for job in [job for job in self.cache if not (job.status.phase and job.status.phase.finished)]:
            self._look(job)
        for key in self.admission.admit(float(self.seconds)):
            self._look(self.cache.get(key), admitted=True)
        self.seconds += ROUND_SECONDS

    def _search(self, now: float) -> None:
        queued = {job.task: job.queue for job in self.cache if job.status.phase == "Queued"}
        queues = self.messages.queues_to_search(queued, now)
        self.messages.searched(dict.fromkeys(queues, FoundMessages(frozenset(map(str, self.queue)))), now)

    def _look(self, job: Job, *, admitted: bool = False) -> None:
        made = plan(job, self._observe(job), self.now, TIMING, admitted=admitted)
        self.admission.planned(job, made)
        for action in made.actions:
            if isinstance(action, Dispatch):
                self.queue.append(action.task)
                self.sent += 1
                self.sent_at[action.task] = self.now
                self.messages.sent(action.task, action.queue, self.seconds)
                self.admission.sent(job.key)
        if made.status == job.status:
            return
        self.versions += 1
        self.cache.put(make_body(job.key.name, version=self.versions) | {"status": codec.encode(made.status)})

    def _observe(self, job: Job) -> Observation:
        task, begun = job.task, self.begun.get(job.task)
        record = Record("install", "default", job.key.name, 1, "celery", self.sent_at.get(task))
        facts = {
            "record": record,
            "queue": self.admission.queues.of("celery"),
            "missing": self.messages.is_missing(task, "celery"),
        }
        if begun is None:
            return Observation(**facts)  # type: ignore[arg-type]  # a mapping of several types
        claim = Claim("token", "worker-1", by_operator=False, at=NOON + timedelta(seconds=begun))
        ended = self.seconds >= begun + RUN_SECONDS
        return Observation(**facts, claim=claim, alive=not ended, end=End(Outcome.SUCCEEDED) if ended else None)  # type: ignore[arg-type]


@pytest.mark.parametrize("window", [JOBS, 10])
def test_jobs_that_wait_for_days_are_sent_once_each(window: int) -> None:
    day = Day(window)
    lengths = []

    for _ in range(HOURS * 3_600 // ROUND_SECONDS):
        day.round()
        lengths.append(len(day.queue))

    assert max(lengths) <= window
    assert len(day.begun) == HOURS - 1 or len(day.begun) == HOURS
    assert day.sent == len(day.begun) + len(day.queue) <= JOBS


def test_each_message_that_is_lost_is_sent_once_more() -> None:
    day = Day(JOBS)
    day.round()
    lost = [day.queue.pop(30) for _ in range(3)]

    for _ in range(JOBS - 10):
        day.round()
        assert len(day.queue) <= JOBS

    assert sorted(map(str, day.queue[-3:])) == sorted(map(str, lost))
    assert day.sent == JOBS + 3


SHARE = 25  # of a namespace
STEPS_A_SECOND = 10
STORING_STEPS = 6  # from a job's dispatch until its status is stored


class Burst:
    """Workers that take messages of one namespace fast, and an API server that stores each dispatch slowly."""

    def __init__(self, jobs: int) -> None:
        self.cache, self.step = Cache(), 0
        self.admission = make_admission(self.cache, namespace=SHARE)
        for number in range(jobs):
            self.cache.put(make_body(f"job-{number:04}"))
            self.admission.wants(self.cache.get(make_key(f"job-{number:04}")))
        self.storing: list[tuple[int, JobKey]] = []
        self.queue: list[JobKey] = []

    def go(self, *, taken: int) -> int:
        """Pass a tenth of a second, in which workers want that many messages; return how many they get."""
        self.step += 1
        if self.step % STEPS_A_SECOND == 0:
            read(self.admission.queues, "celery", celery=len(self.queue))
        while self.storing and self.storing[0][0] <= self.step:
            self._store(self.storing.pop(0)[1], Phase.QUEUED)
        got, self.queue = self.queue[:taken], self.queue[taken:]
        for key in got:
            self._plan(key, Phase.RUNNING)
            self._store(key, Phase.RUNNING)
        for key in self.admission.admit(self.step / STEPS_A_SECOND):
            self._plan(key, Phase.QUEUED)
            self.admission.sent(key)
            self.queue.append(key)
            self.storing.append((self.step + STORING_STEPS, key))
        return len(got)

    def _plan(self, key: JobKey, phase: Phase) -> None:
        self.admission.planned(self.cache.get(key), Plan(Status(phase=phase)))

    def _store(self, key: JobKey, phase: Phase) -> None:
        job = self.cache.get(key)
        if job.status.phase is not Phase.RUNNING:
            self.cache.put(make_body(key.name, version=job.version + 1, phase=phase))


@pytest.mark.parametrize("taken", [pytest.param(5, id="50 a second"), pytest.param(7, id="70 a second")])
def test_a_queue_is_refilled_before_fast_workers_have_emptied_it(taken: int) -> None:
    burst = Burst(700)
    for _ in range(20):
        burst.go(taken=taken)

    got = [burst.go(taken=taken) for _ in range(50)]

    assert got == [taken] * 50


def test_workers_that_stop_find_no_more_than_the_share_in_their_queue() -> None:
    burst = Burst(700)
    for _ in range(40):
        burst.go(taken=7)

    lengths = []
    for _ in range(40):
        burst.go(taken=0)
        lengths.append(len(burst.queue))

    assert max(lengths) == SHARE
    for _ in range(20):  # one worker continues slowly
        burst.go(taken=1)
    assert len(burst.queue) <= SHARE + STORING_STEPS
