"""Actor: carries out the actions of plans. All of them are idempotent.

All changes of a batch are one round trip. Messages are sent after their records are written, and marked as sent after
the broker has them: a crash in between sends a message twice (at-least-once delivery), and the claim drops the second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import redis.asyncio
from redis.exceptions import RedisError

from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.broker import dispatch
from reconstruction_operator.broker.backlog import Backlog, BacklogReader, FoundMessages
from reconstruction_operator.contract.attempt import Orders
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller import transition_log
from reconstruction_operator.controller.kube.namespaces import Namespaces
from reconstruction_operator.kube import parsing, paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning.quotas import NO_QUOTAS, Quotas, limit_of
from reconstruction_operator.planning.types import Job
from reconstruction_operator.state import calls, operator_calls
from reconstruction_operator.telemetry import metrics, tracing


@dataclass(frozen=True, slots=True)
class JobActions:
    """The actions for one job. `job` is None if the object was deleted (an orphaned record)."""

    attempt: AttemptRef  # the attempt that the record wants
    job: Job | None
    actions: tuple[planned.Action, ...]

    @property
    def key(self) -> JobRef:
        """The key of the job."""
        return self.attempt.job


@dataclass
class ActResults:
    """The results of a batch of actions."""

    failed: dict[JobRef, str] = field(default_factory=dict)  # by job, the reason: all its actions have to be retried
    changed: set[JobRef] = field(default_factory=set)  # to be planned again at once
    sent: dict[JobRef, planned.Dispatch] = field(default_factory=dict)  # jobs whose attempt's message was sent
    ordered: dict[JobRef, str] = field(default_factory=dict)  # queues of orders to delete files, by job


@dataclass(eq=False)
class Actor:
    """Acts on Redis, the broker and the API server."""

    state: redis.asyncio.Redis
    api: Api
    dispatcher: dispatch.Dispatcher
    backlog: BacklogReader
    keys: Keys
    install_id: str
    namespaces: Namespaces
    quotas: Quotas = NO_QUOTAS
    # kombu's connections are not thread-safe, so only this thread uses the broker. A read therefore sees all messages
    # sent before it.
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "dispatch"), init=False)

    def close(self) -> None:
        """Close the connections to the broker, and end the thread."""
        self._thread.submit(self.dispatcher.close)
        self._thread.submit(self.backlog.close)
        self._thread.shutdown(wait=False)

    async def measure(self, queues: Collection[str]) -> Backlog:
        """Measure the backlog of these queues; raises RedisError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.backlog.measure, queues)

    async def search(self, queues: Collection[str]) -> Mapping[str, FoundMessages]:
        """Find the tasks whose messages are in these queues or at a worker; raises RedisError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.backlog.search, queues)

    async def act(self, batch: Sequence[JobActions], fence: int) -> ActResults:
        """Carry out the actions of these jobs.

        Raises:
            DeposedError: a newer leader has written to Redis.
            RedisError: Redis was not reached; any of the actions may have been carried out.

        """
        results = ActResults()
        expired = [
            job
            for job in batch
            if any(isinstance(action, planned.DeleteFiles) and action.expired for action in job.actions)
        ]
        await asyncio.gather(*(self._confirm_expiry(job, results) for job in expired))
        batch = [job for job in batch if job.key not in results.failed]
        await self._take_back(batch)  # before the job's keys are deleted
        leader: operator_calls.Leader = {"fence": fence, "install_id": self.install_id}
        leads = await self._change(batch, leader, results)
        await self._send(batch, leader, results, leads=leads)
        for job in batch:
            if job.key not in results.failed and any(
                isinstance(action, planned.DeleteObject) for action in job.actions
            ):
                await self._delete(job, results)
        return results

    async def _confirm_expiry(self, actions: JobActions, results: ActResults) -> None:
        """Read each object again before its files are deleted (as for batch/v1): its time to live may just have been
        edited.
        """
        try:
            body = await self.api.get(paths.of(actions.key))
        except ApiError as error:
            results.failed[actions.key] = f"the object could not be read: {error}"
            return
        expected = (actions.key, actions.job.version if actions.job else 0)
        if (parsing.key_of(body), parsing.version_of(body)) != expected:
            results.failed[actions.key] = "the object has changed"

    async def _take_back(self, batch: Sequence[JobActions]) -> None:
        actions = [action for job in batch for action in job.actions if isinstance(action, planned.TakeBack)]
        if not actions:
            return
        ids: dict[str, set[str]] = {}
        for action in actions:
            task = action.task
            ids.setdefault(task.queue, set()).update((task.task_id, dispatch.cleanup_id(task.job_id)))
        await asyncio.get_running_loop().run_in_executor(self._thread, self.backlog.remove, ids)

    async def _change(self, batch: Sequence[JobActions], leader: operator_calls.Leader, results: ActResults) -> bool:
        """Change the jobs' keys in Redis. Return whether Redis has just accepted our fencing token."""
        pairs = [
            (job, action, call)
            for job in batch
            for action in job.actions
            if (call := operator_calls.for_action(self.keys, action, job.key, **leader)) is not None
        ]
        replies = await calls.arun_all(self.state, [call for _, _, call in pairs])
        leads = False
        for (job, action, call), reply in zip(pairs, replies, strict=True):
            if isinstance(reply, RedisError | calls.ProtocolError):
                results.failed[job.key] = f"{call.script.name}: {reply}"
                continue
            leads = True
            if isinstance(action, planned.ReturnLeg):
                results.changed.add(job.key)
            if isinstance(action, planned.EndAttempt):
                results.changed.add(job.key)
                if action.reason == "WORKER_LOST":
                    metrics.LOST_WORKERS.inc()
        return leads

    async def _send(
        self, batch: Sequence[JobActions], leader: operator_calls.Leader, results: ActResults, *, leads: bool
    ) -> None:
        going = [
            (job, action)
            for job in batch
            if job.key not in results.failed
            for action in job.actions
            if isinstance(action, planned.Dispatch | planned.DeleteFiles)
        ]
        if not going:
            return
        uids = await self.namespaces.uids(job.key for job, action in going if isinstance(action, planned.Dispatch))
        errors = {name: uid for name, uid in uids.items() if isinstance(uid, ApiError)}
        for job, action in going:
            if isinstance(action, planned.Dispatch) and job.key.namespace in errors:
                results.failed[job.key] = f"its namespace could not be read: {errors[job.key.namespace]}"
        going = [(job, action) for job, action in going if job.key not in results.failed]
        if not going:
            return
        messages = [
            message(
                job,
                action,
                install_id=self.install_id,
                namespace_uid=str(uids.get(job.key.namespace, "")),
                most_workers=limit_of(self.quotas.running, job.key.namespace),
            )
            for job, action in going
        ]
        # The broker checks no fencing token: a leader that was deposed meanwhile must not send messages beside its
        # successor.
        if not leads:
            await calls.arun(self.state, operator_calls.assert_leader(self.keys, **leader))
        try:
            refused = await asyncio.get_running_loop().run_in_executor(self._thread, self.dispatcher.send, messages)
        except dispatch.SendError as error:
            metrics.DISPATCH_ERRORS.inc()
            results.failed.update({job.key: str(error) for job, _ in going})
            return
        if refused:
            metrics.DISPATCH_ERRORS.inc(len(refused))
            unsent = [(job, message.queue) for (job, _), message in zip(going, messages, strict=True)]
            results.failed.update({job.key: refused[queue] for job, queue in unsent if queue in refused})
            going = [(job, action) for job, action in going if job.key not in results.failed]
        # `sent_at` covers both kinds of message, so that resends are spaced.
        marks = [
            operator_calls.mark_sent(
                self.keys,
                job.attempt,
                is_order=isinstance(action, planned.DeleteFiles),
                leg=_leg_number(action),
                **leader,
            )
            for job, action in going
        ]
        replies: list[RedisError | calls.ProtocolError | None] = await calls.arun_all(self.state, marks)
        for (job, action), reply in zip(going, replies, strict=True):
            if isinstance(action, planned.Dispatch):
                results.sent[job.key] = action
            else:
                results.ordered[job.key] = action.queue
            if isinstance(reply, RedisError | calls.ProtocolError):
                results.failed[job.key] = f"mark_sent: {reply}"

    async def _delete(self, actions: JobActions, results: ActResults) -> None:
        key, version = actions.key, actions.job.version if actions.job else 0
        preconditions = {"uid": key.uid, "resourceVersion": str(version)}
        options = {"preconditions": preconditions, "propagationPolicy": "Background"}
        try:
            await self.api.request("DELETE", paths.of(key), body=options)
        except ApiError as error:
            gone = error.status == HTTPStatus.NOT_FOUND
            metrics.API_WRITES.labels("delete", "gone" if gone else "refused").inc()
            if not gone:  # conflicts too: an overloaded server returns them while the object still exists
                results.failed[key] = f"the object could not be deleted: {error}"
        else:
            metrics.API_WRITES.labels("delete", "ok").inc()
            transition_log.log_step(key, "Expired", "Its time to live has expired: the object is deleted")


