"""The Celery task `reconstruction.cleanup`: the operator's order to delete a job's files."""

from __future__ import annotations

import logging

from celery import shared_task

from reconstruction_operator.api.identity import TaskId, check_job_id
from reconstruction_operator.broker import acknowledging
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, stored, worker_calls
from reconstruction_operator.worker import deletion

logger = logging.getLogger(__name__)


@shared_task(name="reconstruction.cleanup", ignore_result=True, Request=acknowledging.REQUEST)  # type: ignore[untyped-decorator]
def clean_up(job_id: str) -> None:
    """Deletes the job's folder and what must not stay where it delivers, and says in Redis that it is gone. May be repeated.

    Nothing is deleted where Redis has forgotten the job: who knows how it ended orders it again.

    Raises:
        ValueError: the job id is not safe.
        OSError, OvertakenError: something could not be deleted; the operator orders it again.
        RedisError: it could not be said; the same.

    """
    cancelled = _is_cancelled(check_job_id(job_id))
    if cancelled is None:
        logger.warning("Redis has forgotten job %s: its files stay until they are ordered to be deleted again", job_id)
        return
    existed = deletion.delete(job_id, cancelled=cancelled)
    calls.run(job_manager.get_redis_client(), worker_calls.mark_cleaned(Keys(), job_id))
    logger.info("files of job %s are deleted%s", job_id, "" if existed else " (there were none)")


def _is_cancelled(job_id: str) -> bool | None:
    """By the flag, which the operator keeps until the files are gone; or by the end of the attempt that the record wants.

    None: there is no record. The operator puts the flag there again before it, and then orders again.
    """
    keys, attempt = Keys(), 1
    while True:
        names = keys.record(job_id), keys.end(str(TaskId(job_id, attempt))), keys.cancel(job_id)
        with job_manager.get_redis_client().pipeline(transaction=True) as moment:
            for name in names:
                moment.get(name)
            texts = moment.execute(raise_on_error=False)  # of another type, it says nothing
        record = stored.load(names[0], texts[0], stored.parse_record)
        if record is None:
            return None
        if record.attempt == attempt:
            end = stored.load(names[1], texts[1], stored.parse_end)
            return texts[2] is not None or (end is not None and end.outcome is Outcome.CANCELLED)
        attempt = record.attempt
