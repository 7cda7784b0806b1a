"""Identities of the resource, of jobs and of attempts. Only this module formats and parses their text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

GROUP = "reconstruction.dev"
VERSION = "v1alpha1"
KIND = "ReconstructionJob"
PLURAL = "reconstructionjobs"
API_VERSION = f"{GROUP}/{VERSION}"
MANAGER = f"{GROUP}/operator"  # in spec.managedBy, and the reporter of Events

_JOB_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")

MAX_ATTEMPT: Final = 10**9 - 1
"""The largest number of an attempt, an int32. Only a status written by hand has such numbers."""
_TASK_ID = re.compile(r"(.+)-([1-9][0-9]{0,8})")


def check_job_id(job_id: object) -> str:
    """Return `job_id` if it is safe as a folder name and in a Redis key.

    Raises ValueError if it is not 1 to 128 letters, digits, dots, dashes or underscores with a letter or digit at both
    ends.
    """
    if not isinstance(job_id, str) or not _JOB_ID.fullmatch(job_id) or ".." in job_id:
        raise ValueError(
            f"job id {job_id!r:.140} is not 1 to 128 letters, digits, dots, dashes or underscores "
            "with a letter or digit at both ends and no '..'"
        )
    return job_id


@dataclass(frozen=True, slots=True, order=True)
class JobKey:
    """One object in the API server. The uid distinguishes it from a later object of the same name."""

    namespace: str
    name: str
    uid: str

    @property
    def job_id(self) -> str:
        """The job's id in Redis, in messages and as the name of its folder."""
        return self.uid

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class TaskId:
    """One attempt of a job; its text is the Celery task id."""

    job_id: str
    attempt: int  # from 1

    def __str__(self) -> str:
        return f"{self.job_id}-{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> TaskId | None:
        """Return the attempt of a task id; None if the operator did not make the id."""
        match = _TASK_ID.fullmatch(text)
        try:
            return cls(check_job_id(match[1]), int(match[2])) if match else None
        except ValueError:
            return None
