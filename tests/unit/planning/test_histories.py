"""Random histories of one job: the plan keeps its promises under any sequence of events.

A small world stands for the parts around the plan: an API server that stores what is written, a Redis that follows the
protocol and may be emptied, workers that crash, are cut off or continue, messages that get lost or doubled, an operator
that looks at one moment, acts at another, and may die in between.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Part
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reconstruction_operator import config
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey, TaskId
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import ConditionType, Phase, Status
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason, reason
from reconstruction_operator.contract.records import End, ObservedJob, ProgressReport
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.planning import actions
from reconstruction_operator.planning import types as t
from reconstruction_operator.planning.plan import plan
from reconstruction_operator.planning.status.reasons import CONDITION_REASONS
from reconstruction_operator.state import operator_calls, reads, worker_calls
from reconstruction_operator.state.fields import moment
from reconstruction_operator.state.replies import ClaimVerdict, FinishVerdict

from tests.support import plans
from tests.support.protocol.state import State

KEY = JobKey("ns", "name", "uid")
JOB_ID = KEY.job_id
KEYS = Keys(prefix="")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMING = replace(plans.TIMING, backoff_max_seconds=40)
ROUNDS = 150  # in which a job ends once its environment behaves
STOP_ENDS = {
    StopReason.SUSPEND: (Outcome.STOPPED, "SUSPENDED"),
    StopReason.DEADLINE: (Outcome.FAILED, "TIMEOUT"),
    StopReason.DELETED: (Outcome.STOPPED, "DELETED"),
    StopReason.SUPERSEDED: (Outcome.STOPPED, "SUPERSEDED"),
}
FAILURES = ("WORKER_ERROR", "WORKER_ERROR", "OUT_OF_MEMORY", "TOO_FEW_IMAGES", "NEWER_WORKERS_REASON")


@dataclass
class Run:
    """A worker's process that runs an attempt."""

    attempt: int
    token: str
    connected: bool = True
    steps_done: int = 0

    @property
    def worker(self) -> str:
        return f"worker of {self.token}"

    @property
    def names(self) -> dict[str, Any]:
        """The run as the worker's calls name it."""
        task_id = str(TaskId(JOB_ID, self.attempt))
        return {"task_id": task_id, "job_id": JOB_ID, "attempt": self.attempt, "token": self.token}


