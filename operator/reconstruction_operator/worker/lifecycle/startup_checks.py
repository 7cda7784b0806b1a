"""A worker does not start where jobs could read or overwrite the folders of other jobs."""

from __future__ import annotations

import sys
from typing import Any

from celery.signals import worker_init

from reconstruction_operator.transfer import limits


@worker_init.connect  # type: ignore[untyped-decorator]
def refuse_job_folders_as_roots(**_: Any) -> None:
    """Before anything else. Celery only logs what a signal's receiver raises, but for the end of the program."""
    problem = limits.overlap_with_jobs_dir()
    if problem:
        sys.exit(f"This worker does not start: {problem}")
