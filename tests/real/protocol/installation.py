"""Installation under test: two operators, three workers, a broker, a Redis, job folders, and users.

It offers every move, right or wrong; `machine` chooses, `promises` checks. Each operator acts on its last observation, however
old. The operators decide by the real plan and sweep by the real sweeper, and the workers run the real task.
"""

import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import redis
from reconstruction_operator import config
from reconstruction_operator.api.identity import JobKey, TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.controller.kube import installation as controller
from reconstruction_operator.controller.kube.history import History
from reconstruction_operator.controller.loop import actor
from reconstruction_operator.controller.loop.brake import Brake
from reconstruction_operator.controller.loop.inheritance import Inheritance
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.sweeper import Sweeper
from reconstruction_operator.controller.redis_view.observer import ObservedBatch, Subject
from reconstruction_operator.jobfiles import deletion, inventory, notes, publishing
from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning.plan import plan
from reconstruction_operator.planning.types import Job, Observation, Queue, Timing
from reconstruction_operator.services import file_handler, job_manager
from reconstruction_operator.state import calls, errors, operator_calls, reads, worker_calls
from reconstruction_operator.state.calls import Call, run
from reconstruction_operator.state.replies import Observed

from tests.real.protocol.fibers import Fiber
from tests.real.protocol.world import (
    INSTALL,
    NAMESPACE,
    Listing,
    Message,
    Object,
    Operator,
    Run,
    Snapshot,
    Watched,
    Worker,
)
from tests.support.protocol.foreign import NONSENSE_FIELDS, as_text
from tests.support.protocol.state import State, expected

WORKERS: Final = ("worker-1", "worker-2", "worker-3")
LONG_SECONDS: Final = 1e9
# The operator waits for nothing: what it may do after a while, it may do at once.
TIMING: Final = Timing(
    lost_after_seconds=0.0,
    epoch_grace_seconds=0.0,
    resend_seconds=0.0,
    backoff_seconds=0.0,
    backoff_max_seconds=0.0,
    cancel_ttl_seconds=config.CANCEL_TTL_SECONDS,
    progress_seconds=0.0,
)
WINDOW: Final = 2  # messages that may wait in the queue when an operator sends another one
TRIES: Final = 4  # of a message whose job has no record
NONSENSE_MS: Final = 3_600_000  # how long it stays

T = TypeVar("T")


