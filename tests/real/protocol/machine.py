"""State machine of the protocol: chooses what happens next.

Two operators (one may be deposed without knowing it), three workers that run the real task and may pause at any of its
points, messages that are lost, duplicated or late, a Redis that loses all data or comes back with older data, users who
change their minds, and job folders on a disk that fills up and loses files. Hypothesis chooses the events, and which
faults an example has at all.
"""

import errno
import os
from collections.abc import Callable
from typing import ClassVar, Final

import redis
from hypothesis import event, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from reconstruction_operator.state import calls, reads, worker_calls
from reconstruction_operator.worker.attempt.ownership import LIFE

from tests.real.protocol.installation import WORKERS
from tests.real.protocol.promises import Promises
from tests.real.protocol.world import MOVING, Snapshot

JOBS: Final = ("job-a", "job-b", "job-c")

# What may happen next, with weights: so that in most examples much happens.
ALWAYS: Final = {
    "the leader has its turn": 10,
    "a message is taken": 6,
    "a run continues": 14,
    "a run beats": 5,
    "a run ends its leg": 2,
    "a user cancels in two steps": 1,
}
SOMETIMES: Final = {
    "the leader dies in its turn": 1,
    "the leader has its turn, and its status is lost": 1,
    "the leader sweeps": 2,
    "the other operator has its turn": 3,
    "the other operator sweeps": 1,
    "the other operator takes over": 1,
    "a user requests a cancel": 2,
    "a user confirms the cancel": 3,
    "a user withdraws the request": 1,
    "a user suspends or resumes": 2,
    "a user deletes": 1,
    "a script requests by the job manager": 1,
    "a script confirms by the job manager": 2,
    "a script clears by the job manager": 1,
    "a message is lost": 1,
    "a message is duplicated": 3,
    "a worker is killed": 1,
    "a worker registers": 2,
    "a worker drains": 1,
    "a worker unregisters": 1,
    "a reply is lost": 2,
    "heartbeats run out": 4,
    "half of all time passes": 1,
    "Redis is emptied": 1,
    "a snapshot of Redis is taken": 2,
    "an older snapshot of Redis is restored": 1,
    "a file cannot be changed": 3,
    "a file vanishes": 1,
}
CHANGES: Final = frozenset({"mkdir", "rename", "write", "delete"})  # points before a change on the disk
# How an example begins: each has examples of its own, since random choice leaves some out.
SCENES: Final = (
    *("fresh", "running", "emptied", "older data", "published"),
    *("silent", "silent and given up", "silent and deleted", "superseded"),
    *("delivered twice", "delivered after its end", "published and cancelled"),
)


