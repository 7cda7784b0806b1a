"""Deletion of all files of a job: its folder, and the copies that were delivered elsewhere."""

from __future__ import annotations

import logging
from typing import Final

from reconstruction_operator.api.identity import TaskId, check_job_id
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, reads, worker_calls
from reconstruction_operator.telemetry import logs
from reconstruction_operator.worker.deleting import spares, turns
from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.request import DeletionRequest

logger = logging.getLogger(__name__)

DELETE_SECONDS: Final = 60.0


def clean_up(job_id: str) -> None:
    """Delete the files of a job that is over, and record that. One at a time in a worker: see `deleting.turns`.

    Nothing is deleted if Redis has lost the job. Raises OSError and OvertakenError as `delete`, RedisError without Redis.
    """
    turns.take(job_id, clean_up_now)


def clean_up_now(job_id: str, process: DeletionProcess) -> None:
    """The same at once."""
    job = _newest_attempt(job_id)
    if job is None or job.record is None:
        logger.warning("Redis has lost job %s: its files stay until the operator orders their deletion again", job_id)
        return
    its = job.record
    with logs.about(namespace=its.namespace, job=its.name, uid=job_id, attempt=its.attempt):
        existed = process.perform(DeletionRequest(job_id, cancelled=_is_cancelled(job)), DELETE_SECONDS)
        calls.run(job_manager.get_redis_client(), worker_calls.mark_cleaned(Keys(), job_id))
        logger.info("%s/%s: its files %s", its.namespace, its.name, "are deleted" if existed else "were deleted before")


def delete(job_id: str, *, cancelled: bool) -> bool:
    """Deletes the job's files; returns whether there were any. Idempotent: it may be repeated, or resumed after a crash.

    A deletion on a dead mount is killed after a minute: neither a cancelled job nor a worker waits for that.

    A delivered copy of a published result stays, since it may have been reported, unless the job is `cancelled`.

    Raises ValueError for an unsafe job id; OSError or OvertakenError if something could not be deleted, or not in time. The
    folder still names it then.
    """
    return spares.perform(DeletionRequest(check_job_id(job_id), cancelled=cancelled), DELETE_SECONDS)


def withdraw(uri: str, job_id: str, attempt: int, *, workspace: str, namespace: str) -> None:
    """Deletes what attempts of the job up to this one delivered there, as `delivery.withdraw`; also killed after a minute."""
    request = DeletionRequest(job_id, uri=uri, attempt=attempt, workspace=workspace, namespace=namespace)
    spares.perform(request, DELETE_SECONDS)


def _is_cancelled(job: ObservedJob) -> bool:
    """Whether the cancel flag is set or the newest attempt ended as Cancelled.

    The operator keeps the flag until the files are deleted. After Redis lost its data, the operator sets the flag before it puts
    the record back: so no record means that the flag proves nothing.
    """
    return job.confirmed or (job.end is not None and job.end.outcome is Outcome.CANCELLED)


def _newest_attempt(job_id: str) -> ObservedJob | None:
    """The job with the attempt that its record wants; None: there is no record."""
    attempt = 1
    while True:
        snapshot = calls.run(job_manager.get_redis_client(), reads.observe(Keys(), [(job_id, TaskId(job_id, attempt))]))
        (job,) = snapshot.jobs
        if job.record is None:
            return None
        if job.record.attempt == attempt:
            return job
        attempt = job.record.attempt
