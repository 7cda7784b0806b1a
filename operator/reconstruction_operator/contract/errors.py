"""SupersededError: raised in a superseded run."""

from __future__ import annotations


class SupersededError(Exception):
    """The run is superseded by a later one, or the job's files were deleted: it must stop without effects."""
