"""Plans of one job at one moment, with one set of timings."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import ConditionType, InstallationMark, Phase, Status
from reconstruction_operator.contract.records import Claim, ObservedJob, Record
from reconstruction_operator.planning.plan import complete, draft
from reconstruction_operator.planning.types import Job, Observation, Plan, Timing
from reconstruction_operator.planning.validation import problems

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JOB: Final = JobRef("team", "banana", "uid")
TASK: Final = AttemptRef(JOB, 1, "celery")  # the first attempt
PERMANENT: Final = frozenset(ConditionType) - {ConditionType.INPUT_CHECKED, ConditionType.CONTESTED}  # in every status
TIMING: Final = Timing(
    lost_after_seconds=10,
    epoch_grace_seconds=15,
    resend_seconds=15,
    backoff_seconds=10,
    backoff_max_seconds=600,
    cancel_ttl_seconds=3600,
    progress_seconds=1,
)
SENT: Final = NOW - timedelta(seconds=3)
BEGAN: Final = NOW - timedelta(seconds=2)
MARK: Final = InstallationMark("install", "here/operator")


def in_record(number: int = 1, queue: str = "celery") -> AttemptRef:
    """Return an attempt of the job, as its record names it."""
    return AttemptRef(replace(JOB, install_id="install"), number, queue)


RECORD: Final = Record(in_record(), SENT)
CLAIM: Final = Claim("token", "worker-1", by_operator=False, at=BEGAN)
_OF_REDIS: Final = frozenset(part.name for part in fields(ObservedJob))


def observed(before: Observation | None = None, **changes: Any) -> Observation:
    """Return an observation with these fields, or `before` with these changes.

    Fields of what Redis holds are among them.
    """
    before = before or Observation()
    of_redis = {name: changes.pop(name) for name in _OF_REDIS & changes.keys()}
    return replace(before, redis=replace(before.redis, **of_redis), **changes)


HELD: Final = observed(record=RECORD, claim=CLAIM, alive=True, workers=1)
QUEUED: Final = Status(phase=Phase.QUEUED, attempt=1, dispatch_time=SENT)
RUNNING: Final = Status(phase=Phase.RUNNING, attempt=1, worker="worker-1", start_time=BEGAN)


def plan(
    job: Job, seen: Observation, now: datetime, timing: Timing, *, admitted: bool, mine: InstallationMark = MARK
) -> Plan:
    """Return what follows from the stored job and the observation of its attempt, whether it is admitted or not."""
    return complete(draft(job, seen, now, timing), mine, admitted=admitted)


def look(
    seen: Observation,
    status: Status | None = None,
    *,
    admitted: bool = False,
    at: datetime = NOW,
    deleting: bool = False,
    generation: int = 1,
    **spec: Any,
) -> Plan:
    """Return the plan for a job that was created a minute ago, with changes to its spec."""
    job = job_with(status or Status(), deleting=deleting, generation=generation, **spec)
    return plan(job, seen, at, TIMING, admitted=admitted)


def job_with(status: Status, *, deleting: bool = False, generation: int = 1, **spec: Any) -> Job:
    """Return the job of `look`, as the API server stores it."""
    wanted = Spec(**{"input": Location("file:///photos/banana"), **spec})
    return Job(
        key=JOB,
        generation=generation,
        created=NOW - timedelta(minutes=1),
        spec=wanted,
        status=status,
        deleting=deleting,
        problems=problems(wanted, ()),
    )
