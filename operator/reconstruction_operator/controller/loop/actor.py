"""Act: carry out what plans ask for, so that everything may be repeated without harm.

All changes of a batch are one round trip. Messages go out after the records that want them, and are noted as sent
after the broker has them: a crash in between sends one again, which its claim makes harmless.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, assert_never

import redis.asyncio
from redis.exceptions import RedisError

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.broker import dispatch
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import End
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.client import Api, ApiError
from reconstruction_operator.planning import actions as planned
from reconstruction_operator.planning.types import Job
from reconstruction_operator.state import calls, errors, operator_calls
from reconstruction_operator.telemetry import metrics, tracing

_log = logging.getLogger(__name__)

_GONE = 404


@dataclass(frozen=True, slots=True)
class Order:
    """The actions for one job. `key` names the object; `job` is it, unless it is gone (an orphaned record)."""

    key: JobKey
    job: Job | None
    attempt: int  # that the record wants
    actions: tuple[planned.Action, ...]


@dataclass
class Results:
    """What came of a batch of orders."""

    failed: dict[JobKey, str] = field(default_factory=dict)  # why; all of it is to be tried again
    changed: set[JobKey] = field(default_factory=set)  # look again at once: an action's answer decides what is next
    sent: dict[JobKey, str] = field(default_factory=dict)  # whose attempt's message went out, and to which queue
    ordered: list[str] = field(default_factory=list)  # queues to which an order to delete files went out


class Actor:
    """Carries out orders in the name of one leader."""

    def __init__(
        self, state: redis.asyncio.Redis, api: Api, dispatcher: dispatch.Dispatcher, *, keys: Keys, install_id: str
    ) -> None:
        self._state = state
        self._api = api
        self._dispatcher = dispatcher
        self._keys = keys
        self._install_id = install_id
        # kombu's connections are not for several threads: all that speaks to the broker happens in this one.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dispatch")

    def close(self) -> None:
        """Close the connection to the broker, and let the thread end."""
        self._thread.submit(self._dispatcher.close)
        self._thread.shutdown(wait=False)

    async def queue_lengths(self, queues: Sequence[str]) -> dict[str, int]:
        """How many messages wait in each queue; raises SendError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._dispatcher.queue_lengths, tuple(queues))

    async def act(self, orders: Sequence[Order], fence: int) -> Results:
        """Carry them out.

        Raises:
            DeposedError: a newer leader has been here.
            RedisError: Redis was not reached; any number of actions may have been carried out.

        """
        results = Results()
        await self._change(orders, fence, results)
        await self._send(orders, fence, results)
        for order in orders:
            if order.key not in results.failed and any(isinstance(one, planned.DeleteObject) for one in order.actions):
                await self._delete(order.key, results)
        return results

    async def _change(self, orders: Sequence[Order], fence: int, results: Results) -> None:
        pairs = [
            (order, action, call)
            for order in orders
            for action in order.actions
            if (call := self._call(order, action, fence)) is not None
        ]
        replies = await calls.arun_all(self._state, [call for _, _, call in pairs])
        for (order, action, call), reply in zip(pairs, replies, strict=True):
            if isinstance(reply, RedisError | errors.ProtocolError):
                results.failed[order.key] = f"{call.script.name}: {reply}"
            elif isinstance(action, planned.TakeClaim | planned.ForceEnd):
                results.changed.add(order.key)
                if isinstance(action, planned.ForceEnd) and action.reason == "WORKER_LOST":
                    metrics.LOST_WORKERS.inc()

    async def _send(self, orders: Sequence[Order], fence: int, results: Results) -> None:
        going = [
            (order, action)
            for order in orders
            if order.key not in results.failed
            for action in order.actions
            if isinstance(action, planned.Dispatch | planned.DeleteFiles)
        ]
        if not going:
            return
        messages = [message(order, action, install_id=self._install_id) for order, action in going]
        try:
            refused = await asyncio.get_running_loop().run_in_executor(self._thread, self._dispatcher.send, messages)
        except dispatch.SendError as error:
            metrics.DISPATCH_ERRORS.inc()
            results.failed.update({order.key: str(error) for order, _ in going})
            return
        if refused:
            metrics.DISPATCH_ERRORS.inc(len(refused))
            results.failed.update(
                {order.key: refused[action.queue] for order, action in going if action.queue in refused}
            )
            going = [(order, action) for order, action in going if action.queue not in refused]
        # The record knows when its job's newest message went out, of either kind: that keeps repetitions apart.
        common: dict[str, Any] = {"fence": fence, "install_id": self._install_id}
        notes = [
            operator_calls.mark_sent(self._keys, **common, job_id=order.key.job_id, attempt=order.attempt)
            for order, _ in going
        ]
        replies: list[RedisError | errors.ProtocolError | None] = await calls.arun_all(self._state, notes)
        for (order, action), reply in zip(going, replies, strict=True):
            if isinstance(action, planned.Dispatch):
                metrics.DISPATCHED.labels(action.queue, str(action.again).lower()).inc()
                results.sent[order.key] = action.queue
            else:
                results.ordered.append(action.queue)
            if isinstance(reply, RedisError | errors.ProtocolError):
                results.failed[order.key] = f"mark_sent: {reply}"

    async def _delete(self, key: JobKey, results: Results) -> None:
        options = {"preconditions": {"uid": key.uid}, "propagationPolicy": "Background"}
        try:
            await self._api.request("DELETE", objects.path(key), body=options)
        except ApiError as error:
            metrics.API_WRITES.labels("delete", "gone" if error.status == _GONE else "refused").inc()
            if error.status != _GONE:  # also a conflict: a server that is troubled answers so, and ours may be there
                results.failed[key] = f"the object could not be deleted: {error}"
        else:
            metrics.API_WRITES.labels("delete", "ok").inc()

    def _call(self, order: Order, action: planned.Action, fence: int) -> calls.Call[Any] | None:
        common: dict[str, Any] = {"fence": fence, "install_id": self._install_id}
        job_id = order.key.job_id
        match action:
            case planned.PutRecord(attempt=attempt, queue=queue):
                common |= {"namespace": order.key.namespace, "name": order.key.name}
                return operator_calls.put_record(self._keys, **common, job_id=job_id, attempt=attempt, queue=queue)
            case planned.RequestCancel():
                return operator_calls.request_cancel(self._keys, **common, job_id=job_id)
            case planned.WithdrawRequest():
                return operator_calls.withdraw_request(self._keys, **common, job_id=job_id)
            case planned.AssertCancelled():
                return operator_calls.assert_cancelled(self._keys, **common, job_id=job_id)
            case planned.ClearFlags():
                return operator_calls.clear_flags(self._keys, **common, job_id=job_id)
            case planned.TakeClaim(task=task):
                return operator_calls.take_claim(self._keys, **common, task=task, end=_end(action))
            case planned.ForceEnd(task=task):
                return operator_calls.force_end(self._keys, **common, task=task, end=_end(action))
            case planned.RequestStop(task=task, reason=reason):
                return operator_calls.request_stop(self._keys, **common, task=task, reason=reason)
            case planned.Forget(attempts=attempts):
                return operator_calls.forget(self._keys, **common, job_id=job_id, attempts=attempts)
            case planned.Dispatch() | planned.DeleteFiles() | planned.DeleteObject():
                return None
        assert_never(action)


def message(order: Order, action: planned.Dispatch | planned.DeleteFiles, *, install_id: str) -> dispatch.Message:
    """What a worker is sent: an attempt, or the order to delete files."""
    job_id = order.key.job_id
    if isinstance(action, planned.DeleteFiles):
        return dispatch.cleanup_message(job_id, queue=action.queue)
    if order.job is None:
        raise TypeError("a record without an object is never dispatched")
    spec = order.job.spec
    envelope = Envelope(
        install_id=install_id,
        namespace=order.key.namespace,
        name=order.key.name,
        attempt=action.task.attempt,
        input_uri=spec.input.uri,
        output_uri=spec.output.uri if spec.output else "",
        queue=spec.queue,
        parameters=spec.parameters,
        traceparent=str(tracing.of_job(job_id)) if tracing.enabled() else "",
    )
    return dispatch.Message(job_id, str(action.task), action.queue, spec.model_type, envelope)


def _end(action: planned.TakeClaim | planned.ForceEnd) -> End:
    return End(outcome=action.outcome, reason=action.reason, message=action.message)
