"""The Celery task `reconstruction.cleanup`: the operator's order to delete a job's files."""

from __future__ import annotations

import logging

import redis
from celery import shared_task

from reconstruction_operator.api.identity import TaskId, check_job_id
from reconstruction_operator.api.outcomes import Outcome
from reconstruction_operator.services import job_manager, protocol
from reconstruction_operator.services.keys import Keys
from reconstruction_operator.services.protocol import stored
from reconstruction_operator.tasks import acknowledging, deletion

logger = logging.getLogger(__name__)


@shared_task(name="reconstruction.cleanup", ignore_result=True, Request=acknowledging.REQUEST)  # type: ignore[untyped-decorator]
def clean_up(job_id: str) -> None:
    """Deletes the job's folder and what must not stay where it delivers, and says in Redis that it is gone. May be repeated.

    Raises:
        ValueError: the job id is not safe.
        OSError, OvertakenError: something could not be deleted; the operator orders it again.
        RedisError: it could not be said; the same.

    """
    existed = deletion.delete(check_job_id(job_id), cancelled=_is_cancelled(job_id))
    protocol.run(job_manager.get_redis_client(), protocol.mark_cleaned(Keys(), job_id))
    logger.info("files of job %s are deleted%s", job_id, "" if existed else " (there were none)")


def _is_cancelled(job_id: str) -> bool:
    """By the flag, which the operator keeps until the files are gone; or by the end of the attempt that the record wants."""
    if job_manager.is_job_cancelled(job_id):
        return True
    keys = Keys()
    key = keys.record(job_id)
    record = stored.load(key, _text(key), stored.parse_record)
    key = keys.end(str(TaskId(job_id, record.attempt if record else 1)))
    end = stored.load(key, _text(key), stored.parse_end)
    return end is not None and end.outcome is Outcome.CANCELLED


def _text(key: str) -> str | None:
    try:
        return job_manager.get_redis_client().get(key)  # type: ignore[return-value]  # no awaitable: the client is not async
    except redis.ResponseError:  # of another type: it says nothing
        return None
