"""The protocol under everything that can go wrong, on a real Redis: the safety that the design promises, as invariants.

Two operators (one of which may be deposed and not know it), three workers (each of which may stand still for as long as
it likes and then go on), messages that are lost, doubled and late, a Redis that is emptied, users who change their minds,
and job folders on a disk. Hypothesis chooses what happens next; everybody acts on what they saw last, however old. The
operators decide by the real plan.

`PROTOCOL_EXAMPLES=5000 pytest tests/real/services/test_protocol_state_machine.py` drives it harder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from reconstruction_operator import config
from reconstruction_operator.api.identity import JobKey, TaskId
from reconstruction_operator.api.outcomes import Outcome, StopReason
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import Status
from reconstruction_operator.planning import types as planned
from reconstruction_operator.planning.plan import plan, plan_orphan
from reconstruction_operator.planning.types import End, Job, Limits, Observation, Queue
from reconstruction_operator.services import job_manager, protocol
from reconstruction_operator.services.keys import Keys
from reconstruction_operator.services.protocol import Call, ClaimVerdict, FinishVerdict, ObservedJob

pytestmark = pytest.mark.real

EXAMPLES = int(os.environ.get("PROTOCOL_EXAMPLES", "400"))
STEPS = 50  # of one example

INSTALL = "install"
JOBS = ("job-a", "job-b", "job-c")
WORKERS = ("worker-1", "worker-2", "worker-3")
BORN = datetime(2026, 1, 1, tzinfo=UTC)
LONG_SECONDS = 1e9
# Whatever the operator may do after a while, it may do at once.
LIMITS = Limits(
    lost_after_seconds=0.0,
    epoch_grace_seconds=0.0,
    resend_seconds=0.0,
    backoff_seconds=0.0,
    backoff_max_seconds=0.0,
    cancel_ttl_seconds=config.CANCEL_TTL_SECONDS,
    progress_seconds=0.0,
)
SUCCEEDED = End(Outcome.SUCCEEDED)
FAILED = End(Outcome.FAILED, "WORKER_ERROR")
CANCELLED = End(Outcome.CANCELLED, "CANCELLED")
STOPPED = {
    StopReason.SUSPEND: End(Outcome.STOPPED, "SUSPENDED"),
    StopReason.DEADLINE: End(Outcome.FAILED, "TIMEOUT"),
    StopReason.DELETED: End(Outcome.STOPPED, "DELETED"),
    StopReason.SUPERSEDED: End(Outcome.STOPPED, "SUPERSEDED"),
}

# What may happen next, and how often: so that in most examples a good deal does.
WEIGHTS = {
    "the leader has its turn": 8,
    "the leader dies in its turn": 1,
    "the other operator has its turn": 3,
    "a message is taken": 6,
    "a run beats": 8,
    "a run asks for its claim again": 1,
    "a run succeeds": 4,
    "a run fails": 3,
    "a user requests a cancel": 2,
    "a user confirms the cancel": 3,
    "a user cancels in two steps": 2,
    "a user withdraws the request": 1,
    "a user suspends or resumes": 1,
    "a user deletes": 1,
    "somebody confirms by the job manager": 1,
    "a message is lost": 1,
    "a message is doubled": 3,
    "a worker is killed": 1,
    "the workers stand still": 3,
    "the other operator takes over": 1,
    "Redis is emptied": 1,
}
SCENES = (
    "running",
    "running",
    "emptied before the operator saw it run",
    "emptied and begun by another",
    "emptied and given up",
    "silent and given up",
    "silent and deleted",
    "silent, deleted and forgotten",
)
HAPPENINGS = [name for name, weight in WEIGHTS.items() for _ in range(weight)]

T = TypeVar("T")


# --- The world around the protocol, as simple as can be ---------------------------------------------------------------


@dataclass
class Object:
    """A job in the API server."""

    key: JobKey
    spec: Spec = field(default_factory=lambda: Spec(model_type="placeholder", input=Location("file:///photos/set")))
    status: Status = field(default_factory=Status)
    deleted: bool = False

    @property
    def job(self) -> Job:
        return Job(self.key, 1, BORN, self.spec, self.status)

    @property
    def over(self) -> bool:
        return self.deleted or (self.status.phase is not None and self.status.phase.finished)

    def write(self, status: Status) -> None:
        """As the CRD's rules: an attempt never falls, and what is over stays over."""
        if not self.over and status.attempt >= self.status.attempt:
            self.status = status


