"""All files of a job go: its folder, and what it has left where it delivers."""

from __future__ import annotations

import logging
from pathlib import Path

from reconstruction_operator.jobfiles import notes
from reconstruction_operator.services import file_handler
from reconstruction_operator.transfer import delivery
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.worker.attempt.interruption import call_within

logger = logging.getLogger(__name__)

DELETE_SECONDS = 60.0

_GONE = ".gone-"  # as those that an attempt takes away from its predecessors


def delete(job_id: str, *, cancelled: bool) -> bool:
    """Deletes the job's files; says whether there were any. May be repeated, and carried on after it was cut off.

    Where a mount is dead it is left behind after a minute: neither a cancelled job nor a worker waits for that.

    A copy that was delivered stays if its result was published, and may have been reported; not if the job is `cancelled`.

    Raises:
        ValueError: the job id is not safe.
        OSError, OvertakenError: something could not be deleted, or not in time. The folder still says what.

    """
    return call_within(DELETE_SECONDS, lambda: _delete(job_id, cancelled=cancelled))


def _delete(job_id: str, *, cancelled: bool) -> bool:
    # Runs that still go on find that out before they deliver. Their notes stay until all that they name is gone.
    for folder in _folders(file_handler.attempts_dir(job_id)):
        if not folder.name.startswith(_GONE):
            file_handler.set_aside(folder, _GONE)
    run = delivery.Run(job_id, delivery.EVERY_ATTEMPT, folder=None)
    for one in notes.deliveries(job_id):
        try:
            delivery.withdraw(one.uri, run, namespace=one.namespace, copy=cancelled or not one.published)
        except StorageError as error:  # the settings were others when it was delivered
            logger.warning("what was delivered of job %s may not be deleted: %s", job_id, error)
    return file_handler.delete_job_files(job_id)


def _folders(attempts: Path) -> list[Path]:
    try:
        return list(attempts.iterdir())
    except FileNotFoundError:  # there were none, or another deletion was faster
        return []
