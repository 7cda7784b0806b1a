"""The Celery task `reconstruction.cleanup`: the operator orders the deletion of a job's files."""

from __future__ import annotations

from celery import shared_task

from reconstruction_operator.api.identity import check_job_id
from reconstruction_operator.broker import acknowledging
from reconstruction_operator.worker import job_deletion


@shared_task(name="reconstruction.cleanup", ignore_result=True, Request=acknowledging.REQUEST)  # type: ignore[untyped-decorator]
def clean_up(job_id: str, retain_seconds: int | None = None) -> None:
    """Delete the job's folder and the delivered copies that do not count; then record the deletion in Redis.

    Idempotent.

    `retain_seconds`: how long the result stays in the trash; the default is in the result's manifest.

    If Redis has lost the job, nothing is deleted: the operator knows how the job ended, and orders the deletion again.

    Raises ValueError for an unsafe job id. After any other error, the operator orders the deletion again.
    """
    is_valid = type(retain_seconds) is int and retain_seconds >= 0
    job_deletion.clean_up(check_job_id(job_id), retain_seconds=retain_seconds if is_valid else None)
