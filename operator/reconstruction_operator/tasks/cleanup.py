"""The Celery task `reconstruction.cleanup`: the operator's order to delete a job's files."""

from __future__ import annotations

import logging

from celery import shared_task

from reconstruction_operator.api.identity import check_job_id
from reconstruction_operator.services import file_handler, job_manager, protocol
from reconstruction_operator.services.keys import Keys
from reconstruction_operator.tasks import acknowledging

logger = logging.getLogger(__name__)


@shared_task(name="reconstruction.cleanup", ignore_result=True, Request=acknowledging.REQUEST)  # type: ignore[untyped-decorator]
def clean_up(job_id: str) -> None:
    """Deletes the job's folder, and says in Redis that it is gone. May be repeated.

    Raises:
        ValueError: the job id is not safe.
        OSError: something could not be deleted; the operator orders it again.
        RedisError: it could not be said; the same.

    """
    existed = file_handler.delete_job_files(check_job_id(job_id))
    protocol.run(job_manager.get_redis_client(), protocol.mark_cleaned(Keys(), job_id))
    logger.info("files of job %s are deleted%s", job_id, "" if existed else " (there were none)")
