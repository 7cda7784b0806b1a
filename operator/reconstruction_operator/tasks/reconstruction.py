"""The Celery task `reconstruction.process`: parses the message, calls the attempt driver and translates the end to
Celery's states.
"""

from __future__ import annotations

import logging
import platform
import uuid
from collections.abc import Mapping
from typing import Any, Final

from celery import Task, shared_task
from celery.exceptions import Ignore, Reject
from celery.signals import task_postrun

from reconstruction_operator import (
    celery_app,  # noqa: F401  # makes the application the one that `delay()` uses
    config,
)
from reconstruction_operator.api.identity import check_job_id
from reconstruction_operator.broker import acknowledging, celery_settings, dispatch, reporting
from reconstruction_operator.contract import pools
from reconstruction_operator.contract.envelope import Envelope, EnvelopeError, PartOrder
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.services import file_handler
from reconstruction_operator.state.replies import ClaimCode
from reconstruction_operator.telemetry import logs
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.driver import Conclusion, NotClaimedError, Patience, drive
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError
from reconstruction_operator.worker.attempt.progress import Meta, Send
from reconstruction_operator.worker.parts.sharing import SendOrder

logger = logging.getLogger(__name__)

_RESULT_CHARS: Final = 64  # of a result in Celery's log line, which is slow to format: enough for status and job
_GIVEN_BACK: Final = {
    "DRAINED": "this worker shuts down",
    "WORKER_EXHAUSTED": "this worker can start no thread or process",
}
# Redis has lost the record, which the operator writes before the message.
_NO_RECORD_PAUSES_SECONDS: Final = (2, 5, 10, 20)