@dataclass
class World:
    """Redis, workers and queue: the real calls of operator and worker, on the model of the protocol."""

    redis: State = field(default_factory=lambda: State(clock=int(START.timestamp() * 1000)))
    heard_until: dict[int, datetime] = field(default_factory=dict)  # by attempt: when its newest heartbeat expires
    reports: dict[int, ProgressReport] = field(default_factory=dict)
    epoch_at: datetime = START - timedelta(days=1)
    contact_since: datetime = START  # of the operator with Redis
    messages: list[int] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    recorded: dict[str, End] = field(default_factory=dict)  # every end ever recorded, by attempt and time
    tokens: int = 0

    @property
    def now(self) -> datetime:
        return moment(self.redis.clock)

    def pass_time(self, seconds: int) -> None:
        self.redis.pass_time(1000 * seconds)

    def of(self, attempt: int) -> ObservedJob:
        """What Redis holds about an attempt."""
        return self.redis.run(reads.observe(KEYS, [(JOB_ID, TaskId(JOB_ID, attempt))])).jobs[0]

    def _note(self, attempt: int) -> None:
        end = self.of(attempt).end
        if end is not None:
            self.recorded.setdefault(f"{attempt} at {end.at}", end)

    # --- the worker's side

    def take_message(self, attempt: int) -> None:
        self.tokens += 1
        run = Run(attempt, f"token-{self.tokens}")
        reply = self.redis.run(worker_calls.claim(KEYS, **run.names, worker=run.worker))
        if reply.verdict is ClaimVerdict.CLAIMED:
            self._heard(run)
            self.runs.append(run)

    def _heard(self, run: Run) -> None:
        if self.of(run.attempt).alive:
            self.heard_until[run.attempt] = self.now + timedelta(seconds=config.settings.ALIVE_TTL_SECONDS)

    def beat(self, run: Run) -> None:
        """A beat, and what the worker does about the reply."""
        if not run.connected:
            return
        reply = self.redis.run(worker_calls.beat(KEYS, **run.names, worker=run.worker, life="life"))
        self._heard(run)
        if not reply.owned or self.of(run.attempt).end is not None:
            self.runs.remove(run)
        elif reply.cancelled:
            self._end(run, End(Outcome.CANCELLED, "CANCELLED"))
        elif reply.stop is not None:
            outcome, why = STOP_ENDS[reply.stop]
            self._end(run, End(outcome, why, "stopped"))

    def finish(self, run: Run, end: End) -> None:
        self.beat(run)
        if run in self.runs and run.connected:
            self._end(run, end)

    def _end(self, run: Run, end: End) -> None:
        """Nothing is recorded, and the run continues, while Redis has no data of the job."""
        reply = self.redis.run(worker_calls.finish(KEYS, **run.names, end=replace(end, worker=run.worker)))
        if reply.verdict is FinishVerdict.RECORDED:
            self._note(run.attempt)
            self.runs.remove(run)

    def report(self, run: Run, fraction: float) -> None:
        self.beat(run)
        if run not in self.runs or not run.connected:
            return
        step = STEPS[min(run.steps_done, len(STEPS) - 1)]
        self.reports[run.attempt] = ProgressReport(
            percent=step.percent,
            step=step.name,
            step_index=step.index,
            fraction=fraction,
            started_at=self.now - timedelta(seconds=20),
            at=self.now,
            message=f"{fraction:.2f}",
        )

    # --- the operator's side

    def observe(self, job: t.Job) -> t.Observation:
        seen = self.of(job.attempt)
        silent_seconds = 0.0
        if seen.claim is not None and not seen.alive:
            heard_until = self.heard_until.get(job.attempt, self.contact_since)
            silent_seconds = (self.now - max(self.contact_since, heard_until, seen.claim.at)).total_seconds()
        return t.Observation.of(
            seen,
            silent_seconds=max(0.0, silent_seconds),
            progress=self.reports.get(job.attempt),
            queue=t.Queue(workers=1, waiting=len(self.messages)),
            missing=job.attempt not in self.messages,
            epoch_age_seconds=(self.now - self.epoch_at).total_seconds(),
        )

    def carry_out(self, action: actions.Action, attempt: int) -> None:
        leader: dict[str, Any] = {"fence": 1, "install_id": "install"}
        match action:
            case actions.Dispatch(task):
                assert task.attempt not in self.messages, "a message that waits in the queue was sent again"
                self.messages.append(task.attempt)
                self.redis.run(operator_calls.mark_sent(KEYS, **leader, job_id=JOB_ID, attempt=task.attempt))
            case actions.DeleteFiles():
                self.redis.run(operator_calls.mark_sent(KEYS, **leader, job_id=JOB_ID, attempt=attempt, is_order=True))
            case actions.Forget() | actions.DeleteObject():
                raise AssertionError(f"{action} is for jobs with a time to live, or without an object")
            case _:
                call = operator_calls.for_action(KEYS, action, KEY, **leader)
                assert call is not None
                self.redis.run(call)
                if isinstance(action, actions.TakeClaim | actions.ForceEnd):
                    self._note(action.task.attempt)

    def forget(self) -> None:
        """FLUSHALL."""
        self.redis = State(clock=self.redis.clock)
        for lost in (self.heard_until, self.reports, self.messages):
            lost.clear()
        self.epoch_at = self.contact_since = self.now

    def running(self) -> list[Run]:
        """The runs that hold their attempts."""
        held = ((run, self.of(run.attempt)) for run in self.runs)
        return [run for run, seen in held if seen.runs and seen.claim and seen.claim.token == run.token]


def _but_generation(status: Status) -> Status:
    """Which edit of the spec was seen last is all that may still change after the end."""
    conditions = tuple(replace(one, observed_generation=None) for one in status.conditions)
    return replace(status, observed_generation=-1, conditions=conditions)


