"""Names of jobs and attempts, with few arguments."""

from __future__ import annotations

from reconstruction_operator.api.identity import AttemptRef, JobRef


def make_attempt(
    job_id: str = "job",
    number: int = 1,
    queue: str = "celery",
    *,
    namespace: str = "default",
    name: str = "banana",
    install_id: str = "test",
    namespace_uid: str = "",
) -> AttemptRef:
    """Return an attempt of a job with that uid."""
    return AttemptRef(JobRef(namespace, name, job_id, install_id, namespace_uid), number, queue)


def make_bare(job_id: str = "job", task_id: str = "task") -> AttemptRef:
    """Return a bare task."""
    return AttemptRef(JobRef.bare(job_id), 0, bare_id=task_id)