def message(
    actions: JobActions,
    action: planned.Dispatch | planned.DeleteFiles,
    *,
    install_id: str,
    namespace_uid: str,
    most_workers: int | None = None,
) -> dispatch.Message | dispatch.CleanUp:
    """Make the message to a worker: an attempt, or the order to delete files.

    `most_workers`: how many the quota of the namespace allows for the job; None: any number.
    """
    if isinstance(action, planned.DeleteFiles):
        return dispatch.CleanUp(replace(actions.attempt, queue=action.queue), action.retain_seconds)
    if actions.job is None:
        raise TypeError("a record without an object is never dispatched")
    spec = actions.job.spec
    job = replace(action.task.job, install_id=install_id, namespace_uid=namespace_uid)
    envelope = Envelope(
        attempt=replace(action.task, job=job),
        input_uri=spec.input.uri,
        output_uri=spec.output.uri if spec.output else "",
        parameters=spec.parameters,
        traceparent=str(tracing.of_job(job.uid)) if tracing.enabled() else "",
        orders=Orders(
            retain_seconds=action.retain_seconds,
            last=actions.job.status.failures >= spec.backoff_limit,
            reuse=spec.reuse,
            legs=action.legs,
            parts=spec.parts if most_workers is None or spec.parts is None else max(1, min(spec.parts, most_workers)),
        ),
    )
    return dispatch.Message(envelope, spec.model_type)


def _leg_number(action: planned.Dispatch | planned.DeleteFiles) -> int:
    return action.legs.number if isinstance(action, planned.Dispatch) and action.legs is not None else 0