@dataclass
class Operator:
    """An operator that may have been deposed. `seen` is what it last saw of each job: it acts on that."""

    fence: int = 0
    seen: dict[str, tuple[Job, ObservedJob, datetime]] = field(default_factory=dict)


@dataclass
class Run:
    """A delivery that got its claim, in a worker."""

    job: str
    attempt: int
    token: str
    worker: str
    wish: End | None = None  # it was told to end like this

    @property
    def task(self) -> str:
        return str(TaskId(self.job, self.attempt))

    @property
    def names(self) -> dict[str, Any]:
        return {"task_id": self.task, "job_id": self.job, "attempt": self.attempt, "token": self.token}


class Folders:
    """`/jobs`: each attempt works in a folder of its own, and publishing is one rename."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="protocol-"))
        self.aside = 0

    def begin(self, run: Run) -> None:
        """A new claimant renames its predecessors' folders away."""
        attempts = self.root / run.job / "attempts"
        attempts.mkdir(parents=True, exist_ok=True)
        for folder in attempts.iterdir():
            self.aside += 1
            folder.rename(self.root / f"aside-{self.aside}")
        mine = attempts / str(run.attempt)
        mine.mkdir()
        (mine / "token").write_text(run.token)

    def publish(self, run: Run) -> bool:
        """Whether the output is there now; false for one whose folder was taken away."""
        mine = self.root / run.job / "attempts" / str(run.attempt)
        if self.sealed(run.job):
            return True
        if not mine.exists() or (mine / "token").read_text() != run.token:
            return False  # the real one holds the folder by its inode; the name is another's now
        mine.rename(self.root / run.job / "output")
        return True

    def sealed(self, job: str) -> str | None:
        """Whose output lies there."""
        token = self.root / job / "output" / "token"
        return token.read_text() if token.exists() else None

    def delete(self, job: str) -> None:
        shutil.rmtree(self.root / job, ignore_errors=True)


@dataclass
class Snapshot:
    """What Redis says of every attempt and every job, at one moment."""

    ends: dict[str, tuple[str, End]] = field(default_factory=dict)  # task -> (text, end)
    claims: dict[str, str] = field(default_factory=dict)  # task -> token
    wanted: dict[str, int] = field(default_factory=dict)  # job -> attempt
    requested: set[str] = field(default_factory=set)
    confirmed: set[str] = field(default_factory=set)


# --- The machine ------------------------------------------------------------------------------------------------------