class Protocol(Promises, RuleBasedStateMachine):
    """One rule draws every event; invariants are checked after each, and liveness at the end."""

    redis: ClassVar[redis.Redis]  # set by the test
    scene: ClassVar[str]  # the same

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        Promises.__init__(self, self.redis, JOBS)
        self.happenings: list[str] = []
        self.snapshots: list[Snapshot] = []
        self.sound = False  # until a promise is broken
        MOVING.clear()  # tokens of another example

    @initialize(faults=st.sets(st.sampled_from(sorted(SOMETIMES)), min_size=8))
    def start(self, faults: set[str]) -> None:
        """With the faults of this example; most scenes begin late enough that much can happen from
        the first step on.
        """
        weights = ALWAYS | {name: SOMETIMES[name] for name in faults}
        self.happenings = [name for name, weight in sorted(weights.items()) for _ in range(weight)]
        self.lead(0)
        job = JOBS[0]
        if self.scene == "fresh":
            return
        self._turns(job)
        before = self.snapshot()
        message = self.messages.pop(0)
        run = self.take(message, fails=False)
        self.advance(run, 6)
        self._turns(job)
        match self.scene:
            case "published" | "published and cancelled":
                while not self.outputs.get(job):
                    assert not run.fiber.over, f"{run} ended as {run.end}"
                    self.advance(run, 1)
                if self.scene == "published and cancelled":
                    self.wish(self.objects[job], "a user cancels in two steps")
                    self._turns(job)
            case "emptied":
                self.empty()
                self._turns(job)
            case "older data":
                self.restore(before, restarts=True)
                self._turns(job)
            case "silent":
                self.silence(job)
            case "silent and given up":
                self.silence(job)
                self._turns(job)
            case "superseded":
                self.silence(job)
                self._turns(job)
                self._turns(job)
                self.take(self.messages.pop(0), fails=False)
            case "delivered twice":
                self.advance(self.take(message, fails=False), 6)
            case "delivered after its end":
                self.advance(run, 100)
                self.advance(self.take(message, fails=False), 6)
            case "silent and deleted":
                self.silence(job)
                self.delete(self.objects[job])
                self._turns(job)

    def teardown(self) -> None:
        try:
            if self.sound:
                for what in sorted(self.visited):
                    event(what)
                target(float(len(self.visited)), label="different events")
                self.everything_ends(with_another_leader=True)
        finally:
            self.close()

    @invariant()
    def what_is_promised_holds(self) -> None:
        self.hold()
        self.sound = True

    # --- The one rule

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        self.sound = False
        what = data.draw(st.sampled_from(self.happenings))
        job = self._some_job(data)
        events: dict[str, Callable[[], object]] = {
            "a reply is lost": self.retry,
            "heartbeats run out": lambda: self.silence(job),
            "half of all time passes": self.age,
            "Redis is emptied": self.empty,
            "a snapshot of Redis is taken": self._take_snapshot,
            "an older snapshot of Redis is restored": lambda: self._restore(data),
            "a file vanishes": lambda: self._lose_a_file(data, job),
        }
        match what:
            case _ if what in events:
                events[what]()
            case _ if what.startswith("a script"):
                self.use_the_job_manager(job, what)
            case _ if what.startswith("a user"):
                self.wish(self.objects[job], what)
            case _ if what.startswith("a message"):
                self._handle(data, what)
            case _ if what.startswith("a worker"):
                self._work(data, what)
            case _ if what.startswith("the"):
                self._operate(data, what, job)
            case _:
                self._move(data, what)

    def _some_job(self, data: st.DataObject) -> str:
        """Mostly the first job that is not over, so that much happens to it."""
        open_jobs = [job for job in JOBS if not self.objects[job].over]
        return data.draw(st.sampled_from([*open_jobs[:1] * 5, *JOBS]))

    # --- Losses

    def _take_snapshot(self) -> None:
        self.snapshots.append(self.snapshot())

    def _restore(self, data: st.DataObject) -> None:
        if self.snapshots:
            self.restore(data.draw(st.sampled_from(self.snapshots)), restarts=data.draw(st.booleans()))

    def _lose_a_file(self, data: st.DataObject, job: str) -> None:
        there = self.files_of(job)
        if there:
            self.lose_file(job, data.draw(st.sampled_from(there)))

    # --- Operators, workers and messages

    def _turns(self, job: str) -> None:
        for _ in range(3):  # observe, act, and observe the result
            self.turn(self.operators[self.leader], job)
            self.what_is_promised_holds()

    def _operate(self, data: st.DataObject, what: str, job: str) -> None:
        leader, other = self.operators[self.leader], self.operators[1 - self.leader]
        events: dict[str, Callable[[], object]] = {
            "the leader has its turn": lambda: self.turn(leader, job),
            "the leader dies in its turn": lambda: self.turn(leader, job, actions=data.draw(st.integers(0, 4))),
            "the leader has its turn, and its status is lost": lambda: self.turn(leader, job, writes=False),
            "the leader sweeps": lambda: self.sweep(leader),
            "the other operator has its turn": lambda: self.turn(other, job),
            "the other operator sweeps": lambda: self.sweep(other),
            "the other operator takes over": lambda: self.lead(1 - self.leader),
        }
        events[what]()

    def _handle(self, data: st.DataObject, what: str) -> None:
        if not self.messages:
            return
        message = data.draw(st.sampled_from(self.messages))  # any of them: messages may be late
        match what:
            case "a message is duplicated":
                self.messages.append(message)
            case "a message is lost":
                self.messages.remove(message)
            case "a message is taken":
                if len(self.runs) < len(WORKERS):
                    self.messages.remove(message)
                    self.take(message, fails=data.draw(st.sampled_from([False, False, True])))

    def _work(self, data: st.DataObject, what: str) -> None:
        if what == "a worker is killed":
            if self.runs:
                self.kill(self.runs[data.draw(st.sampled_from(sorted(self.runs)))])
            return
        node = data.draw(st.sampled_from(WORKERS))
        match what:
            case "a worker registers":
                self.register(node, at_once=data.draw(st.booleans()))
            case "a worker unregisters":
                calls.run(self.client, worker_calls.unregister_worker(self.keys, node))
                return
            case "a worker drains":
                life = data.draw(st.sampled_from([LIFE, LIFE, "earlier"]))
                calls.run(self.client, worker_calls.start_draining(self.keys, node, life, 0.0))
        calls.run(self.client, reads.live_workers(self.keys))

    def _move(self, data: st.DataObject, what: str) -> None:
        if not self.runs:
            return
        run = self.runs[data.draw(st.sampled_from(sorted(self.runs)))]
        match what:
            case "a run continues":
                self.advance(run, data.draw(st.sampled_from([1, 1, 2, 3, 5, 8, 100])))
            case "a run beats":
                self.beat(run)
            case "a run ends its leg":
                # What follows is for the other queue at first, and then for the first one again.
                MOVING[run.token] = "third" if run.message.leg else "second"
                self.advance(run, data.draw(st.sampled_from([1, 5, 100])))
            case "a file cannot be changed":
                while not run.fiber.over and run.fiber.point not in CHANGES:
                    self.advance(run, 1)
                if not run.fiber.over:
                    number = data.draw(st.sampled_from([errno.ENOSPC, errno.EROFS]))
                    self.fail(run, OSError(number, os.strerror(number)))
