"""Deletion of all files of a job: its folder, and the copies that were delivered elsewhere."""

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
    """Delete the files of a finished job, and record that. A worker does this for one job at a time (`deleting.turns`).

    `retain_seconds`: how long its result waits in the trash (None: as the result's manifest says). A cancelled job's result is deleted at once.

    Nothing is deleted if Redis has lost the job. Raises OSError and OvertakenError as `delete`, RedisError without Redis.
    """
    turns.take(job_id, clean_up_now, retain_seconds=retain_seconds)


def clean_up_now(job_id: str, process: DeletionProcess, *, retain_seconds: int | None = None) -> None:
    """The same without waiting for a turn. Afterwards it deletes results in the trash whose time is over."""
    job = _newest_attempt(job_id)
    if job is None or job.record is None:
        logger.warning("Redis has lost job %s: its files stay until the operator orders their deletion again", job_id)
        return
    its = job.record
    with logs.about(namespace=its.namespace, job=its.name, uid=job_id, attempt=its.attempt):
        request = DeletionRequest(job_id, cancelled=_is_cancelled(job), retain_seconds=retain_seconds)
        existed = process.perform(request, DELETE_SECONDS)
        calls.run(job_manager.get_redis_client(), worker_calls.mark_cleaned(Keys(), job_id))
        logger.info("%s/%s: its files %s", its.namespace, its.name, "are deleted" if existed else "were deleted before")
    try:
        process.perform(DeletionRequest.of_trash(time.time()), DELETE_SECONDS)
    except OSError as error:  # the next clean-up continues
        logger.warning("the trash could not be emptied: %s", error)


def delete(job_id: str, *, cancelled: bool) -> bool:
    """Deletes the job's files; returns whether there were any. Idempotent: it may be repeated, or resumed after a crash.

    A deletion on a dead mount is killed after a minute: neither a cancelled job nor a worker waits for that.

    A delivered copy of a published result stays, since it may have been reported, unless the job is `cancelled`.

    Raises ValueError for an unsafe job id; OSError or OvertakenError if something could not be deleted, or not in time. The
    folder still names it then.
    """
    return process_pool.perform(DeletionRequest(check_job_id(job_id), cancelled=cancelled), DELETE_SECONDS)


def prepare() -> None:
    """Start a deletion process in advance, which takes far longer than most deletions. Never raises."""
    try:
        process_pool.prepare()
    except OSError as error:  # no process can be started now
        logger.info("the process that deletes files is not started in advance: %s", error)


def empty_trash() -> None:
    """Deletes all results in the trash before their time, because a run needs the disk. A failure is logged."""
    try:
        if process_pool.perform(DeletionRequest.of_trash(float("inf")), DELETE_SECONDS):
            logger.warning("the disk is full: the results of deleted jobs that waited in the trash are deleted")
    except OSError as error:
        logger.error("the trash could not be emptied: %s", error)  # noqa: TRY400  # the message is enough


def withdraw(uri: str, job_id: str, attempt: int, *, workspace: str, namespace: str, copy: bool) -> None:
    """Deletes what attempts of the job up to this one delivered to `uri`, as `outputs.withdraw`; killed after a minute too."""
    request = DeletionRequest(job_id, uri=uri, copy=copy, attempt=attempt, workspace=workspace, namespace=namespace)
    process_pool.perform(request, DELETE_SECONDS)


def _is_cancelled(job: ObservedJob) -> bool:
    """Whether the cancel flag is set or the newest attempt ended as Cancelled.

    The operator keeps the flag until the files are deleted. After Redis lost its data, the operator sets the flag before it puts
    the record back. So without a record, a missing flag proves nothing.
    """
    return job.confirmed or (job.end is not None and job.end.outcome is Outcome.CANCELLED)


def _newest_attempt(job_id: str) -> ObservedJob | None:
    """The attempt that the job's record wants; None without a record."""
    attempt = 1
    while True:
        snapshot = calls.run(job_manager.get_redis_client(), reads.observe(Keys(), [(job_id, TaskId(job_id, attempt))]))
        (job,) = snapshot.jobs
        if job.record is None:
            return None
        if job.record.attempt == attempt:
            return job
        attempt = job.record.attempt
