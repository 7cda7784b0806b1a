"""Files of a job: where they lie, and their deletion.

    /jobs/{job_id}/input     photos for a bare `delay()`
    /jobs/{job_id}/output    the result

`/jobs` is the setting JOBS_DIR; `jobfiles.layout` describes the rest of the folder. All functions raise ValueError for a job id
that is not safe as a path (path traversal).
"""

from __future__ import annotations

from pathlib import Path

from reconstruction_operator.jobfiles import deletion
from reconstruction_operator.jobfiles.layout import JobFolder


def job_dir(job_id: str) -> Path:
    """All files of the job."""
    return JobFolder.of(job_id).root


def input_dir(job_id: str) -> Path:
    """The photos of a job that was started by a bare `delay()`."""
    return JobFolder.of(job_id).input


def output_dir(job_id: str) -> Path:
    """The published result."""
    return JobFolder.of(job_id).output


def delete_job_files(job_id: str) -> bool:
    """Deletes the job's folder with all that is in it; returns whether there was one. Links are removed, never followed.

    Raises OSError if the folder could not be moved or emptied.
    """
    return deletion.delete_job_files(job_id)