class Histories(RuleBasedStateMachine):
    """One job, from its creation to its end."""

    @initialize(
        backoff_limit=st.integers(0, 6),
        suspend=st.booleans(),
        active=st.sampled_from([None, None, None, None, 60, 3000]),
        waiting=st.sampled_from([None, None, None, None, 60]),
    )
    def create(self, backoff_limit: int, suspend: bool, active: int | None, waiting: int | None) -> None:
        spec = Spec(
            input=Location("file:///photos/banana"),
            backoff_limit=backoff_limit,
            suspend=suspend,
            active_deadline_seconds=active,
            queue_deadline_seconds=waiting,
        )
        self.world = World()
        self.job = t.Job(KEY, 1, START, spec, Status())
        self.looked: t.Observation | None = None
        self.confirmed_in_time = False

    # --- the user

    def _edit(self, **changes: bool) -> None:
        self.job = replace(
            self.job,
            generation=self.job.generation + 1,
            spec=replace(self.job.spec, **changes),  # type: ignore[arg-type]  # booleans of the spec
        )

    @rule(what=st.sampled_from(["suspend", "resume", "resume", "request", "withdraw", "withdraw", "confirm"]))
    def user_edits(self, what: str) -> None:
        """The API server keeps the order of the two steps, and that the second is final."""
        spec, phase = self.job.spec, self.job.status.phase
        if what in ("suspend", "resume"):
            self._edit(suspend=what == "suspend")
        elif not spec.cancel_confirmed and what != "confirm":
            self._edit(cancel_requested=what == "request")
        elif spec.cancel_requested and not spec.cancel_confirmed:
            self._edit(cancel_confirmed=True)
            self.confirmed_in_time = phase is None or not phase.finished

    # --- time and faults

    @rule(seconds=st.sampled_from([1, 5, 12, 40, 900, 2500]))
    def time_passes(self, seconds: int) -> None:
        self.world.pass_time(seconds)

    @rule(what=st.sampled_from(["emptied", "contact breaks", "message is lost", "message is doubled"]))
    def redis_has_trouble(self, what: str) -> None:
        if what == "emptied":
            self.world.forget()
        elif what == "contact breaks":
            self.world.contact_since = self.world.now
        elif self.world.messages:
            first = self.world.messages.pop(0)
            self.world.messages += [first, first] if what == "message is doubled" else []

    # --- workers

    @precondition(lambda self: self.world.messages)
    @rule()
    def worker_takes_a_message(self) -> None:
        self.world.take_message(self.world.messages.pop(0))

    @precondition(lambda self: self.world.runs)
    @rule(data=st.data(), fraction=st.floats(0, 1), onward=st.booleans())
    def worker_continues(self, data: st.DataObject, fraction: float, onward: bool) -> None:
        run = data.draw(st.sampled_from(self.world.runs))
        run.steps_done += onward
        self.world.report(run, fraction)

    @precondition(lambda self: self.world.runs)
    @rule(data=st.data(), what=st.sampled_from(["crash", "cut off", "reconnect"]))
    def worker_has_trouble(self, data: st.DataObject, what: str) -> None:
        run = data.draw(st.sampled_from(self.world.runs))
        if what == "crash":
            self.world.runs.remove(run)
        else:
            run.connected = what == "reconnect"

    @precondition(lambda self: self.world.runs)
    @rule(data=st.data(), how=st.sampled_from(["success", "drained", "drained", "drained", *FAILURES]))
    def worker_finishes(self, data: st.DataObject, how: str) -> None:
        run = data.draw(st.sampled_from(self.world.runs))
        if how == "success":
            self.world.finish(run, End(Outcome.SUCCEEDED))
        elif how == "drained":
            self.world.finish(run, End(Outcome.STOPPED, "DRAINED"))
        else:
            self.world.finish(run, End(Outcome.FAILED, how, "it broke"))

    # --- the operator

    @rule()
    def operator_looks(self) -> None:
        self.looked = self.world.observe(self.job)

    @precondition(lambda self: self.looked is not None)
    @rule(admitted=st.booleans(), dies_after=st.sampled_from([0, 1, 2, 99, 99, 99]), write=st.sampled_from("lbba"))
    def operator_acts_on_what_it_saw(self, admitted: bool, dies_after: int, write: str) -> None:
        """`write`: the status is (l)ost, or stored (b)efore or (a)fter the actions."""
        assert self.looked is not None
        self._act(self.looked, admitted=admitted, dies_after=dies_after, write=write)
        self.looked = None

    @rule(admitted=st.booleans())
    def operator_works(self, admitted: bool) -> None:
        self._work(admitted=admitted)
        self.looked = None

    def _work(self, *, admitted: bool) -> None:
        """Look, store and act. Then nothing is left to do for which the job would not be enqueued."""
        made = self._act(self.world.observe(self.job), admitted=admitted, dies_after=99, write="b")
        ended = any(isinstance(action, actions.TakeClaim | actions.ForceEnd) for action in made.actions)
        if made.again or ended:
            return
        then = plan(self.job, self.world.observe(self.job), self.world.now, TIMING, admitted=False)
        assert then.actions == (), "what follows from the stored status is missed"
        assert then.status == self.job.status
        if then.wake_at is not None:
            assert made.wake_at is not None, "a time is missed"
            assert made.wake_at <= then.wake_at

    def _act(self, seen: t.Observation, *, admitted: bool, dies_after: int, write: str) -> t.Plan:
        made = plan(self.job, seen, self.world.now, TIMING, admitted=admitted)
        sends = any(isinstance(action, actions.Dispatch) for action in made.actions)
        assert admitted or not sends, "a message was sent outside the dispatch window"
        self._check_repeated(made, seen, admitted=admitted)
        if write == "b":
            self._store(made.status)
        for action in made.actions[:dies_after]:
            self.world.carry_out(action, made.status.attempt)
        if write == "a" and dies_after == 99:
            self._store(made.status)
        return made

    def _check_repeated(self, made: t.Plan, seen: t.Observation, *, admitted: bool) -> None:
        """Made again from its own status it is the same; after another attempt was decided the observation is another's."""
        if made.status.attempt > self.job.attempt:
            return
        stored = replace(self.job, status=_as_stored(made.status))
        assert stored.status == made.status
        again = plan(stored, seen, self.world.now, TIMING, admitted=admitted)
        assert again.status == made.status, _difference(made.status, again.status)
        assert again.events == ()

    def _store(self, new: Status) -> None:
        old, new = self.job.status, _as_stored(new)
        if old.phase is not None and old.phase.finished:
            assert _but_generation(new) == _but_generation(old), "a finished job was reopened"
        assert _reached(new) >= _reached(old), "the attempt or its progress fell"
        if new.phase is Phase.CANCELLED and old.phase is not Phase.CANCELLED:
            assert not self.world.running(), "cancelled while it runs"
        self.job = replace(self.job, status=new)

    # --- what always holds

    @invariant()
    def conditions_are_complete_and_agree(self) -> None:
        status = self.job.status
        if status.phase is None:
            return
        assert sorted(one.type for one in status.conditions) == sorted(kind.value for kind in plans.PERMANENT)
        by_type = {one.type: one for one in status.conditions}
        for one in status.conditions:
            row = CONDITION_REASONS.get((ConditionType(one.type), one.reason))
            assert row is None or row.status == one.status
            assert row is not None or one.reason == "NewerWorkersReason"
            assert one.last_transition_time is not None
        true = {name for name, one in by_type.items() if one.status == "True"}
        outcomes = true & {"Complete", "Failed", "Cancelled"}
        assert len(outcomes) == (1 if "Finished" in true else 0)
        assert ("Finished" in true) == status.phase.finished
        assert ("Stalled" in true) == ("Failed" in true)
        assert not {"Reconciling", "Stalled"} <= true
        assert ("Reconciling" in true) == (not status.phase.finished and status.phase is not Phase.SUSPENDED)

    @invariant()
    def failures_are_within_the_limit(self) -> None:
        assert self.job.status.failures <= self.job.spec.backoff_limit + 1

    def teardown(self) -> None:
        """Once nothing disturbs any more, the job ends, and as it should."""
        if not hasattr(self, "job"):
            return
        self._edit(suspend=False)
        for run in self.world.runs:
            run.connected = True
        for _ in range(ROUNDS):
            self._work(admitted=True)
            phase = self.job.status.phase
            if phase is not None and phase.finished:
                break
            while self.world.messages:
                self.world.take_message(self.world.messages.pop(0))
            for run in list(self.world.runs):
                run.steps_done += 1
                self.world.report(run, min(1.0, run.steps_done / 6))
                if run in self.world.runs and run.steps_done >= 7:
                    self.world.finish(run, End(Outcome.SUCCEEDED))
            self.world.pass_time(5)
        self._check_the_end()

    def _check_the_end(self) -> None:
        status = self.job.status
        assert status.phase is not None
        assert status.phase.finished, f"the job hangs: {status}"
        assert status.completion_time is not None
        recorded = self.world.recorded.values()
        if status.phase is Phase.SUCCEEDED:
            assert any(end.outcome is Outcome.SUCCEEDED for end in recorded)
        if self.confirmed_in_time and status.phase is Phase.FAILED:
            final = [end for end in recorded if end.outcome is Outcome.FAILED and not reason(end.reason).retriable]
            assert final, "a confirmed cancel ended as a failure that was not recorded"
        if status.phase is Phase.CANCELLED:
            assert self.confirmed_in_time


def _difference(one: Status, other: Status) -> str:
    names = [field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name)]
    return "; ".join(f"{name}: {getattr(one, name)} -> {getattr(other, name)}" for name in names)


def _as_stored(status: Status) -> Status:
    """What comes back from the API server."""
    return codec.decode(Status, json.loads(json.dumps(codec.encode(status))))


def _reached(status: Status) -> tuple[int, int]:
    return status.attempt, status.progress.percent if status.progress else 0


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    stateful_step_count=40,
    deadline=None,  # shared machines
    suppress_health_check=[HealthCheck.too_slow],  # the same
    phases=(Part.explicit, Part.reuse, Part.generate, Part.shrink),  # without the slow explanation
)
