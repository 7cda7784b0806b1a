"""The state machine: everything that anybody may do next, and what must hold after it.

Two operators (one of which may be deposed and not know it), three workers that run the real task and may stand still at
any of its points, messages that are lost, doubled and late, a Redis that loses any key at any moment, users who change
their minds, and job folders on a disk. Hypothesis chooses what happens next, and which faults a run has at all; everybody
acts on what they saw last, however old. The operators decide by the real plan.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import redis
from hypothesis import event, note, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from reconstruction_operator import config
from reconstruction_operator.api.identity import JobKey, TaskId
from reconstruction_operator.api.outcomes import Outcome
from reconstruction_operator.planning import types as planned
from reconstruction_operator.planning.plan import plan, plan_orphan
from reconstruction_operator.planning.types import End, Job, Limits, Observation, Queue
from reconstruction_operator.services import file_handler, job_manager, protocol
from reconstruction_operator.services.keys import Keys
from reconstruction_operator.services.protocol import Call, ObservedJob, calls
from reconstruction_operator.tasks import cleanup, publishing
from reconstruction_operator.tasks.ownership import LIFE

from tests.real.protocol import model
from tests.real.protocol.fibers import Fiber
from tests.real.protocol.model import State
from tests.real.protocol.world import Message, Object, Operator, Run

INSTALL: Final = "install"
JOBS: Final = ("job-a", "job-b", "job-c")
WORKERS: Final = ("worker-1", "worker-2", "worker-3")
LONG_SECONDS: Final = 1e9
# Whatever the operator may do after a while, it may do at once.
LIMITS: Final = Limits(
    lost_after_seconds=0.0,
    epoch_grace_seconds=0.0,
    resend_seconds=0.0,
    backoff_seconds=0.0,
    backoff_max_seconds=0.0,
    cancel_ttl_seconds=config.CANCEL_TTL_SECONDS,
    progress_seconds=0.0,
)
TRIES: Final = 4  # of a message whose job has no record
ROUNDS: Final = 40  # in which every job ends, once nothing goes wrong any more
FOR_EVER: Final = ("job:", "records:", "fence:", "epoch", "workers")  # the only keys without a time to live

# What may happen next, and how often: so that in most runs a good deal does.
ALWAYS: Final = {
    "the leader has its turn": 10,
    "a message is taken": 6,
    "a run goes on": 14,
    "a run beats": 5,
    "a user cancels in two steps": 1,
}
SOMETIMES: Final = {
    "the leader dies in its turn": 1,
    "the other operator has its turn": 3,
    "the other operator takes over": 1,
    "a user requests a cancel": 2,
    "a user confirms the cancel": 3,
    "a user withdraws the request": 1,
    "a user suspends or resumes": 2,
    "a user deletes": 1,
    "somebody requests by the job manager": 1,
    "somebody confirms by the job manager": 2,
    "somebody clears by the job manager": 1,
    "a message is lost": 1,
    "a message is doubled": 3,
    "a worker is killed": 1,
    "a worker registers": 1,
    "a worker drains": 1,
    "a worker goes": 1,
    "an answer is lost": 2,
    "heartbeats run out": 4,
    "half of all time passes": 1,
    "a run loses a key": 5,
    "a key is lost": 2,
    "some keys are lost": 1,
    "a key holds nonsense": 1,
    "Redis is emptied": 1,
}
LOSSES: Final = frozenset({"a key is lost", "some keys are lost", "a key holds nonsense"})
SCENES: Final = ("fresh", "running", "emptied", "silent", "silent and given up", "silent and deleted", "published")

T = TypeVar("T")


class Protocol(RuleBasedStateMachine):
    """Rules are what anybody may do at any time; invariants are checked after each, and liveness at the end."""

    client: ClassVar[redis.Redis]  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.keys = Keys(prefix="")
        self.objects = {job: Object(JobKey("namespace", job, job)) for job in JOBS}
        self.operators = [Operator(), Operator()]
        self.leader = 0  # index; the other one may still believe that it is
        self.messages: list[Message] = []
        self.runs: dict[str, Run] = {}
        self.root = Path(tempfile.mkdtemp(prefix="protocol-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        config.JOBS_DIR = str(self.root)  # the fixture puts it back
        self.happenings: list[str] = []
        self.deliveries = 0
        self.run_id = 1
        self.last: Call[Any] | None = None
        self.state: State | None = None
        self.sound = False  # until a promise is broken
        self.asked: set[str] = set()  # jobs of which the job manager requested a cancel, perhaps after it was confirmed
        self.visited: set[str] = set()
        self.damaged: set[str] = set()  # jobs of which Redis has lost a key
        self.granted: dict[str, str] = {}  # task -> token that was given the claim
        self.outputs: dict[str, str] = {}  # job -> token whose output was sealed
        self.succeeded: dict[str, str] = {}  # job -> the same, once the status said so
        self.asserted: set[str] = set()  # jobs whose cancel a leader has confirmed in Redis, before any end
        self.client.flushdb()
        protocol.run = self._checked  # type: ignore[assignment]  # the fixture puts it back

    @initialize(faults=st.sets(st.sampled_from(sorted(SOMETIMES)), min_size=8), scene=st.sampled_from(SCENES))
    def start(self, faults: set[str], scene: str) -> None:
        """With the faults of this run; and, in most, far enough on its way that more can happen from the first step on."""
        weights = ALWAYS | {name: SOMETIMES[name] for name in faults}
        self.happenings = [name for name, weight in sorted(weights.items()) for _ in range(weight)]
        self._lead(0)
        leader, job = self.operators[0], JOBS[0]
        if scene == "fresh":
            return
        self._turns(leader, job)
        self._take(self.messages.pop(0), fails=False)
        (run,) = self.runs.values()
        self._advance(run, 6)
        self._turns(leader, job)
        match scene:
            case "published":
                while not self.outputs.get(job):
                    assert not run.fiber.over, f"{run} ended as {run.end}"
                    self._advance(run, 1)
            case "emptied":
                self._empty()
                self._turns(leader, job)
            case "silent":
                self._silence(job)
            case "silent and given up":
                self._silence(job)
                self._turns(leader, job)
            case "silent and deleted":
                self._silence(job)
                self.objects[job].deleted = True
                self._turns(leader, job)

    def teardown(self) -> None:
        try:
            if self.sound:
                self._everything_ends()
        finally:
            for run in self.runs.values():
                run.fiber.kill()
            shutil.rmtree(self.root, ignore_errors=True)

    # --- Words to Redis, each compared with the model

    def _now(self) -> State:
        """What is in Redis; read again only after somebody has been there."""
        if self.state is None:
            self.state = State.of(self.client)
        return self.state

    def _checked(self, client: redis.Redis, call: Call[T]) -> T:
        """As `protocol.run`, which it stands for: a point of whoever says it, and a check of what it does."""
        name = call.script.name
        Fiber.stand_still(name)
        before = self._now()
        expected_reply, expected = model.expected(before, call)
        answers: list[Any] = []
        calls.run(client, replace(call, read=answers.append))
        reply, self.state = model.normal(answers[0]), None
        after = self._now()
        assert expected_reply == reply, f"{name}{call.keys}{call.args} answered {reply}, not {expected_reply}"
        wrong = list(after.differences(expected))
        assert not wrong, f"{name}{call.keys}{call.args}: " + "; ".join(wrong)
        self.visited.add(f"{name} {str(reply)[:14] if name != 'observe' else ''}")
        self.last = call
        return call.read(answers[0])

    def _order(self, operator: Operator, make: Callable[..., Call[T]], **what: Any) -> T | None:
        """An operator's change; None if it was deposed."""
        try:
            return protocol.run(self.client, make(self.keys, fence=operator.fence, install_id=INSTALL, **what))
        except protocol.DeposedError as error:
            if operator is self.operators[self.leader]:  # nobody else leads: its next tenure is above what Redis holds
                operator.fence = error.seen + 1
            return None

    def _lead(self, index: int) -> None:
        operator = self.operators[index]
        operator.fence = max(one.fence for one in self.operators) + 1
        operator.seen.clear()
        self.leader = index
        self._order(operator, protocol.open_epoch, run_id=f"run-{self.run_id}")

    # --- The one rule

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        self.state, self.sound = None, False
        what = data.draw(st.sampled_from(self.happenings))
        job = self._some_job(data)
        match what:
            case "the leader has its turn":
                self._turn(self.operators[self.leader], job)
            case "the leader dies in its turn":
                self._turn(self.operators[self.leader], job, actions=data.draw(st.integers(0, 2)))
            case "the other operator has its turn":
                self._turn(self.operators[1 - self.leader], job)
            case "the other operator takes over":
                self._lead(1 - self.leader)
            case "half of all time passes":
                self._age()
            case "an answer is lost":
                self._say_it_again()
            case "heartbeats run out":
                self._silence(job)
            case "Redis is emptied":
                self._empty()
            case "a run loses a key":
                self._lose_of_a_run(data)
            case _ if what in LOSSES:
                self._lose(data, what)
            case _ if what.startswith("somebody"):
                self._use_the_job_manager(job, what)
            case _ if what.startswith("a user"):
                self._wish(self.objects[job], what)
            case _ if what.startswith("a message"):
                self._handle(data, what)
            case _:
                self._work(data, what)

    def _some_job(self, data: st.DataObject) -> str:
        """Mostly the first that is not over, so that much happens to it."""
        open_jobs = [job for job in JOBS if not self.objects[job].over]
        return data.draw(st.sampled_from([*open_jobs[:1] * 5, *JOBS]))

    # --- Redis

    def _age(self) -> None:
        """What nobody prolongs runs out sooner or later; here it comes halfway."""
        state = self._now()
        for key, ttl_ms in state.ttls.items():
            if ttl_ms is not None:
                self.client.pexpire(key, ttl_ms // 2)

    def _say_it_again(self) -> None:
        """The answer to the newest word was lost on its way, and redis-py says it again."""
        if self.last is None:
            return
        before = self._now()
        try:
            protocol.run(self.client, self.last)
        except protocol.ProtocolError:
            return
        after = self._now()
        assert after.values.keys() == before.values.keys(), f"{self.last.script.name} does more the second time"

    def _silence(self, job: str) -> None:
        """All who run it stand still for longer than the TTL of a heartbeat; they may go on later."""
        for key in self._now().values:
            if key.startswith(f"alive:{job}-"):
                self.client.delete(key)
        self.state = None

    def _empty(self) -> None:
        self.client.flushdb()
        self.state = None
        self.run_id += 1
        self.damaged |= set(JOBS)
        self.granted.clear()

    def _lose(self, data: st.DataObject, what: str) -> None:
        there = sorted(self._now().values)
        if not there:
            return
        if what == "some keys are lost":
            gone = sorted(data.draw(st.sets(st.sampled_from(there), min_size=1)))
        else:
            gone = [data.draw(st.sampled_from(there))]
        note(f"lost: {gone}")
        for key in gone:
            self._drop(key)
            if what == "a key holds nonsense":
                self.client.set(key, data.draw(st.sampled_from(["nonsense", "[]", "7", "x" * 70_000])), px=3_600_000)

    def _lose_of_a_run(self, data: st.DataObject) -> None:
        """And it is the first that notices."""
        if not self.runs:
            return
        run = self.runs[data.draw(st.sampled_from(sorted(self.runs)))]
        task, job, keys = run.message.task, run.message.job, self.keys
        its = [keys.claim(task), keys.record(job), keys.end(task), keys.alive(task), keys.stop(task), keys.cancel(job)]
        there = [key for key in its if key in self._now().values]
        if not there:
            return
        for key in data.draw(st.sampled_from([*([key] for key in there), there[:2]])):
            self._drop(key)
        if data.draw(st.booleans()):
            self._beat(run)
        else:
            self._advance(run, data.draw(st.sampled_from([1, 5, 100])))

    def _drop(self, key: str) -> None:
        self.client.delete(key)
        self.state = None
        self.damaged |= {job for job in JOBS if job in key} or set(JOBS)
        self.granted.pop(key.removeprefix("claim:"), None)

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

    def _use_the_job_manager(self, job: str, what: str) -> None:
        requested, confirmed = job_manager.cancel_pending(job), job_manager.is_job_cancelled(job)
        match what.split()[1]:
            case "requests":
                job_manager.request_cancellation(job)
                self.asked.add(job)
                assert job_manager.cancel_pending(job)
            case "confirms":
                assert job_manager.confirm_cancellation(job) is requested
                assert job_manager.is_job_cancelled(job) is (requested or confirmed)
                assert not job_manager.cancel_pending(job)
            case "clears":
                job_manager.clear_cancellation(job)
                self.damaged.add(job)  # as far as a cancel goes
                assert (job_manager.cancel_pending(job), job_manager.is_job_cancelled(job)) == (False, False)

    # --- Operators: each acts on what it saw at its last turn, and looks again

    def _turns(self, operator: Operator, job: str) -> None:
        for _ in range(3):  # look, act, and see what came of it
            self._turn(operator, job)
            self.what_is_promised_holds()

    def _turn(self, operator: Operator, job: str, *, actions: int | None = None) -> None:
        if job in operator.seen:
            self._act(operator, *operator.seen.pop(job), limit=actions)
        thing = self.objects[job]
        task = thing.job.task
        record = self._now().object(self.keys.record(job))
        if thing.deleted and record:
            task = TaskId(job, record["attempt"])  # of a record without an object, what it wants
        observed = protocol.run(self.client, protocol.observe(self.keys, [(job, task)]))
        operator.seen[job] = (thing.job, observed.jobs[0], observed.now)

    def _act(self, operator: Operator, job: Job, seen: ObservedJob, now: Any, *, limit: int | None) -> None:
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
            actions = (planned.Forget(job.attempt),)  # it was forgotten, or was never here, or Redis has lost it
        else:
            actions = plan_orphan(job.key.job_id, seen.record, observation, now, LIMITS)
        for action in actions[:limit]:
            self._carry_out(operator, job.key, action)
        if limit is None and not thing.deleted:
            thing.write(made.status)

    def _carry_out(self, operator: Operator, key: JobKey, action: planned.Action) -> None:
        job = key.job_id
        match action:
            case planned.PutRecord(attempt, queue):
                place = {"namespace": key.namespace, "name": key.name, "queue": queue}
                self._order(operator, protocol.put_record, job_id=job, attempt=attempt, **place)
            case planned.Dispatch(task):
                self.messages.append(Message(job, task.attempt))  # the broker knows no fences
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
                self._order(operator, protocol.force_end, task=task, end=End(outcome, reason, message))
            case planned.RequestStop(task, reason):
                self._order(operator, protocol.request_stop, task=task, reason=reason)
            case planned.DeleteFiles():
                self.messages.append(Message(job, 0))
            case planned.Forget(attempts):
                if self._order(operator, protocol.forget, job_id=job, attempts=attempts):
                    self.granted = {one: token for one, token in self.granted.items() if not one.startswith(f"{job}-")}
            case planned.DeleteObject():
                self.objects[job].deleted = True

    # --- Messages

    def _handle(self, data: st.DataObject, what: str) -> None:
        if not self.messages:
            return
        message = data.draw(st.sampled_from(self.messages))  # any of them: late is as good as in time
        match what:
            case "a message is doubled":
                self.messages.append(message)
            case "a message is lost":
                self.messages.remove(message)
            case "a message is taken":
                if len(self.runs) < len(WORKERS):
                    self.messages.remove(message)
                    self._take(message, fails=data.draw(st.sampled_from([False, False, True])))

    def _take(self, message: Message, *, fails: bool) -> None:
        if message.attempt == 0:
            cleanup.clean_up.run(message.job)
            self.outputs.pop(message.job, None)
            return
        self.deliveries += 1
        worker = next(name for name in WORKERS if name not in self.runs)

        def put_back() -> None:
            if message.tries < TRIES:
                self.messages.append(replace(message, tries=message.tries + 1))

        token = f"token-{self.deliveries}"
        self.runs[worker] = Run(message, token=token, worker=worker, fails=fails, put_back=put_back)
        self._advance(self.runs[worker], 1)

    # --- Workers

    def _work(self, data: st.DataObject, what: str) -> None:
        match what:
            case "a worker registers":
                said = {"queues": ("celery",), "models": ("plain",), "version": "1", "concurrency": 1}
                node = data.draw(st.sampled_from(WORKERS))
                protocol.run(self.client, protocol.register_worker(self.keys, node=node, **said))  # type: ignore[arg-type]
                protocol.run(self.client, protocol.live_workers(self.keys))
                return
            case "a worker goes":
                node = data.draw(st.sampled_from(WORKERS))
                protocol.run(self.client, protocol.unregister_worker(self.keys, node))
                return
            case "a worker drains":
                node, life = data.draw(st.sampled_from(WORKERS)), data.draw(st.sampled_from([LIFE, LIFE, "earlier"]))
                protocol.run(self.client, protocol.start_draining(self.keys, node, life, 0.0))
                protocol.run(self.client, protocol.live_workers(self.keys))
                return
        if not self.runs:
            return
        run = self.runs[data.draw(st.sampled_from(sorted(self.runs)))]
        match what:
            case "a run goes on":
                self._advance(run, data.draw(st.sampled_from([1, 1, 2, 3, 5, 8, 100])))
            case "a run beats":
                self._beat(run)
            case "a worker is killed":
                run.fiber.kill()
                self._gone(run)

    def _beat(self, run: Run) -> None:
        """Its other thread, while it stands still."""
        if run.heartbeat is not None:
            run.heartbeat.ask_now()
            held = self._now().object(self.keys.claim(run.message.task))
            if held and held["token"] == run.token:
                self.granted[run.message.task] = run.token  # it may have registered again

    def _advance(self, run: Run, points: int) -> None:
        for _ in range(points):
            claimed_before = run.heartbeat is not None
            run.fiber.go_on()
            self.visited.add(run.fiber.point)
            if not claimed_before and run.heartbeat is not None:
                self._begun(run)
            self._see_outputs(run)
            if run.fiber.over:
                self._gone(run)
                return

    def _begun(self, run: Run) -> None:
        task, job = run.message.task, run.message.job
        assert task not in self.granted, f"{task} was given to {self.granted[task]}, and then to {run.token}"
        self.granted[task] = run.token
        thing = self.objects[job]
        assert job in self.damaged or not thing.finished, (
            f"{task} begins, but its job has ended as {thing.status.phase}"
        )

    def _gone(self, run: Run) -> None:
        del self.runs[run.ownership.worker]

    def _see_outputs(self, run: Run) -> None:
        """What a run did to its job's output: nobody but who may touches it."""
        job = run.message.job
        token = self._sealed(job)
        if token is None and job in self.outputs:
            gone = self.outputs.pop(job)
            heard = run.heartbeat is not None and run.heartbeat.interruption is not None
            cancelled = heard or self.keys.cancel(job) in self._now().values
            assert cancelled, f"{run} took away the output of {gone}"
        elif token is not None:
            assert self.outputs.setdefault(job, token) == token, f"{run} replaced the output of {self.outputs[job]}"

    def _sealed(self, job: str) -> str | None:
        """Whose output lies there, complete."""
        manifest = publishing.read_sealed(job)
        return None if manifest is None else (file_handler.output_dir(job) / "model.glb").read_text()

    # --- What must hold after every step

    @invariant()
    def what_is_promised_holds(self) -> None:
        self.state = None
        state = self._now()
        for key, ttl_ms in state.ttls.items():
            assert ttl_ms is not None or key.startswith(FOR_EVER), f"{key} stays for ever"
        for job in JOBS:
            ends = self._ends(state, job)
            self._an_end_is_of_who_held_the_claim(state, ends)
            requested, confirmed = (key in state.values for key in (f"cancel_request:{job}", f"cancel:{job}"))
            assert job in self.damaged | self.asked or not (requested and confirmed), (
                f"{job} is requested and confirmed"
            )
            self._what_ended_stays_so(state, job, ends)
            self._a_success_has_its_output(job)
        self.sound = True

    def _ends(self, state: State, job: str) -> dict[str, dict[str, Any]]:
        found = ((key.removeprefix("end:"), state.object(key)) for key in state.values if key.startswith(f"end:{job}-"))
        return {task: end for task, end in found if end is not None}

    def _an_end_is_of_who_held_the_claim(self, state: State, ends: dict[str, dict[str, Any]]) -> None:
        for task, end in ends.items():
            claim = state.object(self.keys.claim(task))
            if claim is not None:
                assert end["token"] in (claim["token"], protocol.OPERATOR_TOKEN), (
                    f"{task} is {claim}'s, its end is {end}"
                )
            else:
                assert task.rpartition("-")[0] in self.damaged, f"{task} ended without a claim"

    def _what_ended_stays_so(self, state: State, job: str, ends: dict[str, dict[str, Any]]) -> None:
        if job in self.damaged:
            return
        counts = [task for task, end in ends.items() if end["outcome"] == Outcome.SUCCEEDED]
        assert len(counts) <= 1, f"{counts} all succeeded"
        final = [task for task, end in ends.items() if end["outcome"] in (Outcome.SUCCEEDED, Outcome.CANCELLED)]
        later = [task for task in self.granted if task.startswith(f"{job}-") and task > max(final, default="~")]
        assert not later, f"{later} began after {final}"
        thing = self.objects[job]
        confirmed = thing.spec.cancel_confirmed and f"cancel:{job}" in state.values
        if confirmed and not counts:
            self.asserted.add(job)
        assert not (job in self.asserted and counts), f"{counts} succeeded though the cancel was confirmed"

    def _a_success_has_its_output(self, job: str) -> None:
        thing = self.objects[job]
        if not thing.succeeded or thing.deleted:
            self.succeeded.pop(job, None)
            return
        token = self._sealed(job)
        assert token is not None, f"{job} has succeeded, and its output is gone"
        assert self.succeeded.setdefault(job, token) == token, f"the output of {job} changed after its end"

    # --- What must come about once nothing goes wrong any more

    def _everything_ends(self) -> None:
        """Every job ends; and once it is deleted, nothing is left of it."""
        for what in sorted(self.visited):
            event(what)
        target(float(len(self.visited)), label="different things that happened")
        for thing in self.objects.values():
            if thing.spec.suspend:
                self._wish(thing, "a user suspends or resumes")
        self._lead(1 - self.leader)
        self._until("every job has ended", lambda: all(thing.over for thing in self.objects.values()))
        self._round()  # of those that have just ended
        self._round()
        self._until("every cleanup is done", lambda: not self.messages and not self.runs)
        state = self._now()
        for job, thing in self.objects.items():
            assert f"cancel_request:{job}" not in state.values, f"a request is left of {job}, {thing.status.phase}"
            thing.deleted = True
        self._until("nothing is left of the jobs", self._nothing_is_left)

    def _nothing_is_left(self) -> bool:
        left = [key for key in self.client.keys("*") if any(job in key for job in JOBS) and self.client.pttl(key) < 0]
        recorded = self.client.smembers(self.keys.records(INSTALL))
        return not left and not recorded and not self.messages and not self.runs

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        """Fair turns for everybody until it holds."""
        for _ in range(ROUNDS):
            if holds():
                return
            self._round()
        seen = {job: (thing.status.phase, thing.deleted) for job, thing in self.objects.items()}
        state = self._now().values
        raise AssertionError(f"not within {ROUNDS} rounds: {what}; {seen}, {self.runs}, {self.messages}, {state}")

    def _round(self) -> None:
        leader = self.operators[self.leader]
        tokens = {run.token for run in self.runs.values()}
        for key, value in self._now().values.items():
            if key.startswith("alive:") and (not isinstance(value, dict) or value["token"] not in tokens):
                self.client.delete(key)  # of a worker that was killed
        self.state = None
        self._order(leader, protocol.index_records, job_ids=[job for job in JOBS if self.objects[job].job.sent])
        for job in JOBS:
            self._turn(leader, job)
        for message in list(dict.fromkeys(self.messages)):
            if len(self.runs) < len(WORKERS):
                self.messages.remove(message)
                self._take(message, fails=False)
        for run in list(self.runs.values()):
            self._beat(run)
            self._advance(run, 30)
        self.what_is_promised_holds()
