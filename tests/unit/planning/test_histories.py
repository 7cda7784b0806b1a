"""Random histories of one job: whatever happens in between, the plan keeps its promises.

A small world stands for the parts around the plan: an API server that stores what is written, a Redis that follows the
protocol and may be emptied, workers that crash, are cut off or go on, messages that get lost or doubled, an operator
that looks at one moment, acts at another, and may die in between.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import Phase as Part
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import ConditionType, Phase, Status
from reconstruction_operator.contract.outcomes import Outcome, StopReason, reason
from reconstruction_operator.contract.records import Claim, End, ProgressReport, Record
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.planning import actions
from reconstruction_operator.planning import types as t
from reconstruction_operator.planning.plan import plan
from reconstruction_operator.planning.status.reasons import CONDITION_REASONS

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMING = t.Timing(
    lost_after_seconds=10,
    epoch_grace_seconds=15,
    resend_seconds=15,
    backoff_seconds=10,
    backoff_max_seconds=40,
    cancel_ttl_seconds=3600,
    progress_seconds=1,
)
ALIVE_SECONDS = 10
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


@dataclass
class World:
    """Redis, workers and queue, by the rules of the protocol."""

    now: datetime = START
    record: Record | None = None
    claims: dict[int, Claim] = field(default_factory=dict)
    alive: dict[int, tuple[str, datetime]] = field(default_factory=dict)  # token, until
    stops: dict[int, StopReason] = field(default_factory=dict)
    ends: dict[int, End] = field(default_factory=dict)
    reports: dict[int, ProgressReport] = field(default_factory=dict)
    requested_until: datetime | None = None
    confirmed_until: datetime | None = None
    epoch_at: datetime = START - timedelta(days=1)
    contact_since: datetime = START  # of the operator with Redis
    messages: list[int] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    recorded: list[tuple[int, Outcome, str]] = field(default_factory=list)  # every end ever recorded
    tokens: int = 0
    orders: int = 0  # to delete files
    cleaned: bool = False

    def flag(self, until: datetime | None) -> bool:
        return until is not None and until > self.now

    def is_alive(self, attempt: int) -> bool:
        held, until = self.alive.get(attempt, ("", START))
        claim = self.claims.get(attempt)
        return claim is not None and held == claim.token and until > self.now

    def record_end(self, attempt: int, end: End) -> None:
        self.ends[attempt] = replace(end, at=self.now)
        self.recorded.append((attempt, end.outcome, end.reason))

    # --- the worker's side

    def take_message(self, attempt: int) -> None:
        if attempt in self.ends or attempt in self.claims:
            return
        if self.record is None or self.record.attempt != attempt:
            return
        self.tokens += 1
        run = Run(attempt, f"token-{self.tokens}")
        self.claims[attempt] = Claim(run.token, f"worker-{self.tokens}", False, self.now)
        self._breathe(run)
        self.runs.append(run)

    def _breathe(self, run: Run) -> None:
        self.alive[run.attempt] = (run.token, self.now + timedelta(seconds=ALIVE_SECONDS))

    def beat(self, run: Run) -> None:
        """A beat, and what the worker does about its answer."""
        if not run.connected:
            return
        claim, wanted = self.claims.get(run.attempt), self.record.attempt if self.record else 0
        taken = claim is not None and claim.token != run.token
        if run.attempt in self.ends or taken or wanted > run.attempt:
            self.runs.remove(run)
            return
        if claim is None and wanted == 0:
            return
        if claim is None:
            self.claims[run.attempt] = Claim(run.token, f"worker-{run.token[6:]}", False, self.now)
        self._breathe(run)
        if self.flag(self.confirmed_until):
            self._end(run, End(Outcome.CANCELLED, "CANCELLED"))
        elif run.attempt in self.stops:
            outcome, why = STOP_ENDS[self.stops[run.attempt]]
            self._end(run, End(outcome, why, "stopped"))

    def finish(self, run: Run, end: End) -> None:
        self.beat(run)
        claim = self.claims.get(run.attempt)
        if run in self.runs and run.connected and claim is not None and claim.token == run.token:
            self._end(run, end)

    def _end(self, run: Run, end: End) -> None:
        self.record_end(run.attempt, replace(end, worker=f"worker-{run.token[6:]}"))
        self.alive.pop(run.attempt, None)
        if end.outcome is Outcome.SUCCEEDED:
            self.requested_until = self.confirmed_until = None
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
        n = job.attempt
        claim = self.claims.get(n)
        held_until = self.alive.get(n, ("", self.contact_since))[1]
        silent_since = max(self.contact_since, held_until, claim.at if claim else START)
        silent = 0.0 if self.is_alive(n) else (self.now - silent_since).total_seconds()
        until = self.confirmed_until if self.flag(self.confirmed_until) else self.requested_until
        return t.Observation(
            record=self.record,
            claim=claim,
            alive=self.is_alive(n),
            silent_seconds=max(0.0, silent) if claim else 0.0,
            end=self.ends.get(n),
            stop=self.stops.get(n),
            requested=self.flag(self.requested_until),
            confirmed=self.flag(self.confirmed_until),
            flag_ttl_seconds=(until - self.now).total_seconds() if until and self.flag(until) else None,
            progress=self.reports.get(n),
            queue=t.Queue(workers=1, waiting=len(self.messages)),
            epoch_age_seconds=(self.now - self.epoch_at).total_seconds(),
            cleaned=self.cleaned,
        )

    def carry_out(self, action: actions.Action) -> None:
        expiry = self.now + timedelta(seconds=TIMING.cancel_ttl_seconds)
        match action:
            case actions.PutRecord(attempt, queue):
                if self.record is None or self.record.attempt < attempt:
                    self.record = Record("install", "ns", "name", attempt, queue)
            case actions.Dispatch(task):
                self.messages.append(task.attempt)
                if self.record is not None and self.record.attempt == task.attempt:
                    self.record = replace(self.record, sent_at=self.now)
            case actions.RequestCancel():
                self.requested_until = expiry
            case actions.WithdrawRequest():
                self.requested_until = None
            case actions.AssertCancelled():
                self.confirmed_until, self.requested_until = expiry, None
            case actions.ClearFlags():
                self.confirmed_until = self.requested_until = None
            case actions.TakeClaim(task, outcome, why, message):
                if task.attempt not in self.ends and task.attempt not in self.claims:
                    self.claims[task.attempt] = Claim("operator", "operator", True, self.now)
                    self.record_end(task.attempt, End(outcome, why, message))
            case actions.RequestStop(task, why):
                self.stops.setdefault(task.attempt, why)
            case actions.ForceEnd(task, outcome, why, message):
                if task.attempt not in self.ends and not self.is_alive(task.attempt):
                    self.claims.setdefault(task.attempt, Claim("operator", "operator", True, self.now))
                    self.record_end(task.attempt, End(outcome, why, message))
            case actions.DeleteFiles():
                self.orders += 1
                if self.record is not None:
                    self.record = replace(self.record, sent_at=self.now)
            case _:
                raise AssertionError(f"{action} is for jobs with a time to live, or without an object")

    def forget(self) -> None:
        """FLUSHALL."""
        self.record = self.requested_until = self.confirmed_until = None
        for keys in (self.claims, self.alive, self.stops, self.ends, self.reports):
            keys.clear()
        self.messages.clear()
        self.epoch_at = self.contact_since = self.now


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
        self.job = t.Job(JobKey("ns", "name", "uid"), 1, START, spec, Status())
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
        self.world.now += timedelta(seconds=seconds)

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
    def worker_goes_on(self, data: st.DataObject, fraction: float, onward: bool) -> None:
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
        self._act(self.world.observe(self.job), admitted=admitted, dies_after=99, write="b")
        self.looked = None

    def _act(self, seen: t.Observation, *, admitted: bool, dies_after: int, write: str) -> t.Plan:
        made = plan(self.job, seen, self.world.now, TIMING, admitted=admitted)
        self._check_repeated(made, seen, admitted=admitted)
        if write == "b":
            self._store(made.status)
        for action in made.actions[:dies_after]:
            self.world.carry_out(action)
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
            owners = {claim.token for n, claim in self.world.claims.items() if n not in self.world.ends}
            assert not [run for run in self.world.runs if run.token in owners], "cancelled while it runs"
        self.job = replace(self.job, status=new)

    # --- what always holds

    @invariant()
    def conditions_are_complete_and_agree(self) -> None:
        status = self.job.status
        if status.phase is None:
            return
        assert [one.type for one in status.conditions] == [kind.value for kind in ConditionType]
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
            self._act(self.world.observe(self.job), admitted=True, dies_after=99, write="b")
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
            self.world.now += timedelta(seconds=5)
        self._check_the_end()

    def _check_the_end(self) -> None:
        status = self.job.status
        assert status.phase is not None
        assert status.phase.finished, f"the job hangs: {status}"
        assert status.completion_time is not None
        outcomes = {outcome for _, outcome, _ in self.world.recorded}
        if status.phase is Phase.SUCCEEDED:
            assert Outcome.SUCCEEDED in outcomes
        if self.confirmed_in_time and status.phase is Phase.FAILED:
            final = [
                why
                for _, outcome, why in self.world.recorded
                if outcome is Outcome.FAILED and not reason(why).retriable
            ]
            assert final, "a confirmed cancel ended as a failure that nobody had recorded"
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
