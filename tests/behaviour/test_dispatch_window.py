"""Dispatch window over days: what waits is sent once, whatever the queue's length, and what is lost once more."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.broker.backlog import Found
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.planning.actions import Dispatch
from reconstruction_operator.planning.plan import plan
from reconstruction_operator.planning.types import Job, Observation

from tests.support.controller.dispatch import make_admission, read
from tests.support.jobs import NOON, make_body
from tests.support.plans import TIMING

JOBS = 60
HOURS = 48
ROUND_SECONDS = 1_800  # of the operator; in between nothing happens but that a worker works
RUN_SECONDS = 3_600


@dataclass
class Day:
    """One worker that runs jobs of an hour, and an operator with the real admission, plan and search."""

    window: int
    seconds: int = 0
    queue: list[TaskId] = field(default_factory=list)
    sent_at: dict[TaskId, datetime] = field(default_factory=dict)
    begun: dict[TaskId, int] = field(default_factory=dict)  # when a worker claimed it
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
        """The worker goes on, the operator reads the queue, and looks at every job that is not over."""
        running = [task for task, at in self.begun.items() if self.seconds < at + RUN_SECONDS]
        if self.queue and not running:
            self.begun[self.queue.pop(0)] = self.seconds
        self._search(self.seconds)
        self._search(self.seconds + 1)  # a second look
        read(self.admission.queues, "celery", celery=len(self.queue))
        for job in [job for job in self.cache if not (job.status.phase and job.status.phase.finished)]:
            self._look(job)
        for key in self.admission.admit(float(self.seconds)):
            admitted = self.cache.get(key)
            assert admitted is not None
            self._look(admitted)
        self.seconds += ROUND_SECONDS

    def _search(self, now: float) -> None:
        queued = {job.task: job.queue for job in self.cache if job.status.phase == "Queued"}
        queues = self.messages.queues_to_search(queued, now)
        self.messages.searched(dict.fromkeys(queues, Found(frozenset(map(str, self.queue)))), now)

    def _look(self, job: Job) -> None:
        made = plan(job, self._observe(job), self.now, TIMING, admitted=self.admission.take(job.key))
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
        over = self.seconds >= begun + RUN_SECONDS
        return Observation(**facts, claim=claim, alive=not over, end=End(Outcome.SUCCEEDED) if over else None)  # type: ignore[arg-type]


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
    lost = [day.queue.pop(50) for _ in range(3)]

    for _ in range(50):
        day.round()
        assert len(day.queue) <= JOBS

    assert sorted(map(str, day.queue[-3:])) == sorted(map(str, lost))
    assert day.sent == JOBS + 3
