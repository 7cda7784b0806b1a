"""The Celery task `reconstruction.process`: between a message and an attempt, and between its end and Celery's states."""

from __future__ import annotations

import logging
import platform
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from celery import Task, shared_task
from celery.exceptions import Ignore
from redis.exceptions import RedisError

from reconstruction_operator import (
    celery_app,  # noqa: F401  # makes the application the one that `delay()` uses
    config,
)
from reconstruction_operator.api.identity import check_job_id
from reconstruction_operator.api.status import Inputs
from reconstruction_operator.broker import acknowledging
from reconstruction_operator.contract.envelope import Envelope, EnvelopeError
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import STEP_COUNT
from reconstruction_operator.services import file_handler
from reconstruction_operator.state.replies import BeatReply, ClaimReply, ClaimVerdict
from reconstruction_operator.worker.attempt import ending
from reconstruction_operator.worker.attempt.driver import Attempt, Order, Publish
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError, failure_of
from reconstruction_operator.worker.attempt.heartbeat import Heartbeat
from reconstruction_operator.worker.attempt.interruption import InterruptedRunError
from reconstruction_operator.worker.attempt.ownership import Ownership
from reconstruction_operator.worker.attempt.progress import ProgressSender
from reconstruction_operator.worker.attempt.steps import Reached

logger = logging.getLogger(__name__)

_NO_RECORD_PAUSES_SECONDS: Final = (2, 5, 10, 20)  # the record is written before the message: Redis has forgotten it
_CLAIM_PATIENCE_SECONDS: Final = 60.0  # the message came from Redis: an outage has just begun
_DIRECT_PATIENCE_SECONDS: Final = 30.0  # somebody waits at a prompt
_FLUSH_SECONDS: Final = 5.0
_DIRECT_FLUSH_SECONDS: Final = 1.0  # a direct call may have no result backend at all

_Result: TypeAlias = dict[str, Any]


