"""The Celery task `reconstruction.cleanup`: the operator orders the deletion of a job's files."""

from __future__ import annotations

from celery import Task, shared_task

from reconstruction_operator.api.identity import check_job_id
from reconstruction_operator.broker import acknowledging, dispatch
from reconstruction_operator.tasks import headers
from reconstruction_operator.worker import deletion


@shared_task(bind=True, name="reconstruction.cleanup", ignore_result=True, Request=acknowledging.REQUEST)  # type: ignore[untyped-decorator]
def clean_up(self: Task, job_id: str) -> None:
    """Delete the job's folder, and its delivered copies unless they count; then record that in Redis. Idempotent.

    The header `retain_seconds` holds how long its result waits in the trash; without it, the result's manifest does.

    If Redis has lost the job, nothing is deleted: the operator, which knows how the job ended, orders it again.

    Raises ValueError for an unsafe job id; any other error means that the operator orders the deletion again.
    """
    retained = headers.read(self, dispatch.RETAIN_HEADER)
    seconds = int(retained) if retained.isascii() and retained.isdigit() else None
    deletion.clean_up(check_job_id(job_id), retain_seconds=seconds)
