"""Objects: parsed ReconstructionJobs, decoded to `planning`'s Job."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Self

from reconstruction_operator import config
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import GROUP, KIND, VERSION, JobKey
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Condition, Failure, InstallationMark, Phase, Status
from reconstruction_operator.kube import parsing
from reconstruction_operator.planning import validation
from reconstruction_operator.planning.types import Job

_MANAGER_LIMIT: Final = 128  # characters; the API's own limit
_SHARED: Final = 1_000  # parts of compact jobs that are kept to be shared
_SHARED_CONDITIONS: Final = 4_096  # a dozen for each second in which jobs were applied
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class EventSubject:
    """The object that an Event is about: a job, or the operator's Lease if it is about all jobs."""

    namespace: str
    name: str
    uid: str
    kind: str = KIND
    api_version: str = f"{GROUP}/{VERSION}"

    @classmethod
    def of(cls, key: JobKey) -> Self:
        """Return a job."""
        return cls(key.namespace, key.name, key.uid)

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


def job_of(body: Mapping[str, Any], key: JobKey) -> Job:
    """Decode the job of a body, compact if it is finished. A malformed field gets its default, so no object stops the loop."""
    metadata = body.get("metadata", {})
    spec = codec.decode(Spec, body.get("spec"))
    status = codec.decode(Status, body.get("status"))
    problems = validation.problems(spec, config.settings.STORAGE_SCHEMES)
    rejected = bool(problems) and status.attempt == 0  # a later attempt still needs its parameters
    if rejected or (status.phase is not None and status.phase.finished):
        spec = replace(spec, parameters={})  # no longer needed, and a tenant may have made them large
    return compact(
        Job(
            key=key,
            generation=int(metadata.get("generation") or 0),
            created=_time(metadata.get("creationTimestamp")),
            spec=spec,
            status=status,
            version=parsing.version_of(body),
            deleting=bool(metadata.get("deletionTimestamp")),
            problems=problems,
            cancel_by=_cancel_by(metadata, spec, status),
        )
    )


def written(job: Job, body: Mapping[str, Any], status: Status, encoded: Mapping[str, Any]) -> Job | None:
    """Return the job in the response to a write of this status, without decoding it; None if anything else may have changed."""
    metadata = body.get("metadata", {})
    same = (metadata.get("uid"), metadata.get("generation"), bool(metadata.get("deletionTimestamp")))
    if same != (job.key.uid, job.generation, job.deleting) or body.get("status") != encoded:
        return None
    if job.problems or job.cancel_by or status.cancel is not None:  # what depends on the body, or on spec and status
        return None
    if status.phase is not None and status.phase.finished and status.observed_generation < job.generation:
        return None
    return compact(replace(job, status=status, version=parsing.version_of(body)))


def compact(job: Job) -> Job:
    """Return a smaller copy: a finished job keeps what its clean-up needs (`planning.rules.finished`), a waiting one shares its conditions.

    Any other job is returned unchanged. So is a finished job whose spec was edited since: its whole status is written once more.
    """
    status = job.status
    if status.phase is Phase.PENDING:
        # Conditions take most of a waiting job's memory. Planned statuses share theirs already.
        return replace(job, status=replace(status, conditions=tuple(map(_shared, status.conditions))))
    if not job.finished or status.observed_generation < job.generation:
        return job
    failure, mark = status.failure, status.installation
    return replace(
        job,
        spec=compact_spec(
            job.spec.queue,
            job.spec.priority,
            job.spec.ttl_seconds_after_finished,
            job.spec.managed_by,
            job.spec.deletion_policy,
            cancel_requested=job.spec.cancel_requested,
            cancel_confirmed=job.spec.cancel_confirmed,
        ),
        status=Status(
            observed_generation=status.observed_generation,
            phase=status.phase,
            attempt=status.attempt,
            worker=None if status.worker is None else sys.intern(status.worker),
            dispatch_time=status.dispatch_time,
            start_time=status.start_time,
            completion_time=status.completion_time,
            installation=None if mark is None else compact_mark(mark.id, mark.lease),
            cancel=status.cancel,
            failure=None if failure is None else compact_failure(failure.reason),
        ),
        problems=(),
        cancel_by="",
    )


@lru_cache(_SHARED_CONDITIONS)
def _shared(condition: Condition) -> Condition:
    return condition


@lru_cache(_SHARED)
def compact_spec(
    queue: str,
    priority: str,
    ttl_seconds_after_finished: int | None,
    managed_by: str | None,
    deletion_policy: str | None,
    *,
    cancel_requested: bool,
    cancel_confirmed: bool,
) -> Spec:
    """Return the spec of a compact job, which many jobs share."""
    return Spec(
        queue=queue,
        priority=priority,
        ttl_seconds_after_finished=ttl_seconds_after_finished,
        managed_by=managed_by,
        deletion_policy=deletion_policy,
        cancel_requested=cancel_requested,
        cancel_confirmed=cancel_confirmed,
    )


@lru_cache(_SHARED)
def compact_mark(install_id: str, lease: str) -> InstallationMark:
    """Return the mark of a compact job, which many jobs share."""
    return InstallationMark(install_id, lease)


@lru_cache(_SHARED)
def compact_failure(reason: str) -> Failure:
    """Return the failure of a compact job, which many jobs share."""
    return Failure(reason)


def _cancel_by(metadata: Mapping[str, Any], spec: Spec, status: Status) -> str:
    """Which client wrote the cancel or withdrew its request, as in "kubectl-patch (Update, 2026-03-01T12:00:00Z)"."""
    if not (spec.cancel_requested or spec.cancel_confirmed or status.cancel is not None):
        return ""
    written = "f:cancelConfirmed" if spec.cancel_confirmed else "f:cancelRequested"
    owners = [
        (str(entry.get("time", "")), str(entry.get("manager", "")), str(entry.get("operation", "")))
        for entry in _mappings(metadata.get("managedFields"))
        for fields in _mappings([entry.get("fieldsV1")])
        for of_spec in _mappings([fields.get("f:spec")])
        if written in of_spec
    ]
    if not owners:
        return ""
    at, manager, operation = max(owners)  # with server-side apply there may be several: the newest wrote it
    return f"{manager[:_MANAGER_LIMIT]} ({operation[:_MANAGER_LIMIT]}, {at[:_MANAGER_LIMIT]})"


def _mappings(values: object) -> list[Mapping[str, Any]]:
    return [one for one in values if isinstance(one, Mapping)] if isinstance(values, list) else []


def micro_time(at: datetime) -> str:
    """Return a metav1.MicroTime."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(text: object) -> datetime:
    try:
        return codec.parse_time(str(text))
    except ValueError:
        return _EPOCH
