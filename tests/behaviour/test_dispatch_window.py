"""Dispatch window under fast workers: a queue is refilled in time, and never holds more than its share."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.planning.types import Plan

from tests.support.controller.dispatch import make_admission, read
from tests.support.controller.entries import entry_of
from tests.support.jobs import make_body

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
            self.admission.wants(entry_of(self.cache, f"job-{number:04}"))
        self.storing: list[tuple[int, Entry]] = []
        self.queue: list[Entry] = []

    def go(self, *, taken: int) -> int:
        """Pass a tenth of a second, in which workers want that many messages; return how many they get."""
        self.step += 1
        if self.step % STEPS_A_SECOND == 0:
            read(self.admission.queues, "celery", celery=len(self.queue))
        while self.storing and self.storing[0][0] <= self.step:
            self._store(self.storing.pop(0)[1], Phase.QUEUED)
        got, self.queue = self.queue[:taken], self.queue[taken:]
        for entry in got:
            self.admission.planned(entry, Plan(Status(phase=Phase.RUNNING)))
            self._store(entry, Phase.RUNNING)
        for entry in self.admission.admit(self.step / STEPS_A_SECOND):
            self.admission.planned(entry, Plan(Status(phase=Phase.QUEUED)))
            self.admission.sent(entry)
            self.queue.append(entry)
            self.storing.append((self.step + STORING_STEPS, entry))
        return len(got)

    def _store(self, entry: Entry, phase: Phase) -> None:
        if entry.job.status.phase is not Phase.RUNNING:
            self.cache.put(make_body(entry.key.name, version=entry.job.version + 1, phase=phase))


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
