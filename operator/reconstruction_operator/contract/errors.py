"""Error: a run has lost its job to a later run."""

from __future__ import annotations


class OvertakenError(Exception):
    """A later run of the job has taken over, or the job's files were deleted: nothing of this run counts."""
