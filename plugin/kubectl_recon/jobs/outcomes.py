"""Exit codes for the outcomes of jobs: of `submit`, `watch` and `wait`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from kubectl_recon.jobs.job import Job

SUCCEEDED: Final = 0
FAILED: Final = 3
CANCELLED: Final = 4
DELETED: Final = 5
TIMED_OUT: Final = 6

_BY_PHASE: Final = {"Succeeded": SUCCEEDED, "Failed": FAILED, "Cancelled": CANCELLED}
_WORST_FIRST: Final = (FAILED, CANCELLED, DELETED, TIMED_OUT)


def of_job(job: Job) -> int:
    """Return the exit code for a finished job."""
    return _BY_PHASE[job.phase]


def of_all(codes: Iterable[int]) -> int:
    """Return the worst of several exit codes."""
    reached = set(codes)
    return next((code for code in _WORST_FIRST if code in reached), SUCCEEDED)