@shared_task(  # type: ignore[untyped-decorator]
    bind=True,
    name="reconstruction.process",
    throws=(ReconstructionFailedError,),
    Request=acknowledging.REQUEST,
    resultrepr_maxsize=_RESULT_CHARS,
)
def process_reconstruction(
    self: Task, job_id: str, model_type: str = "reconviagen", job: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Reconstruct a job: six steps, each reported as a PROGRESS state.

    `job` is a `contract.envelope.Envelope` as JSON, which the operator sends. Without it, photos are taken from
    `/jobs/{job_id}/input`. Works by `delay()`, by `apply()` and by a direct call alike, and needs only Redis.

    Returns:
        {"status": "completed", "job_id", "output_path", "simulated", …}, {"status": "cancelled", "job_id"}, or
        {"status": "stopped", "job_id", "reason"}. In the last two cases a worker stores the state REVOKED instead.

    Raises:
        ReconstructionFailedError: with a reason of `contract.outcomes`.
        Ignore: the message is a duplicate or no longer wanted, so no state is written; or the state REVOKED is written.
        Reject: the worker shuts down or can start no thread; the message of a bare task, which no operator would
            repeat, is requeued.
        ValueError: the job id is unsafe.
    """
    assignment = _assignment(self, check_job_id(job_id), model_type, job)
    if _in_worker(self):
        logs.begin(**assignment.log_fields)
    with logs.about(**assignment.log_fields):
        try:
            conclusion = drive(assignment, _sender(self), _patience(self), _orderer(self))
        except NotClaimedError as error:
            if error.code is ClaimCode.NO_RECORD:
                _requeue(self, assignment)
            why = {"reason": error.code.value}
            logger.info(
                "%s: the message of task %s is dropped: %s",
                assignment.job,
                assignment.attempt.task_id,
                error,
                extra=why,
            )
            raise Ignore from None
        if conclusion.progress is not None:
            _report_again(self, conclusion.progress)
        reason = "" if conclusion.end is None else conclusion.end.reason
        if assignment.attempt.is_bare and _in_worker(self) and reason in _GIVEN_BACK:
            logger.info("%s is requeued: %s", assignment.job, _GIVEN_BACK[reason])
            raise Reject(reason.lower(), requeue=True)
        return _answer(self, job_id, conclusion)


@task_postrun.connect  # type: ignore[untyped-decorator]
def _end_lines(**_: object) -> None:
    logs.end()


def _assignment(task: Task, job_id: str, model_type: str, job: Mapping[str, Any] | None) -> Assignment:
    direct = task.request.called_directly or not task.request.id
    try:
        # A direct call has no task id. A random one is unique.
        task_id = f"direct-{uuid.uuid4().hex}" if direct else task.request.id
        envelope = Envelope.bare(job_id, task_id) if job is None else Envelope.from_json(job, job_id)
    except EnvelopeError as error:
        logger.error("message for job %s cannot be understood and is dropped: %s", job_id, error)  # noqa: TRY400
        raise Ignore from None
    return Assignment(
        envelope=envelope,
        model_type=model_type,
        worker=task.request.hostname or f"direct@{platform.node()}",
        traceparent=envelope.traceparent or dispatch.header(task, "traceparent"),
    )


def _in_worker(task: Task) -> bool:
    return not (task.request.called_directly or task.request.is_eager)


def _patience(task: Task) -> Patience:
    if _in_worker(task):
        # The message came from Redis, so an outage has just begun. The worker waits for its end as long as it owns the
        # message.
        return Patience(claim_seconds=60.0, end_seconds=config.settings.VISIBILITY_TIMEOUT_SECONDS, flush=False)
    # A user waits, perhaps without a result backend.
    return Patience(claim_seconds=0.0, end_seconds=30.0, flush=True)


def _requeue(task: Task, assignment: Assignment) -> None:
    """Requeue a message without a record, with a backoff; drop it after the last try."""
    tries = task.request.retries or 0
    if _in_worker(task) and tries < len(_NO_RECORD_PAUSES_SECONDS):
        pause = _NO_RECORD_PAUSES_SECONDS[tries]
        logger.info("%s has no record in Redis; its message is requeued with a delay of %d s", assignment.job, pause)
        raise task.retry(countdown=pause, max_retries=len(_NO_RECORD_PAUSES_SECONDS))
    logger.warning("%s has no record in Redis; its message is dropped after %d tries", assignment.job, tries + 1)
    raise Ignore


def _sender(task: Task) -> Send:
    """Return a function that sends progress as Celery's state PROGRESS, from another thread."""
    app, backend, request = task.app, task.backend, task.request

    def send(meta: Meta) -> None:
        # Celery keeps backend and request for each thread.
        app._backend = backend  # noqa: SLF001  # Celery has no public way
        task.request_stack.push(request)
        try:
            task.update_state(state=reporting.PROGRESS, meta=dict(meta))
        finally:
            task.request_stack.pop()

    return send


def _orderer(task: Task) -> SendOrder | None:
    """Return a function that orders help from the workers of the task's queue; None outside of a worker."""
    if not _in_worker(task):
        return None

    def send(order: PartOrder, helper: str) -> None:
        task.app.send_task(
            celery_settings.PART_TASK,
            task_id=helper,
            queue=pools.parts_queue(pools.pool_of(order.attempt.queue)),
            args=(order.to_json(),),
            ignore_result=True,
            retry=False,
        )

    return send


def _report_again(task: Task, progress: Meta) -> None:
    """Send the newest progress once more: the operator looks at the job, and finds that its leg has ended."""
    try:
        _sender(task)(progress)
    except Exception as error:  # noqa: BLE001  # the result backend may raise anything
        # Without it, the operator looks at the job once it finds no heartbeat.
        logger.info("the end of a leg cannot be reported: %s", error)


def _answer(task: Task, job_id: str, conclusion: Conclusion) -> dict[str, Any]:
    end, failure = conclusion.end, conclusion.failure
    if end is None:
        raise Ignore
    match end.outcome:
        case Outcome.SUCCEEDED:
            return {
                "status": "completed",
                "job_id": job_id,
                "output_path": str(file_handler.output_dir(job_id)),
                "simulated": end.simulated,
                "quality": dict(end.findings.quality),
                "files": [] if end.outputs is None else [file.name for file in end.outputs.files],
            }
        case Outcome.CANCELLED:
            _revoke(task, "cancelled")
            return {"status": "cancelled", "job_id": job_id}
        case Outcome.FAILED if failure is not None:
            raise failure.with_traceback(None) from None  # a traceback would add nothing
        case _:
            _revoke(task, end.reason.lower())
            return {"status": "stopped", "job_id": job_id, "reason": end.reason}


def _revoke(task: Task, why: str) -> None:
    """In a worker, store the state REVOKED and end the task without a result.

    If the task returned, Celery would log and store that it succeeded, and start the tasks that are chained to it.
    """
    if not _in_worker(task):
        return
    try:
        task.backend.mark_as_revoked(task.request.id, why, request=task.request)
    except Exception as error:  # noqa: BLE001  # the recorded end counts; the state only displays it
        logger.warning("the state REVOKED of %s could not be stored: %s", task.request.id, error)
    raise Ignore
