"""Identities of the resource, of jobs and of attempts. Only this module formats and parses their text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from reconstruction_operator.api import codec

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
class JobRef:
    """One job. The uid distinguishes it from a later object of the same name.

    What the API server says of an object does not tell the last two; messages, records and files name them.
    """

    namespace: str
    name: str
    uid: str
    install_id: str = ""  # of the installation that manages the job
    namespace_uid: str = ""  # empty: not known, so the job takes over nothing

    @classmethod
    def bare(cls, job_id: str) -> Self:
        """Return the job of a task that no operator sent: it has no object, and any text can be its id."""
        return cls("", "", job_id)

    @property
    def job_id(self) -> str:
        """The job's id in Redis, in messages and as the name of its folder."""
        return self.uid

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.name else self.uid


@dataclass(frozen=True, slots=True, order=True)
class AttemptRef:
    """One attempt of a job, or a bare task, which no operator sent."""

    job: JobRef
    number: int  # from 1; 0: a bare task
    queue: str = ""  # the Celery queue of its messages, with its priority; empty: a bare task's
    bare_id: str = ""  # the Celery task id of a bare task

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return self.job.uid

    @property
    def is_bare(self) -> bool:
        """Whether it is a bare task."""
        return self.number == 0

    @property
    def task_id(self) -> str:
        """The Celery task id."""
        return self.bare_id if self.is_bare else f"{self.job.uid}-{self.number}"

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Return the attempt of a job that `codec.encode` has written.

        Raises TypeError or ValueError for anything else.
        """
        attempt = codec.decode(cls, data)  # a TypeError, if a part is missing or of another type
        if not 1 <= attempt.number <= MAX_ATTEMPT:
            raise ValueError(f"the attempt {attempt.number} is not a whole number from 1")
        check_job_id(attempt.job.uid)
        return attempt


def parse_task_id(text: str) -> tuple[str, int] | None:
    """Return job id and attempt of a Celery task id; None if the operator did not make it."""
    match = _TASK_ID.fullmatch(text)
    try:
        return (check_job_id(match[1]), int(match[2])) if match else None
    except ValueError:
        return None
