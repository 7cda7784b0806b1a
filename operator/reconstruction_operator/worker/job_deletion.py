"""Deletion of all files of a job: its folder, and the copies that were delivered to other places."""

from __future__ import annotations

import logging
from dataclasses import replace

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import ObservedJob
from reconstruction_operator.jobfiles import notes, trash, trashed
from reconstruction_operator.jobfiles.folder_deletion import delete_job_files
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, reads, worker_calls
from reconstruction_operator.telemetry import logs
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.runs import EVERY_ATTEMPT, DeliveringRun
from reconstruction_operator.worker.withdrawal import WITHDRAWALS, Withdrawal

logger = logging.getLogger(__name__)


def clean_up(job_id: str, *, retain_seconds: int | None = None) -> None:
    """Delete the files of a finished job and record the deletion.

    `retain_seconds`: how long the result stays in the trash (None: as in its manifest). A cancelled job's result is
    deleted at once.

    Nothing is deleted if Redis has lost the job. Raises OSError and SupersededError as `delete`, RedisError if Redis is
    unavailable.
    """
    call = reads.observe(Keys(), [(job_id, None)])
    (job,) = calls.run(job_manager.get_redis_client(), call).jobs
    record = job.record
    if record is None:
        logger.warning("Redis has lost job %s: its files stay until the operator orders their deletion again", job_id)
        return
    attempt = record.attempt
    ref = attempt.job
    with logs.about(namespace=ref.namespace, job=ref.name, uid=ref.uid, attempt=attempt.number):
        existed = delete(ref, cancelled=_is_cancelled(job), retain_seconds=retain_seconds)
        calls.run(job_manager.get_redis_client(), worker_calls.mark_cleaned(Keys(), job_id))
        done = "are deleted" if existed else "were deleted before"
        logger.info("%s: its files %s", ref, done)


def delete(job: JobRef, *, cancelled: bool, retain_seconds: int | None = None) -> bool:
    """Delete the files of a job; return whether there were any.

    Idempotent: it may be repeated, also after a crash.

    Unless the job is `cancelled`, a delivered copy of a published result stays, since it may have been reported.

    Raises ValueError for an unsafe job id; OSError or SupersededError if a file could not be deleted in time. The notes
    in the folder still name it then.
    """
    job_id, namespace = job.uid, job.namespace
    folder = JobFolder.of(job_id)
    if cancelled and (result := trashed.find(namespace, job_id)) is not None:
        trash.delete(result)
    # A run that is still active fails before it delivers, because its workspace is retired. The notes stay until all
    # copies are deleted.
    for workspace in folder.workspaces():
        workspace.retire()
    for note in notes.deliveries(folder):
        # A worker that died afterwards may have moved the result to the trash.
        copy = cancelled or not (note.published or trashed.find(namespace, job_id) is not None)
        try:
            every = DeliveringRun(replace(note.owner, number=EVERY_ATTEMPT), None)
            WITHDRAWALS.perform(Withdrawal(note.uri, every, copy=copy))
        except StorageError as error:  # the settings have changed since the delivery
            logger.warning("not permitted to delete the delivered copy of job %s: %s", job_id, error)
    retain = 0 if cancelled else trash.seconds_of(folder) if retain_seconds is None else retain_seconds
    now = calls.redis_seconds(job_manager.get_redis_client()) if retain else 0.0  # the clock by which the trash expires
    return delete_job_files(job_id, retain_until=now + retain if retain else 0.0)


def _is_cancelled(job: ObservedJob) -> bool:
    """Return whether the cancel flag is set or the newest attempt ended as Cancelled.

    The operator keeps the flag until the files are deleted. After Redis lost its data, the operator sets the flag
    before it restores the record. So a missing flag proves nothing unless there is a record.
    """
    return job.confirmed or (job.end is not None and job.end.outcome is Outcome.CANCELLED)
