"""Operators under test, and the queue and the objects that they see.

Each acts on its last observation, and observes again.
"""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeVar, cast

import redis
from reconstruction_operator import config
from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.api.status import Status
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.controller.entry import Entry, Subject
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop import actor
from reconstruction_operator.controller.loop.brake import Brake
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.releases import Releases
from reconstruction_operator.controller.loop.sweeper import Sweeper
from reconstruction_operator.controller.redis_view.observer import ObservedBatch
from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning.types import Job, Observation, Timing
from reconstruction_operator.state import calls, operator_calls, reads
from reconstruction_operator.state.calls import Call
from reconstruction_operator.state.replies import Observed

from tests.real.protocol.lossy_redis import LossyRedis
from tests.real.protocol.world import INSTALL, NAMESPACE, Listing, Message, Object, Operator, Run, Snapshot, Watched
from tests.support.plans import plan

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
    stage_queue_patience_seconds=LONG_SECONDS,  # for ever: what returns a leg has tests of its own
)
WINDOW: Final = 2  # messages that may wait in the queue when an operator sends another one

T = TypeVar("T")


class Operators(LossyRedis):
    """Two operators, by the real plan and the real sweeper."""

    def __init__(self, client: redis.Redis, jobs: Sequence[str]) -> None:
        super().__init__(client, jobs)
        self.objects = {job: Object(JobRef(NAMESPACE, job, job)) for job in jobs}
        self.operators = [self._operator(), self._operator()]
        self.leader = 0  # index; the other operator may still act as the leader
        self.messages: list[Message] = []
        self.runs: dict[str, Run] = {}  # by worker
        self._budget: int | None = None  # how many steps an operator has left until it dies
        self._planned_from = Status()  # the status, perhaps an old one, from which the current plan was made
        self.unmarked: set[str] = set()  # sent by an operator that died before it noted that
        self.stray: set[str] = set()  # sent by the other operator, as Redis had lost the fence

    def order(self, operator: Operator, make: Callable[..., Call[T]], **what: Any) -> T | None:
        """An operator's change; None if it was deposed."""
        try:
            return calls.run(self.client, make(self.keys, fence=operator.fence, install_id=INSTALL, **what))
        except calls.DeposedError as error:
            self._meets_another(operator, error)
            return None

    def _meets_another(self, operator: Operator, error: calls.DeposedError) -> None:
        if operator is self.operators[self.leader]:  # it does lead: its next tenure is above the fence in Redis
            operator.fence = error.seen + 1

    def snapshot(self) -> Snapshot:
        """What Redis holds now."""
        keys = self.raw.keys("*")
        pipeline = self.raw.pipeline(transaction=False)
        for key in keys:
            pipeline.dump(key).pttl(key)
        replies = pipeline.execute()
        values = {
            key: (dump, max(0, ttl_ms)) for key, dump, ttl_ms in zip(keys, replies[::2], replies[1::2], strict=True)
        }
        return Snapshot(values, tuple(self.messages))

    def restore(self, snapshot: Snapshot, *, restarts: bool) -> None:
        """Redis gets older data, by a restart, or without one if a leader has looked at it since; runs continue."""
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
        self.ended.clear()

    def delete(self, thing: Object) -> None:
        """Both operators see the deletion."""
        if thing.deleted:
            return
        thing.deleted = True
        for operator in self.operators:
            operator.gone.append(Entry(thing.job))

    def _operator(self) -> Operator:
        """An operator with the real sweeper and the real list of orphans."""
        operator = Operator()

        async def observe(attempts: Sequence[tuple[Subject, AttemptRef]]) -> ObservedBatch:
            looks = [self._look(operator, task) for _, task in attempts]
            seen = [operator.looked.get(task.task_id, new) for (_, task), (new, _) in zip(attempts, looks, strict=True)]
            operator.looked |= {task.task_id: new for (_, task), (new, _) in zip(attempts, looks, strict=True)}
            return ObservedBatch(looks[-1][1], tuple(seen))

        async def act(batch: Sequence[actor.JobActions], _fence: int) -> actor.ActResults:
            for entry in batch:
                for action in entry.actions:
                    self._carry_out(operator, entry.key, action)
            return actor.ActResults()

        operator.orphans = Orphans(
            cast("Any", _With(observe=observe)), cast("Any", _With(act=act)), Installation(INSTALL), timing=TIMING
        )
        view = cast("Any", _With(state=self.client, keys=self.keys))
        brake = Brake(at_once=20, share=0.1)
        operator.sweeper = Sweeper(
            cast("Any", Listing(self.objects)),
            view,
            cast("Any", Watched(self.objects)),
            operator.orphans,
            brake,
            Releases(view, brake, INSTALL),
            election=cast("Any", operator),  # the sweeper asks for its fence
            installation=Installation(INSTALL),
            sweep_seconds=0.0,
            list_seconds=0.0,
            details_seconds=0.0,
            monotonic=lambda: operator.monotonic,
        )
        return operator

    def lead(self, index: int) -> None:
        """This operator leads from now on; the other one may not know it."""
        operator = self.operators[index]
        operator.fence = max(operator.fence for operator in self.operators) + 1
        self._forget_all(operator)
        self.leader = index
        operator.timeline.learn(max(operator.timeline.known for operator in self.operators))  # by the Lease
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
        except calls.DeposedError as error:
            self._meets_another(operator, error)

    def turn(self, operator: Operator, job: str, *, actions: int | None = None, writes: bool = True) -> None:
        """Act on the last observation of the job, and observe again.

        After `actions` steps the operator is killed and started again, before it writes the status. Without `writes`
        the API server does not store the status.
        """
        self._budget = actions
        if self.objects[job].deleted:
            operator.orphans.add_deleted(operator.gone, operator.monotonic)
            operator.gone.clear()
            operator.monotonic += LONG_SECONDS
            at_once(operator.orphans.round(operator.fence, operator.monotonic))
        else:
            if job in operator.seen:
                self._act(operator, *operator.seen.pop(job), writes=writes)
            self._see(operator, job)
        if actions is not None:
            self._forget_all(operator)
        self._budget = None

    def _see(self, operator: Operator, job: str) -> None:
        thing = self.objects[job]
        observed = self._observe(operator, thing.job.task)
        operator.seen[job] = (thing.job, self._observation(thing.job.task, observed.jobs[0]), observed.now)

    def _look(self, operator: Operator, task: AttemptRef) -> tuple[Observation, datetime]:
        observed = self._observe(operator, task)
        return self._observation(task, observed.jobs[0]), observed.now

    def _observe(self, operator: Operator, task: AttemptRef) -> Observed:
        """As the reconciler: if Redis has older data, another epoch begins first."""
        if (
            operator.run_id != self.run_id
        ):  # checked every second, and nothing is concluded from a silence that is shorter
            self._check_epoch(operator)
        known = operator.timeline.known
        observed = calls.run(self.client, reads.observe(self.keys, [(task.job_id, task.number)]))
        if not operator.timeline.went_back(observed.looks, known):
            return observed
        self._check_epoch(operator)
        return calls.run(self.client, reads.observe(self.keys, [(task.job_id, task.number)]))

    def _observation(self, task: AttemptRef, seen: ObservedJob) -> Observation:
        return Observation(
            seen,
            silent_seconds=0.0 if seen.alive else LONG_SECONDS,
            workers=1,
            missing=self._place(task.task_id, seen.record.leg if seen.record else None) is None,
            order_missing=self._place(Message(task.job_id, 0).task) is None,
        )

    def _place(self, task: str, leg: Leg | None = None) -> Message | Run | None:
        """Where a message of the leg is: in the queue, or at a worker. Attempt 0 is the order to delete files."""
        waiting: Iterator[Message | Run] = (
            message for message in self.messages if (message.task, message.leg) == (task, leg)
        )
        taken = (run for run in self.runs.values() if (run.message.task, run.message.leg) == (task, leg))
        return next(chain(waiting, taken), None)

    def _act(self, operator: Operator, job: Job, seen: Observation, now: datetime, *, writes: bool) -> None:
        """Carry out the plan for an observation, which may be old: another operator may lead by now."""
        thing = self.objects[job.key.job_id]
        self._planned_from = job.status
        decided = plan(job, seen, now, TIMING, admitted=len(self.messages) < WINDOW)
        for action in decided.actions:
            self._carry_out(operator, job.key, action)
        if self._budget is None and writes and not thing.deleted:
            thing.write(decided.status)

    def _carry_out(self, operator: Operator, key: JobRef, action: planned.Action) -> None:
        if not self._lives_on():
            return
        job = key.job_id
        match action:
            case planned.Dispatch(task, legs=legs):
                following = Leg(legs.number, task.queue, legs.stage) if legs and legs.number else None
                self._dispatch(operator, task, following)
                if self._lives_on():
                    number = following.number if following else 0
                    self.order(operator, operator_calls.mark_sent, attempt=task, leg=number)
                else:
                    self.unmarked.add(task.task_id)
            case planned.DeleteFiles():
                self.messages.append(Message(job, 0))
            case planned.TakeBack():
                self.messages = [message for message in self.messages if message.job != job]
            case planned.DeleteObject():
                self.delete(self.objects[job])
            case _:
                done = self.order(operator, operator_calls.for_action, action=action, job=key)
                if done and isinstance(action, planned.Forget):
                    self.granted = {
                        granted: token for granted, token in self.granted.items() if not granted.startswith(f"{job}-")
                    }
                    self.ended = {task: end for task, end in self.ended.items() if not task.startswith(f"{job}-")}

    def _lives_on(self) -> bool:
        """Whether the operator is not killed before its next step."""
        if self._budget is None:
            return True
        self._budget -= 1
        return self._budget >= 0

    def _dispatch(self, operator: Operator, task: AttemptRef, leg: Leg | None) -> None:
        """Send a message. The window holds, and nothing is sent that waits in the queue or that a worker has taken."""
        try:
            calls.run(self.client, operator_calls.assert_leader(self.keys, fence=operator.fence, install_id=INSTALL))
        except calls.DeposedError as error:  # the broker knows no fences
            self._meets_another(operator, error)
            return
        if operator is self.operators[self.leader]:  # the other one gets here only if Redis has lost the fence as well
            assert len(self.messages) < WINDOW, f"{task} was sent beyond the window: {self.messages}"
            there = self._place(task.task_id, leg)
            excused = task.task_id in self.stray or self._forgot(task, leg)
            assert there is None or excused, f"{task} was sent again, and its message is {there}"
        else:
            self.stray.add(task.task_id)
        self.messages.append(Message(task.job_id, task.number, leg=leg))

    def _forgot(self, task: AttemptRef, leg: Leg | None) -> bool:
        """Whether neither status nor record showed that the attempt was sent; of a leg, only the record can.

        A second message is harmless: the claim drops it.
        """
        status = self._planned_from
        is_stored = leg is None and status.attempt == task.number and status.dispatch_time is not None
        return not is_stored and (task.task_id in self.unmarked or self.emptied)


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
