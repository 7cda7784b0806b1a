"""Deletion of all files of a job: its folder, and the copies that were delivered elsewhere."""

from __future__ import annotations

import logging

from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.jobfiles import notes
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.services import file_handler, job_manager
from reconstruction_operator.state import calls, reads, worker_calls
from reconstruction_operator.transfer import delivery
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.worker.attempt.interruption import call_within

logger = logging.getLogger(__name__)

DELETE_SECONDS = 60.0


def clean_up(job_id: str) -> bool | None:
    """Delete the files of a job that is over, and record that; returns whether there were any. None: Redis has lost the job.

    Raises OSError and OvertakenError as `delete`, RedisError without Redis.
    """
    cancelled = _is_cancelled(job_id)
    if cancelled is None:
        return None
    existed = delete(job_id, cancelled=cancelled)
    calls.run(job_manager.get_redis_client(), worker_calls.mark_cleaned(Keys(), job_id))
    return existed


def delete(job_id: str, *, cancelled: bool) -> bool:
    """Deletes the job's files; returns whether there were any. Idempotent: it may be repeated, or resumed after a crash.

    A deletion on a dead mount is left behind after a minute: neither a cancelled job nor a worker waits for that.

    A delivered copy of a published result stays, since it may have been reported, unless the job is `cancelled`.

    Raises ValueError for an unsafe job id; OSError or OvertakenError if something could not be deleted, or not in time. The
    folder still names it then.
    """
    return call_within(DELETE_SECONDS, lambda: _delete(JobFolder.of(job_id), cancelled=cancelled))


def _delete(folder: JobFolder, *, cancelled: bool) -> bool:
    # A run that still works fails before it delivers, because its workspace is deleted. The notes stay until all copies are deleted.
    for workspace in folder.workspaces():
        workspace.retire()
    run = delivery.Run(folder.job_id, delivery.EVERY_ATTEMPT, folder=None)
    for one in notes.deliveries(folder):
        try:
            delivery.withdraw(one.uri, run, namespace=one.owner.namespace, copy=cancelled or not one.published)
        except StorageError as error:  # the settings have changed since it was delivered
            logger.warning("what was delivered of job %s may not be deleted: %s", folder.job_id, error)
    return file_handler.delete_job_files(folder.job_id)


def _is_cancelled(job_id: str) -> bool | None:
    """Whether the cancel flag is set or the newest attempt ended as Cancelled; None: there is no record.

    The operator keeps the flag until the files are deleted. After Redis lost its data, the operator sets the flag before it puts
    the record back: so no record means that the flag proves nothing.
    """
    attempt = 1
    while True:
        snapshot = calls.run(job_manager.get_redis_client(), reads.observe(Keys(), [(job_id, TaskId(job_id, attempt))]))
        (job,) = snapshot.jobs
        if job.record is None:
            return None
        if job.record.attempt == attempt:
            return job.confirmed or (job.end is not None and job.end.outcome is Outcome.CANCELLED)
        attempt = job.record.attempt