class Installation:
    """With these jobs. `compared`: each script's answer and effect are compared with the model."""

    def __init__(self, client: redis.Redis, jobs: Sequence[str], *, compared: bool = True) -> None:
        self.client = client
        self.raw = redis.Redis.from_url(config.settings.REDIS_STATE_DB)  # which can read a dump
        self.keys = Keys(prefix="")
        self.jobs = tuple(jobs)
        self.objects = {job: Object(JobKey(NAMESPACE, job, job)) for job in jobs}
        self.operators = [self._operator(), self._operator()]
        self.leader = 0  # index; the other one may still believe that it is
        self.messages: list[Message] = []
        self.runs: dict[str, Run] = {}
        self.workers = {node: Worker() for node in WORKERS}
        self.root = Path(tempfile.mkdtemp(prefix="protocol-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.meshes = Path(tempfile.mkdtemp(prefix="meshes-", dir=self.root.parent))  # where the jobs' outputs go
        # The fixture restores the settings.
        config.use(replace(config.settings, JOBS_DIR=str(self.root), OUTPUT_ROOTS=(str(self.meshes),)))
        self.deliveries = 0
        self.run_id = 1
        self.last: Call[Any] | None = None  # since which nothing else has changed
        self.state: State | None = None
        self.visited: set[str] = set()
        # What has happened, as far as it decides which results are right.
        self.dropped: set[str] = set()  # keys that Redis has lost, one by one
        self.emptied = False
        self.asked: set[str] = set()  # jobs whose cancel the job manager requested, perhaps after it was confirmed
        self.cleared: set[str] = set()  # jobs whose cancel the job manager cleared, perhaps a confirmed one
        self.vanished: set[str] = set()  # jobs that have lost a folder
        self.granted: dict[str, str] = {}  # task -> token that was given the claim
        self._compared = compared
        self._budget: int | None = None  # how many actions an operator has left until it dies
        client.flushdb()
        calls.run = self.run  # type: ignore[assignment]  # the fixture puts it back
        calls.arun = self._run_by_sweeper  # type: ignore[assignment]

    def close(self) -> None:
        """End all runs, and delete all folders."""
        for each in self.runs.values():
            each.fiber.kill()
        self.raw.close()
        for folder in (self.root, self.meshes):
            shutil.rmtree(folder, ignore_errors=True)

    # --- Calls

    def now(self) -> State:
        """What Redis holds; read again only after a change that is no compared call."""
        if self.state is None:
            self.state = State.of(self.client)
        return self.state

    def run(self, client: redis.Redis, call: Call[T]) -> T:
        """Stands in for `calls.run`: a point of the run that makes the call, and a comparison with the model."""
        name = call.script.name
        Fiber.pause_at(name)
        if not self._compared:
            self.state = None
            return run(client, call)
        before = self.now()
        expected_reply, wanted = expected(before, call)
        answers: list[Any] = []
        run(client, replace(call, read=answers.append))
        reply, self.state = answers[0], None
        after = self.now()
        assert expected_reply == reply, f"{name}{call.keys}{call.args} answered {reply}, not {expected_reply}"
        wrong = list(after.differences(wanted))
        assert not wrong, f"{name}{call.keys}{call.args}: " + "; ".join(wrong)
        self.visited.add(f"{name} {str(reply)[:14] if name != 'observe' else ''}")
        self.last = call
        return call.read(answers[0])

    async def _run_by_sweeper(self, client: redis.Redis, call: Call[T]) -> T:
        return self.run(client, call)

    def order(self, operator: Operator, make: Callable[..., Call[T]], **what: Any) -> T | None:
        """An operator's change; None if it was deposed."""
        try:
            return calls.run(self.client, make(self.keys, fence=operator.fence, install_id=INSTALL, **what))
        except errors.DeposedError as error:
            self._meets_another(operator, error)
            return None

    def _meets_another(self, operator: Operator, error: errors.DeposedError) -> None:
        if operator is self.operators[self.leader]:  # it does lead: its next tenure is above the fence in Redis
            operator.fence = error.seen + 1

    def retry(self) -> None:
        """The answer to the newest call was lost, and redis-py retries it."""
        if self.last is None:
            return
        before = self.now()
        try:
            calls.run(self.client, self.last)
        except errors.ProtocolError:
            return
        after = self.now()
        assert after.values.keys() == before.values.keys(), f"{self.last.script.name} is not idempotent"

    # --- Faults of Redis

    def age(self) -> None:
        """Half of every TTL passes."""
        state = self.now()
        for key, ttl_ms in state.ttls.items():
            if ttl_ms is not None:
                self.client.pexpire(key, ttl_ms // 2)
        self.state = None

    def silence(self, job: str) -> None:
        """All its runs pause for longer than the TTL of a heartbeat; they may go on later."""
        for key in self.now().values:
            if key.startswith(f"alive:{job}-"):
                self.client.delete(key)
        self.state, self.last = None, None

    def empty(self) -> None:
        """Redis loses all data and starts again."""
        self.client.flushdb()
        self.state, self.last = None, None
        self.run_id += 1
        self.emptied = True
        self.granted.clear()

    def snapshot(self) -> Snapshot:
        """What Redis holds now."""
        dumps = {key: (self.raw.dump(key), max(0, self.raw.pttl(key))) for key in self.raw.keys("*")}
        return Snapshot(dumps, tuple(self.messages))

    def restore(self, snapshot: Snapshot, *, restarts: bool) -> None:
        """Redis gets data of before, by a restart, or without one if a leader has looked at it since; runs go on."""
        self.run_id += restarts
        if not restarts:
            self._check_epoch(self.operators[self.leader])
        self.client.flushdb()
        for key, (value, ttl_ms) in snapshot.values.items():
            self.raw.restore(key, ttl_ms, value)
        self.messages = list(snapshot.messages)
        for operator in self.operators:  # in another epoch, messages are looked for anew
            operator.seen = {
                job: (thing, replace(seen, missing=False, order_missing=False), at)
                for job, (thing, seen, at) in operator.seen.items()
            }
        self.state, self.last = None, None
        self.emptied = True
        self.granted.clear()

    def drop(self, key: str, nonsense: str | None = None) -> None:
        """The key is lost, or its value is replaced by nonsense."""
        self.client.delete(key)
        if nonsense == "fields":
            self.client.hset(key, mapping=NONSENSE_FIELDS)  # type: ignore[arg-type]  # as narrow as redis-py's annotation
            self.client.pexpire(key, NONSENSE_MS)
        elif nonsense is not None:
            self.client.set(key, nonsense, px=NONSENSE_MS)
        self.state, self.last = None, None
        self.dropped.add(key)
        self.granted.pop(key.removeprefix("claim:"), None)

    def turn_to_text(self, job: str) -> None:
        """The record becomes a text of the version before, as if an operator of that version had put it."""
        key = self.keys.record(job)
        state = self.now()
        record = state.fields(key)
        if record is not None:
            self.client.set(key, as_text(record))
            self.state, self.last = None, None

    def has_lost(self, job: str, *kinds: str) -> bool:
        """Whether Redis has lost such a key of the job, or of all of them, alone or with everything else."""
        others = [one for one in self.jobs if one != job]
        return self.emptied or any(
            key.startswith(kinds) and not any(one in key for one in others) for key in self.dropped
        )

    # --- Users

    def wish(self, thing: Object, what: str) -> None:
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
                self.delete(thing)

    def delete(self, thing: Object) -> None:
        """Both operators see the deletion."""
        if thing.deleted:
            return
        thing.deleted = True
        for operator in self.operators:
            operator.gone.append(thing.job)

    def use_the_job_manager(self, job: str, what: str) -> None:
        """A user calls the job manager."""
        self.state, self.last = None, None
        requested, confirmed = job_manager.cancel_pending(job), job_manager.is_job_cancelled(job)
        match what.split()[2]:
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
                self.cleared.add(job)
                assert (job_manager.cancel_pending(job), job_manager.is_job_cancelled(job)) == (False, False)

    # --- Operators: each acts on its last observation, and observes again

    def _operator(self) -> Operator:
        """An operator with the real sweeper and the real list of orphans."""
        operator = Operator()

        async def observe(subjects: Sequence[Subject]) -> ObservedBatch:
            looks = [self._look(operator, one.task) for one in subjects]
            seen = [operator.looked.get(one.task, new) for one, (new, _) in zip(subjects, looks, strict=True)]
            operator.looked |= {one.task: new for one, (new, _) in zip(subjects, looks, strict=True)}
            return ObservedBatch(looks[-1][1], tuple(seen))

        async def act(batch: Sequence[actor.JobActions], _fence: int) -> actor.ActResults:
            for one in batch:
                for action in one.actions:
                    self._carry_out(operator, one.key, action)
            return actor.ActResults()

        operator.orphans = Orphans(
            cast("Any", _With(observe=observe)),
            cast("Any", _With(act=act)),
            controller.Installation(INSTALL),
            timing=TIMING,
        )
        view = cast("Any", _With(state=self.client, keys=self.keys))
        operator.sweeper = Sweeper(
            cast("Any", Listing(self.objects)),
            view,
            cast("Any", Watched(self.objects)),
            operator.orphans,
            Brake(at_once=20, share=0.1, restore_hold_seconds=0.0),
            History(),
            Inheritance(view, controller.Installation(INSTALL), lambda _: False),
            election=cast("Any", operator),  # the sweeper asks for its fence
            installation=controller.Installation(INSTALL),
            sweep_seconds=0.0,
            list_seconds=0.0,
            monotonic=lambda: operator.monotonic,
        )
        return operator

    def lead(self, index: int) -> None:
        """This operator leads from now on; the other one may not know it."""
        operator = self.operators[index]
        operator.fence = max(one.fence for one in self.operators) + 1
        self._forget_all(operator)
        self.leader = index
        operator.timeline.learn(max(one.timeline.known for one in self.operators))  # by the Lease
        self._check_epoch(operator)

    def _check_epoch(self, operator: Operator) -> None:
        known = operator.timeline.known
        epoch = self.order(operator, operator_calls.open_epoch, run_id=f"run-{self.run_id}", known_looks=known)
        if epoch is not None:
            operator.run_id = self.run_id
            operator.timeline.went_back(epoch.looks, known)

    def _forget_all(self, operator: Operator) -> None:
        operator.seen.clear()
        operator.looked.clear()
        operator.gone.clear()
        operator.orphans.clear()

    def sweep(self, operator: Operator) -> None:
        """Sweep all records, and the folders that workers have reported."""
        try:
            at_once(operator.sweeper.sweep("period", operator.fence))
        except errors.DeposedError as error:
            self._meets_another(operator, error)

    def turn(self, operator: Operator, job: str, *, actions: int | None = None) -> None:
        """Act on the last observation of the job, and observe again. After `actions` it is killed and started again."""
        self._budget = actions
        if self.objects[job].deleted:
            operator.orphans.add_deleted(operator.gone, operator.monotonic)
            operator.gone.clear()
            operator.monotonic += LONG_SECONDS
            at_once(operator.orphans.round(operator.fence, operator.monotonic))
        else:
            if job in operator.seen:
                self._act(operator, *operator.seen.pop(job))
            self._see(operator, job)
        if actions is not None:
            self._forget_all(operator)
        self._budget = None

    def _see(self, operator: Operator, job: str) -> None:
        thing = self.objects[job]
        observed = self._observe(operator, thing.job.task)
        operator.seen[job] = (thing.job, self._observation(thing.job.task, observed.jobs[0]), observed.now)

    def _look(self, operator: Operator, task: TaskId) -> tuple[Observation, datetime]:
        observed = self._observe(operator, task)
        return self._observation(task, observed.jobs[0]), observed.now

    def _observe(self, operator: Operator, task: TaskId) -> Observed:
        """As the reconciler: if Redis has data of before, another epoch begins first."""
        if (
            operator.run_id != self.run_id
        ):  # checked every second, and nothing is concluded from a silence that is shorter
            self._check_epoch(operator)
        known = operator.timeline.known
        observed = calls.run(self.client, reads.observe(self.keys, [(task.job_id, task)]))
        if not operator.timeline.went_back(observed.looks, known):
            return observed
        self._check_epoch(operator)
        return calls.run(self.client, reads.observe(self.keys, [(task.job_id, task)]))

    def _observation(self, task: TaskId, seen: ObservedJob) -> Observation:
        return Observation.of(
            seen,
            silent_seconds=0.0 if seen.alive else LONG_SECONDS,
            queue=Queue(workers=1),
            missing=self._place(task) is None,
            order_missing=self._place(TaskId(task.job_id, 0)) is None,
        )

    def _place(self, task: TaskId) -> Message | Run | None:
        """Where a message of the attempt is: in the queue, or at a worker. Attempt 0 is the order to delete files."""
        waiting: Iterator[Message | Run] = (one for one in self.messages if one.task == str(task))
        taken = (run for run in self.runs.values() if run.message.task == str(task))
        return next(chain(waiting, taken), None)

    def _act(self, operator: Operator, job: Job, seen: Observation, now: datetime) -> None:
        """Carry out the plan for an observation, which may be old: another operator may lead by now."""
        thing = self.objects[job.key.job_id]
        made = plan(job, seen, now, TIMING, admitted=len(self.messages) < WINDOW)
        for action in made.actions:
            self._carry_out(operator, job.key, action)
        if self._budget is None and not thing.deleted:
            thing.write(made.status)

    def _carry_out(self, operator: Operator, key: JobKey, action: planned.Action) -> None:
        if self._budget is not None:
            if self._budget == 0:
                return  # it was killed
            self._budget -= 1
        job = key.job_id
        match action:
            case planned.Dispatch(task):
                self._dispatch(operator, task)
                self.order(operator, operator_calls.mark_sent, job_id=job, attempt=task.attempt)
            case planned.DeleteFiles():
                self.messages.append(Message(job, 0))
            case planned.TakeBack():
                self.messages = [one for one in self.messages if one.job != job]
            case planned.DeleteObject():
                self.delete(self.objects[job])
            case _:
                done = self.order(operator, operator_calls.for_action, action=action, job=key)
                if done and isinstance(action, planned.Forget):
                    self.granted = {one: token for one, token in self.granted.items() if not one.startswith(f"{job}-")}

    def _dispatch(self, operator: Operator, task: TaskId) -> None:
        """Send a message. The window holds, and nothing is sent that waits in the queue or that a worker has taken."""
        try:
            calls.run(self.client, operator_calls.assert_leader(self.keys, fence=operator.fence, install_id=INSTALL))
        except errors.DeposedError as error:  # the broker knows no fences
            self._meets_another(operator, error)
            return
        if operator is self.operators[self.leader]:  # the other one gets here only if Redis has lost the fence as well
            assert len(self.messages) < WINDOW, f"{task} was sent beyond the window: {self.messages}"
            there = self._place(task)
            assert there is None, f"{task} was sent again, and its message is {there}"
        self.messages.append(Message(task.job_id, task.attempt))

    # --- Workers

    def register(self, node: str, *, at_once: bool = True) -> None:
        """A worker registers, and reports the folders that it found: now, or at its next registration."""
        said = {"queues": ("celery",), "models": ("plain",), "version": "1", "concurrency": 1}
        epoch = calls.run(self.client, worker_calls.register_worker(self.keys, node=node, **said))  # type: ignore[arg-type]
        worker = self.workers[node]
        if epoch in ("", worker.reported):
            return
        if worker.found is None:
            worker.found = (epoch, list(notes.owners()))
        if at_once:
            seen_in, owners = worker.found
            inventory.report(self.client, self.keys, owners)
            deletion.finish_deletions()
            worker.reported, worker.found = seen_in, None

    def take(self, message: Message, *, fails: bool) -> Run:
        """A worker gets the message, and runs to its first point."""
        self.deliveries += 1
        worker = next(name for name in WORKERS if name not in self.runs)

        def put_back() -> None:
            if message.tries < TRIES:
                self.messages.append(replace(message, tries=message.tries + 1))

        run = Run(
            message,
            token=f"token-{self.deliveries}",
            worker=worker,
            fails=fails,
            output_uri=f"file://{self.meshes / message.job}",
            put_back=put_back,
        )
        self.runs[worker] = run
        self.advance(run, 1)
        return run

    def beat(self, run: Run) -> None:
        """A beat of its other thread, while the run is paused."""
        if run.heartbeat is not None:
            run.heartbeat.ask_now()
            held = self.now().fields(self.keys.claim(run.message.task))
            if held and held["token"] == run.token:
                self.granted[run.message.task] = run.token  # it may have registered again

    def advance(self, run: Run, points: int) -> None:
        """Run to its next points, or to its end."""
        for _ in range(points):
            self._step(run, run.fiber.go_on)
            if run.fiber.over:
                return

    def fail(self, run: Run, fault: OSError) -> None:
        """Its next change of a file fails."""
        self.visited.add(f"{fault.strerror} at {run.fiber.point}")
        self._step(run, lambda: run.fiber.fail(fault))

    def kill(self, run: Run) -> None:
        """Kill its process. Nothing is undone."""
        run.fiber.kill()
        del self.runs[run.ownership.worker]
        self.workers[run.ownership.worker] = Worker()  # the next one of that name begins anew

    def _step(self, run: Run, move: Callable[[], None]) -> None:
        claimed_before = run.heartbeat is not None
        move()
        self.visited.add(run.fiber.point)
        if not claimed_before and run.heartbeat is not None:
            self.begun(run)
        self.moved(run)
        if run.fiber.over:
            del self.runs[run.ownership.worker]

    def begun(self, run: Run) -> None:
        """A run has got its claim."""

    def moved(self, run: Run) -> None:
        """A run has reached its next point."""

    # --- Folders

    def sealed(self, job: str) -> str | None:
        """The token of the run whose output is published, if there is one."""
        manifest = publishing.read_sealed(job)
        return None if manifest is None else (file_handler.output_dir(job) / "model.glb").read_text()

    def delivered(self, job: str) -> str | None:
        """The token of the run whose copy is delivered, if there is one."""
        copy = self.meshes / job
        return (copy / "model.glb").read_text() if copy.exists() else None

    def files_of(self, job: str) -> list[Path]:
        """Files and folders of a job that could be lost."""
        folder = file_handler.job_dir(job)
        output = folder / "output"
        return [
            one for one in (output, output / "model.glb", *sorted(folder.glob("attempts/*")), folder) if one.exists()
        ]

    def lose_file(self, job: str, path: Path) -> None:
        """A file or folder of a job is deleted by hand."""
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        self.vanished.add(job)
        self.visited.add(f"{path.name if path.parent.name == job else path.parent.name} vanished")


class _With:
    """Stands in for a part of the operator, with these attributes and methods."""

    def __init__(self, **doings: Any) -> None:
        self.__dict__.update(doings)


def at_once(doing: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        doing.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    raise AssertionError("it waits")
