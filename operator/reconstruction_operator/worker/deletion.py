"""Deletion of all files of a job: its folder, and the copies that were delivered to other places."""

from __future__ import annotations

import logging
import time
from typing import Final

from reconstruction_operator.api.identity import TaskId, check_job_id
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, reads, worker_calls
from reconstruction_operator.telemetry import logs
from reconstruction_operator.worker.deleting import process_pool, turns
from reconstruction_operator.worker.deleting.process import DeletionProcess
from reconstruction_operator.worker.deleting.request import DeletionRequest

logger = logging.getLogger(__name__)

DELETE_SECONDS: Final = 60.0


def clean_up(job_id: str, *, retain_seconds: int | None = None) -> None:
    """Delete the files of a finished job and record the deletion. A worker does this for one job at a time (`deleting.turns`).

    `retain_seconds`: how long the result stays in the trash (None: as in its manifest). A cancelled job's result is deleted at once.

    Nothing is deleted if Redis has lost the job. Raises OSError and OvertakenError as `delete`, RedisError if Redis is unavailable.
    """
    turns.take(job_id, clean_up_now, retain_seconds=retain_seconds)


def clean_up_now(job_id: str, process: DeletionProcess, *, retain_seconds: int | None = None) -> None:
    """Clean up as `clean_up` does, without waiting for a turn. Then delete the expired results in the trash."""
    job = _newest_attempt(job_id)
    if job is None or job.record is None:
        logger.warning("Redis has lost job %s: its files stay until the operator orders their deletion again", job_id)
        return
    record = job.record
    with logs.about(namespace=record.namespace, job=record.name, uid=job_id, attempt=record.attempt):
        request = DeletionRequest(job_id, cancelled=_is_cancelled(job), retain_seconds=retain_seconds)
        existed = process.perform(request, DELETE_SECONDS)
        calls.run(job_manager.get_redis_client(), worker_calls.mark_cleaned(Keys(), job_id))
        done = "are deleted" if existed else "were deleted before"
        logger.info("%s/%s: its files %s", record.namespace, record.name, done)
    try:
        process.perform(DeletionRequest.of_trash(time.time()), DELETE_SECONDS)
    except OSError as error:  # the next clean-up continues
        logger.warning("the trash could not be emptied: %s", error)


def delete(job_id: str, *, cancelled: bool) -> bool:
    """Delete the job's files; return whether there were any. Idempotent: it may be repeated, also after a crash.

    A deletion on a dead mount is killed after a minute: neither a cancelled job nor a worker waits for the mount.

    Unless the job is `cancelled`, a delivered copy of a published result stays, since it may have been reported.

    Raises ValueError for an unsafe job id; OSError or OvertakenError if a file could not be deleted in time. The notes in the
    folder still name it then.
    """
    return process_pool.perform(DeletionRequest(check_job_id(job_id), cancelled=cancelled), DELETE_SECONDS)


def prepare() -> None:
    """Start a deletion process in advance, since the start takes far longer than most deletions. Never raises."""
    try:
        process_pool.prepare()
    except OSError as error:  # the deletion itself tries again
        logger.info("the process that deletes files is not started in advance: %s", error)


def empty_trash() -> None:
    """Delete all results in the trash before they expire, because a run needs the disk. A failure is logged."""
    try:
        if process_pool.perform(DeletionRequest.of_trash(float("inf")), DELETE_SECONDS):
            logger.warning("the disk is full: the results in the trash are deleted")
    except OSError as error:
        logger.error("the trash could not be emptied: %s", error)  # noqa: TRY400  # the message is enough


def withdraw(uri: str, job_id: str, attempt: int, *, workspace: str, namespace: str, copy: bool) -> None:
    """Delete the copies that attempts of the job up to `attempt` delivered to `uri`, as `outputs.withdraw`, within a minute."""
    request = DeletionRequest(job_id, uri=uri, copy=copy, attempt=attempt, workspace=workspace, namespace=namespace)
    process_pool.perform(request, DELETE_SECONDS)


def _is_cancelled(job: ObservedJob) -> bool:
    """Return whether the cancel flag is set or the newest attempt ended as Cancelled.

    The operator keeps the flag until the files are deleted. After Redis lost its data, the operator sets the flag before it restores
    the record. So a missing flag proves nothing unless there is a record.
    """
    return job.confirmed or (job.end is not None and job.end.outcome is Outcome.CANCELLED)


def _newest_attempt(job_id: str) -> ObservedJob | None:
    """Return the attempt that the job's record wants; None without a record."""
    attempt = 1
    while True:
        snapshot = calls.run(job_manager.get_redis_client(), reads.observe(Keys(), [(job_id, TaskId(job_id, attempt))]))
        (job,) = snapshot.jobs
        if job.record is None:
            return None
        if job.record.attempt == attempt:
            return job
        attempt = job.record.attempt
