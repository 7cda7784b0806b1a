"""The Celery task `reconstruction.cleanup`: the operator orders the deletion of a job's files."""

from __future__ import annotations

from celery import Task, shared_task

from reconstruction_operator.api.identity import check_job_id
from reconstruction_operator.broker import acknowledging, dispatch
from reconstruction_operator.worker import deletion


@shared_task(bind=True, name="reconstruction.cleanup", ignore_result=True, Request=acknowledging.REQUEST)  # type: ignore[untyped-decorator]
def clean_up(self: Task, job_id: str) -> None:
    """Delete the job's folder and the delivered copies that do not count; then record the deletion in Redis. Idempotent.

    The header `retain_seconds` holds how long the result stays in the trash; the default is in the result's manifest.

    If Redis has lost the job, nothing is deleted: the operator knows how the job ended, and orders the deletion again.

    Raises ValueError for an unsafe job id. After any other error, the operator orders the deletion again.
    """
    retained = dispatch.header(self, dispatch.RETAIN_HEADER)
    seconds = int(retained) if retained.isascii() and retained.isdigit() else None
    deletion.clean_up(check_job_id(job_id), retain_seconds=seconds)