class Protocol(RuleBasedStateMachine):
    """Rules are what anybody may do at any time; invariants are checked after each."""

    client: redis.Redis  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.keys = Keys(prefix="")
        self.objects = {job: Object(JobKey("namespace", job, job)) for job in JOBS}
        self.operators = [Operator(), Operator()]
        self.leader = 0  # index; the other one may still believe that it is
        self.fence_seen = -1  # highest fence that Redis has seen since it was emptied
        self.messages: list[tuple[str, int]] = []
        self.runs: dict[str, Run] = {}
        self.folders = Folders()
        self.tokens = 0
        self.before = Snapshot()
        self.emptied_ever = False
        self.run_id = 1
        self.granted: dict[str, str] = {}  # task -> token that was given the claim since Redis was emptied
        self.forgotten: set[str] = set()
        self.outputs: dict[str, str] = {}  # job -> token whose output was sealed

    @initialize(scene=st.sampled_from(SCENES))
    def start(self, scene: str) -> None:
        """With one job that runs and one whose message waits, or later, so that more can happen from the first step on."""
        self.client.flushdb()
        self._lead(0)
        leader, job = self.operators[0], JOBS[0]
        for one in JOBS[:2]:
            self._turns(leader, one)
        self._take(*self.messages.pop(0))
        match scene:
            case "emptied before the operator saw it run":
                self._empty()
                self._turns(leader, job)
            case "emptied and begun by another":
                self._empty()
                self._turns(leader, job)
                self._take(*self.messages.pop())
            case "emptied and given up":
                self._turns(leader, job)
                self._empty()
                self._turns(leader, job)
            case "silent and given up":
                self._stand_still(job)
                self._turns(leader, job)
            case "silent, deleted and forgotten":
                self._turns(leader, job)
                self._stand_still(job)
                self.objects[job].deleted = True
                self._turns(leader, job)
                self._take(job, 0)
                self._turns(leader, job)
            case "silent and deleted":
                self._turns(leader, job)
                self._stand_still(job)
                self.objects[job].deleted = True

    def _turns(self, operator: Operator, job: str) -> None:
        for _ in range(3):  # look, act, and see what came of it
            self._turn(operator, job)
            self.before = self._snapshot()

    def teardown(self) -> None:
        shutil.rmtree(self.folders.root, ignore_errors=True)

    def _run(self, call: Call[T]) -> T:
        return protocol.run(self.client, call)

    # --- Leadership

    def _lead(self, index: int) -> None:
        operator = self.operators[index]
        operator.fence = max(one.fence for one in self.operators) + 1
        operator.seen.clear()
        self.leader = index
        self._order(operator, protocol.open_epoch, run_id=f"run-{self.run_id}")

    def _order(self, operator: Operator, make: Callable[..., Call[T]], **what: Any) -> T | None:
        """An operator's change. A deposed one is refused, and has changed nothing."""
        call = make(self.keys, fence=operator.fence, install_id=INSTALL, **what)
        if operator.fence >= self.fence_seen:
            self.fence_seen = operator.fence
            return self._run(call)
        before = self._dump()
        with pytest.raises(protocol.DeposedError) as refusal:
            self._run(call)
        assert (refusal.value.fence, refusal.value.seen) == (operator.fence, self.fence_seen)
        assert self._dump() == before, f"{make.__name__} of a deposed operator changed something"
        return None

    def _dump(self) -> dict[str, Any]:
        readers: dict[str, Callable[[str], Any]] = {
            "string": self.client.get,
            "set": self.client.smembers,
            "zset": lambda key: self.client.zrange(key, 0, -1, withscores=True),
        }
        return {key: readers[str(self.client.type(key))](key) for key in self.client.keys("*")}

    # --- The one rule

    @rule(data=st.data(), what=st.sampled_from(HAPPENINGS))
    def something_happens(self, data: st.DataObject, what: str) -> None:
        job = self._some_job(data)
        match what:
            case "the leader has its turn":
                self._turn(self.operators[self.leader], job)
            case "the leader dies in its turn":
                self._turn(self.operators[self.leader], job, whole=False)
            case "the other operator has its turn":
                self._turn(self.operators[1 - self.leader], job)
            case "the other operator takes over":
                self._lead(1 - self.leader)
            case "the workers stand still":
                self._stand_still(job)
            case "Redis is emptied":
                self._empty()
            case "somebody confirms by the job manager":
                self._confirm_by_the_job_manager(job)
            case _ if what.startswith("a user"):
                self._wish(self.objects[job], what)
            case _ if what.startswith("a message"):
                if self.messages:
                    self._handle(data, what)
            case _:
                if self.runs:
                    self._go_on(self.runs[data.draw(st.sampled_from(sorted(self.runs)))], what)

    def _some_job(self, data: st.DataObject) -> str:
        """Mostly the first that is not over, so that much happens to it."""
        open_jobs = [job for job in JOBS if not self.objects[job].over]
        return data.draw(st.sampled_from([*open_jobs[:1] * 5, *JOBS]))

    # --- Users

    def _wish(self, thing: Object, what: str) -> None:
        """As far as the API server lets them."""
        if thing.over:
            return
        spec = thing.spec
        match what:
            case "a user requests a cancel":
                thing.spec = replace(spec, cancel_requested=True)
            case "a user cancels in two steps":
                thing.spec = replace(spec, cancel_requested=True, cancel_confirmed=True)
            case "a user confirms the cancel":
                thing.spec = replace(spec, cancel_confirmed=spec.cancel_requested)
            case "a user withdraws the request":
                thing.spec = replace(spec, cancel_requested=spec.cancel_confirmed)
            case "a user suspends or resumes":
                thing.spec = replace(spec, suspend=not spec.suspend)
            case "a user deletes":
                thing.deleted = True

    def _confirm_by_the_job_manager(self, job: str) -> None:
        requested = job in self.before.requested
        assert job_manager.confirm_cancellation(job) is requested
        if requested:
            assert job_manager.is_job_cancelled(job)
            assert not job_manager.cancel_pending(job)

    # --- Operators: each acts on what it saw at its last turn, and looks again

    def _turn(self, operator: Operator, job: str, *, whole: bool = True) -> None:
        if job in operator.seen:
            self._act(operator, *operator.seen.pop(job), whole=whole)
        thing = self.objects[job]
        task = thing.job.task
        if thing.deleted and job in self.before.wanted:
            task = TaskId(job, self.before.wanted[job])  # of a record without an object, what it wants
        observed = self._run(protocol.observe(self.keys, [(job, task)]))
        operator.seen[job] = (thing.job, observed.jobs[0], observed.now)

    def _act(self, operator: Operator, job: Job, seen: ObservedJob, now: datetime, *, whole: bool) -> None:
        """On what it saw last: that may be long ago, and another operator may lead since."""
        thing = self.objects[job.key.job_id]
        observation = Observation(
            **{one.name: getattr(seen, one.name) for one in fields(seen)},
            silent_seconds=0.0 if seen.alive else LONG_SECONDS,
            queue=Queue(workers=1),
        )
        if not thing.deleted:
            made = plan(job, observation, now, LIMITS, admitted=True)
            actions = made.actions
        elif seen.record is None:
            return  # what has no record was forgotten, or was never here
        else:
            actions = plan_orphan(job.key.job_id, seen.record, observation, now, LIMITS)
        for action in actions if whole else actions[:1]:
            self._carry_out(operator, job.key, action)
        if whole and not thing.deleted:
            thing.write(made.status)

    def _carry_out(self, operator: Operator, key: JobKey, action: planned.Action) -> None:
        job = key.job_id
        match action:
            case planned.PutRecord(attempt, queue):
                place = {"namespace": key.namespace, "name": key.name, "queue": queue}
                self._order(operator, protocol.put_record, job_id=job, attempt=attempt, **place)
            case planned.Dispatch(task):
                self.messages.append((job, task.attempt))  # the broker knows no fences
                self._order(operator, protocol.mark_sent, job_id=job, attempt=task.attempt)
            case planned.RequestCancel():
                self._order(operator, protocol.request_cancel, job_id=job)
            case planned.WithdrawRequest():
                self._order(operator, protocol.withdraw_request, job_id=job)
            case planned.AssertCancelled():
                self._order(operator, protocol.assert_cancelled, job_id=job)
            case planned.ClearFlags():
                self._order(operator, protocol.clear_flags, job_id=job)
            case planned.TakeClaim(task, outcome, reason, message):
                self._order(operator, protocol.take_claim, task=task, end=End(outcome, reason, message))
            case planned.ForceEnd(task, outcome, reason, message):
                self._force_end(operator, task, End(outcome, reason, message))
            case planned.RequestStop(task, reason):
                self._order(operator, protocol.request_stop, task=task, reason=reason)
            case planned.DeleteFiles():
                self.messages.append((job, 0))
            case planned.Forget(attempts):
                self._forget(operator, job, attempts)
            case planned.DeleteObject():
                self.objects[job].deleted = True

    def _force_end(self, operator: Operator, task: TaskId, end: End) -> None:
        refused = operator.fence < self.fence_seen
        alive = self._is_alive(str(task))
        reply = self._order(operator, protocol.force_end, task=task, end=end)
        assert refused or (reply is None) is alive, f"{task} was ended with {reply}, alive was {alive}"

    def _forget(self, operator: Operator, job: str, attempts: int) -> None:
        alive = [task for task in self._tasks(job) if self._is_alive(task)]
        done = self._order(operator, protocol.forget, job_id=job, attempts=attempts)
        if done is None:
            return
        assert done is (not alive), f"forget answered {done}, alive were {alive}"
        if done:
            self.forgotten.add(job)
            self.before = self._snapshot()
            self.granted = {name: token for name, token in self.granted.items() if name not in self._tasks(job)}

    def _tasks(self, job: str) -> list[str]:
        return [str(TaskId(job, attempt)) for attempt in range(1, self.objects[job].job.attempt + 1)]

    def _is_alive(self, task: str) -> bool:
        alive, claim = self.client.get(self.keys.alive(task)), self.before.claims.get(task)
        return claim is not None and task not in self.before.ends and claim in str(alive)

    # --- Messages

    def _handle(self, data: st.DataObject, what: str) -> None:
        message = data.draw(st.sampled_from(self.messages))  # any of them: late is as good as in time
        match what:
            case "a message is doubled":
                self.messages.append(message)
            case "a message is lost":
                self.messages.remove(message)
            case "a message is taken":
                if len(self.runs) < len(WORKERS):
                    self.messages.remove(message)
                    self._take(*message)

    def _take(self, job: str, attempt: int) -> None:
        if attempt == 0:
            self.folders.delete(job)
            self.outputs.pop(job, None)
            self._run(protocol.mark_cleaned(self.keys, job))
            return
        self.tokens += 1
        worker = next(name for name in WORKERS if name not in self.runs)
        run = Run(job, attempt, f"token-{self.tokens}", worker)
        reply = self._run(protocol.claim(self.keys, **run.names, worker=worker))
        wanted = self.before.wanted.get(job)
        ended, claimed = run.task in self.before.ends, run.task in self.before.claims
        if ended or claimed:
            assert reply.verdict is ClaimVerdict.DUPLICATE
        elif wanted is None:
            assert reply.verdict is ClaimVerdict.NO_RECORD
            self.messages.append((job, attempt))
        elif wanted != attempt:
            assert reply.verdict is ClaimVerdict.UNWANTED
        else:
            assert reply.verdict is ClaimVerdict.CLAIMED
            assert run.task not in self.granted, f"{run.task} was given to {self.granted[run.task]} already"
            self.granted[run.task] = run.token
            self._obey(run, cancelled=reply.cancelled, stop=reply.stop)
            self.runs[worker] = run
            self.folders.begin(run)

    # --- Workers

    def _go_on(self, run: Run, what: str) -> None:
        match what:
            case "a run beats":
                self._beat(run)
            case "a run asks for its claim again":
                self._claim_again(run)
            case "a run succeeds":
                self._finish(run, SUCCEEDED)
            case "a run fails":
                self._finish(run, FAILED)
            case "a worker is killed":
                del self.runs[run.worker]

    def _obey(self, run: Run, *, cancelled: bool, stop: StopReason | None) -> None:
        if cancelled:
            run.wish = CANCELLED
        elif stop is not None and run.wish is None:
            run.wish = STOPPED[stop]

    def _beat(self, run: Run) -> None:
        holder = self.before.claims.get(run.task)
        reply = self._run(protocol.beat(self.keys, **run.names, worker=run.worker, life=run.worker))
        wanted = self.before.wanted.get(run.job)
        ended = self.before.ends.get(run.task)
        mine = holder in (None, run.token) and (wanted is None or wanted <= run.attempt)
        if ended is not None:
            mine = f'"token":"{run.token}"' in ended[0]
        assert reply.owned is mine
        assert reply.cancelled is (run.job in self.before.confirmed)
        if not reply.owned:
            del self.runs[run.worker]
            return
        if holder is None and wanted is not None and ended is None:
            self.granted[run.task] = run.token  # it has registered again
        self._obey(run, cancelled=reply.cancelled, stop=reply.stop)

    def _claim_again(self, run: Run) -> None:
        """The answer to the first was lost, and redis-py sends it again."""
        if self.before.claims.get(run.task) != run.token:
            return
        reply = self._run(protocol.claim(self.keys, **run.names, worker=run.worker))
        if run.task in self.before.ends:
            assert reply.verdict is ClaimVerdict.DUPLICATE
        elif self.before.wanted.get(run.job, run.attempt) != run.attempt:
            assert reply.verdict is ClaimVerdict.UNWANTED
        else:
            assert reply.verdict is ClaimVerdict.CLAIMED

    def _finish(self, run: Run, wanted: End) -> None:
        end = replace(run.wish or wanted, worker=run.worker)
        if end.outcome is Outcome.CANCELLED:
            self.folders.delete(run.job)
            self.outputs.pop(run.job, None)
        if end.outcome is Outcome.SUCCEEDED and not self.folders.publish(run):
            del self.runs[run.worker]  # a stale one's last rename fails
            return
        reply = self._run(protocol.finish(self.keys, **run.names, end=end))
        self._check_finish(run, end.outcome, reply)
        if reply.verdict is FinishVerdict.CANCELLED:
            run.wish = CANCELLED
        elif reply.verdict is FinishVerdict.RECORDED:
            self.granted[run.task] = run.token  # and it may ask again: the answer may be lost
        else:
            del self.runs[run.worker]

    def _check_finish(self, run: Run, outcome: Outcome, reply: protocol.FinishReply) -> None:
        holder, wanted = self.before.claims.get(run.task), self.before.wanted.get(run.job)
        ended = self.before.ends.get(run.task)
        if ended is not None:
            own = f'"token":"{run.token}"' in ended[0]
            assert reply.verdict is (FinishVerdict.ALREADY if own else FinishVerdict.OVERTAKEN)
            assert reply.end == ended[1]
        elif (
            holder not in (None, run.token)
            or (wanted is not None and wanted > run.attempt)
            or (holder is None and wanted is None)
        ):
            assert (reply.verdict, reply.end) == (FinishVerdict.OVERTAKEN, None)
        elif run.job in self.before.confirmed and outcome is not Outcome.CANCELLED:
            assert (reply.verdict, reply.end) == (FinishVerdict.CANCELLED, None)
        else:
            assert reply.verdict is FinishVerdict.RECORDED
            assert reply.end is not None
            assert reply.end.outcome is outcome

    def _stand_still(self, job: str) -> None:
        """All who run it, for longer than the TTL of a heartbeat; they may go on later."""
        self.client.delete(*(self.keys.alive(task) for task in self._tasks(job)))

    def _empty(self) -> None:
        self.client.flushdb()
        self.emptied_ever = True
        self.run_id += 1
        self.fence_seen = -1
        self.before = Snapshot()
        self.granted.clear()
        self.forgotten.clear()

    # --- What must hold after every step

    def _snapshot(self) -> Snapshot:
        tasks = [TaskId(job, attempt) for job in JOBS for attempt in range(1, self.objects[job].job.attempt + 1)]
        observed = self._run(protocol.observe(self.keys, [(task.job_id, task) for task in tasks]))
        now = Snapshot()
        for task, seen in zip(tasks, observed.jobs, strict=True):
            if seen.end is not None:
                now.ends[str(task)] = (str(self.client.get(self.keys.end(str(task)))), seen.end)
            if seen.claim is not None:
                now.claims[str(task)] = seen.claim.token
            if seen.record is not None:
                now.wanted[task.job_id] = seen.record.attempt
            now.requested |= {task.job_id} if seen.requested else set()
            now.confirmed |= {task.job_id} if seen.confirmed else set()
        return now

    @invariant()
    def what_is_promised_holds(self) -> None:
        before, now = self.before, self._snapshot()
        self._no_end_changes(before, now)
        self._ends_are_of_those_who_held_the_claim(now)
        self._a_confirmed_cancel_is_never_a_success(before, now)
        for job in JOBS:
            assert now.wanted.get(job, 0) >= before.wanted.get(job, 0), f"the wanted attempt of {job} fell"
            assert not (job in now.requested and job in now.confirmed), f"{job} is requested and confirmed"
            self._at_most_one_attempt_succeeds(job, now)
            self._a_sealed_output_stays(job)
        for job in self.forgotten:
            assert not self.client.keys(f"*{job}*"), f"{self.client.keys(f'*{job}*')} were left of a forgotten job"
            assert job not in self.client.smembers(self.keys.records(INSTALL))
        self.before = now

    def _no_end_changes(self, before: Snapshot, now: Snapshot) -> None:
        for task, (text, _) in before.ends.items():
            assert now.ends.get(task, ("gone", None))[0] == text, f"the end of {task} changed"

    def _ends_are_of_those_who_held_the_claim(self, now: Snapshot) -> None:
        for task, (text, _) in now.ends.items():
            holder = now.claims.get(task)
            assert holder is not None, f"{task} ended without a claim"
            by_operator = f'"token":"{protocol.OPERATOR_TOKEN}"' in text
            assert by_operator or f'"token":"{holder}"' in text, f"{task} is {holder}'s, but its end is {text}"
        for task, token in self.granted.items():
            assert now.claims.get(task) == token, (
                f"the claim of {task} was given to {token}, now {now.claims.get(task)}"
            )

    def _a_confirmed_cancel_is_never_a_success(self, before: Snapshot, now: Snapshot) -> None:
        for task, (_, end) in now.ends.items():
            job = task.rpartition("-")[0]
            if task not in before.ends and end.outcome is Outcome.SUCCEEDED:
                assert job not in before.confirmed, f"{task} succeeded though its cancel was confirmed"
                assert job not in now.confirmed | now.requested, f"{task} succeeded and left a flag"
                assert before.wanted.get(job, 0) in (0, int(task.rpartition("-")[2])), f"{task} was not wanted"

    def _at_most_one_attempt_succeeds(self, job: str, now: Snapshot) -> None:
        counts = [one for one in self._tasks(job) if one in now.ends and now.ends[one][1].outcome is Outcome.SUCCEEDED]
        # Once Redis has been emptied, an operator may rightly have given up an attempt that then came back.
        assert len(counts) <= 1 or self.emptied_ever, f"{counts} all succeeded"

    def _a_sealed_output_stays(self, job: str) -> None:
        token = self.folders.sealed(job)
        if token is None:
            return
        assert self.outputs.setdefault(job, token) == token, f"the output of {job} was {self.outputs[job]}'s"


@pytest.fixture
def client(redis_state_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    monkeypatch.setattr(config, "REDIS_STATE_DB", redis_state_url)
    job_manager.get_redis_client.cache_clear()
    yield job_manager.get_redis_client()
    job_manager.get_redis_client().close()
    job_manager.get_redis_client.cache_clear()


@pytest.mark.timeout(3600)
def test_the_protocol_keeps_its_promises_whatever_happens(client: redis.Redis) -> None:
    class OnThisRedis(Protocol):
        pass

    OnThisRedis.client = client
    run_state_machine_as_test(
        OnThisRedis,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
