"""Job files for other programs: their paths and their deletion.

    /jobs/{job_id}/input     photos for a bare `delay()`
    /jobs/{job_id}/output    the result

`/jobs` is the setting JOBS_DIR; `jobfiles.layout` describes the rest of the folder. All functions raise ValueError for
a job id that is unsafe as a path (path traversal).
"""

from __future__ import annotations

from pathlib import Path

from reconstruction_operator.jobfiles.folder_deletion import delete_job_files
from reconstruction_operator.jobfiles.layout import JobFolder

__all__ = ["delete_job_files", "input_dir", "job_dir", "output_dir"]


def job_dir(job_id: str) -> Path:
    """Return the folder of all files of the job."""
    return JobFolder.of(job_id).root


def input_dir(job_id: str) -> Path:
    """Return the folder of the photos of a job that was started by a bare `delay()`."""
    return JobFolder.of(job_id).input


def output_dir(job_id: str) -> Path:
    """Return the folder of the published result."""
    return JobFolder.of(job_id).output