@shared_task(  # type: ignore[untyped-decorator]
    bind=True, name="reconstruction.process", throws=(ReconstructionFailedError,), Request=acknowledging.REQUEST
)
def process_reconstruction(
    self: Task, job_id: str, model_type: str = "reconviagen", job: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Reconstruct a job: six steps, each reported as a PROGRESS state.

    `job` is an `api.envelope.Envelope` as JSON, which the operator sends; without it, photos are taken from
    `/jobs/{job_id}/input`. Works by `delay()`, by `apply()` and by a direct call alike, with nothing but Redis.

    Returns:
        {"status": "completed", "job_id", "output_path", "simulated", …}, {"status": "cancelled", "job_id"}, or
        {"status": "stopped", "job_id", "reason"}. In the last two cases the Celery state is REVOKED.

    Raises:
        ReconstructionFailedError: with a reason of `api.outcomes`.
        Ignore: the message is a duplicate or not wanted any more; no state is written.
        ValueError: the job id is not safe.

    """
    order = _order(self, check_job_id(job_id), model_type, job)
    ownership = Ownership(order.job_id, order.task_id, order.attempt, token=uuid.uuid4().hex, worker=order.worker)
    claim = _claim(self, ownership)
    if claim.verdict is ClaimVerdict.NO_RECORD:
        _put_back(self, order)
    if claim.verdict is not ClaimVerdict.CLAIMED:
        logger.info("attempt %s of job %s is dropped: %s", order.task_id, order.job_id, claim.verdict)
        raise Ignore
    first = BeatReply(owned=True, cancelled=claim.cancelled, stop=claim.stop)
    end, failure = _run(self, order, ownership, first)
    return _answer(self, order, end, failure)


def _order(task: Task, job_id: str, model_type: str, job: Mapping[str, Any] | None) -> Order:
    direct = task.request.called_directly or not task.request.id
    try:
        envelope = None if job is None else Envelope.from_json(job)
    except EnvelopeError as error:
        logger.error("message for job %s cannot be understood and is dropped: %s", job_id, error)  # noqa: TRY400
        raise Ignore from None
    return Order(
        job_id=job_id,
        # Without Celery there is no task id: a direct call makes up its own, and is nobody's duplicate.
        task_id=f"direct-{uuid.uuid4().hex}" if direct else task.request.id,
        model_type=model_type,
        envelope=envelope,
        worker=task.request.hostname or f"direct@{platform.node()}",
        traceparent=(envelope.traceparent if envelope is not None else "") or _header(task, "traceparent"),
    )


def _header(task: Task, name: str) -> str:
    """A header of the message, which somebody else's instrumentation may have set."""
    return str(getattr(task.request, name, None) or (task.request.headers or {}).get(name) or "")


def _in_worker(task: Task) -> bool:
    return not (task.request.called_directly or task.request.is_eager)


def _claim(task: Task, ownership: Ownership) -> ClaimReply:
    deadline = time.monotonic() + (_CLAIM_PATIENCE_SECONDS if _in_worker(task) else 0.0)
    while True:
        try:
            return ownership.claim()
        except RedisError as error:
            if time.monotonic() >= deadline:
                raise
            logger.warning("cannot claim %s yet: %s", ownership.task_id, error)
            time.sleep(1.0)


def _put_back(task: Task, order: Order) -> None:
    tries = task.request.retries or 0
    if _in_worker(task) and tries < len(_NO_RECORD_PAUSES_SECONDS):
        pause = _NO_RECORD_PAUSES_SECONDS[tries]
        logger.info("job %s has no record; its message comes back in %d s", order.job_id, pause)
        raise task.retry(countdown=pause, max_retries=len(_NO_RECORD_PAUSES_SECONDS))
    logger.warning("job %s has no record: its message is dropped after %d tries", order.job_id, tries + 1)
    raise Ignore


def _run(
    task: Task, order: Order, ownership: Ownership, first: BeatReply
) -> tuple[End | None, ReconstructionFailedError | None]:
    heartbeat = Heartbeat(
        beat=ownership.beat,
        cancelled=ownership.cancelled,
        every_seconds=config.settings.BEAT_SECONDS,
        drain_seconds=config.settings.DRAIN_SECONDS,
        first=first,
    )
    flush_seconds = _FLUSH_SECONDS if _in_worker(task) else _DIRECT_FLUSH_SECONDS
    patience_seconds = config.settings.VISIBILITY_TIMEOUT_SECONDS if _in_worker(task) else _DIRECT_PATIENCE_SECONDS
    with heartbeat, ProgressSender(_sender(task), flush_seconds=flush_seconds) as sender:
        attempt = Attempt(order, heartbeat, _publisher(order, sender))
        return carry_out(order, attempt, ownership, heartbeat, patience_seconds=patience_seconds)


def carry_out(
    order: Order, attempt: Attempt, ownership: Ownership, heartbeat: Heartbeat, *, patience_seconds: float
) -> tuple[End | None, ReconstructionFailedError | None]:
    """Runs the attempt and records its end; that end (None: it is somebody else's), and the failure if it failed."""
    begun = time.monotonic()
    failure: ReconstructionFailedError | None = None
    end: End | None
    try:
        try:
            end = attempt.run()
        except InterruptedRunError:
            raise
        except Exception as error:  # noqa: BLE001  # every failure becomes an end with a reason
            attempt.explain_vanished_files()
            heartbeat.check()
            failure = failure_of(error, file_handler.job_dir(order.job_id))
            end = ending.end_of_failure(failure, order.worker)
    except InterruptedRunError as error:
        where = ending.Where(attempt.reached, time.monotonic() - begun)
        end = ending.end_of_interruption(error.interruption, where, order.worker)
    if end is not None:
        end = ending.settle(end, ownership, heartbeat, patience_seconds=patience_seconds)
    attempt.clean_up(end)
    return end, failure


def _sender(task: Task) -> Callable[[Mapping[str, Any]], None]:
    request = task.request

    def send(meta: Mapping[str, Any]) -> None:
        # Celery keeps the current request by thread, and this is not the task's.
        task.request_stack.push(request)
        try:
            # Nor does Celery share its backend between threads. In this one it must not wait for Redis without end: what
            # it sent at last would overwrite the state of a run that is over.
            if not task.backend.thread_safe:
                task.backend.always_retry = False
            task.update_state(state="PROGRESS", meta=dict(meta))
        finally:
            task.request_stack.pop()

    return send


def _publisher(order: Order, sender: ProgressSender) -> Publish:
    started_at = time.time()

    def publish(reached: Reached, inputs: Inputs | None, keep: bool) -> None:
        meta = {
            "progress": reached.percent,
            "step": reached.step.name,
            "stepIndex": reached.step.index,
            "stepCount": STEP_COUNT,
            "fraction": round(reached.fraction, 4),
            "startedAt": started_at,
            "at": time.time(),
            "message": reached.message,
            "worker": order.worker,
            "attempt": order.attempt,
            "images": None if inputs is None else inputs.images,
            "bytes": None if inputs is None else inputs.bytes,
        }
        sender.offer(meta, keep=keep)

    return publish


def _answer(task: Task, order: Order, end: End | None, failure: ReconstructionFailedError | None) -> _Result:
    if end is None:
        raise Ignore
    match end.outcome:
        case Outcome.SUCCEEDED:
            return {
                "status": "completed",
                "job_id": order.job_id,
                "output_path": str(file_handler.output_dir(order.job_id)),
                "simulated": end.simulated,
                "quality": dict(end.quality),
                "files": [] if end.outputs is None else [one.name for one in end.outputs.files],
            }
        case Outcome.CANCELLED:
            _revoke(task, "cancelled")
            return {"status": "cancelled", "job_id": order.job_id}
        case Outcome.FAILED if failure is not None:
            raise failure from None
        case _:
            _revoke(task, end.reason.lower())
            return {"status": "stopped", "job_id": order.job_id, "reason": end.reason}


def _revoke(task: Task, why: str) -> None:
    """Makes REVOKED the state that stays: a task that merely sets it is overwritten with SUCCESS when it returns."""
    if not _in_worker(task):
        return
    try:
        task.backend.mark_as_revoked(task.request.id, why, request=task.request)
    except Exception as error:  # noqa: BLE001  # the end is recorded; this is the view of it
        logger.warning("the state REVOKED of %s could not be stored: %s", task.request.id, error)
    task.request.ignore_result = True
