"""Objects: parsed ReconstructionJobs, decoded to `planning`'s Job.

Most objects of a large installation are finished jobs. Of these a few fields are kept, and only those are decoded.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar, get_type_hints

import msgspec

from reconstruction_operator import config
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.notification import unsent
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.kube import parsing
from reconstruction_operator.planning import validation
from reconstruction_operator.planning.types import Job

T = TypeVar("T")

_MANAGER_LIMIT: Final = 128  # characters; the API's own limit
# parts of compact jobs that are kept to be shared; a dozen conditions for each second in which jobs were applied
_SHARED: Final = 4_096
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
# What the clean-up of a finished job needs (`planning.rules.finished`)
_KEPT_OF_SPEC: Final = (
    "queue",
    "priority",
    "ttl_seconds_after_finished",
    "managed_by",
    "deletion_policy",
    "cancel_requested",
    "cancel_confirmed",
)
_KEPT_OF_STATUS: Final = (
    "observed_generation",
    "phase",
    "attempt",
    "worker",
    "dispatch_time",
    "start_time",
    "completion_time",
    "installation",
    "cancel",
    "failure",
    "notifications",
)
_kept_of_spec: Final = operator.attrgetter(*_KEPT_OF_SPEC)
_kept_of_status: Final = operator.attrgetter(*_KEPT_OF_STATUS)


_Time = Annotated[datetime, msgspec.Meta(tz=True)]  # the API server also accepts times without a zone


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    generation: int
    creation_timestamp: _Time
    deletion_timestamp: _Time | None = None


def _part(kind: type, names: tuple[str, ...]) -> type[msgspec.Struct]:
    """Return what decodes these fields of a type alone."""
    hints = get_type_hints(kind)
    defaults = {field.name: field.default for field in fields(kind)}
    aware: dict[Any, Any] = {datetime | None: _Time | None}
    members = [(name, aware.get(hints[name], hints[name]), defaults[name]) for name in names]
    return msgspec.defstruct(kind.__name__, members, rename="camel", gc=False)


_finished: Final = msgspec.json.Decoder(
    msgspec.defstruct(
        "Finished",
        [("metadata", _Metadata), ("spec", _part(Spec, _KEPT_OF_SPEC)), ("status", _part(Status, _KEPT_OF_STATUS))],
        gc=False,
    )
)


def decode(body: parsing.Encoded, head: parsing.Head) -> Job:
    """Decode the job of an object. Of a finished one only what `compact` keeps is decoded, in a quarter of the time."""
    try:
        job: Any = _finished.decode(body)
    except (*parsing.UNREADABLE, ValueError):  # ValueError: a malformed time
        return job_of(parsing.mapping(body), head.key)
    metadata, status = job.metadata, job.status
    # A cancel is rare, and its fields have longer names in JSON.
    if (
        not (status.phase and status.phase.finished)
        or status.observed_generation < metadata.generation
        or status.cancel
    ):
        return job_of(parsing.mapping(body), head.key)
    return Job(
        key=head.key,
        generation=metadata.generation,
        created=metadata.creation_timestamp,
        spec=_shared_spec(*_kept_of_spec(job.spec)),
        status=_kept(status),
        version=head.version,
        deleting=metadata.deletion_timestamp is not None,
    )


def job_of(body: Mapping[str, Any], key: JobRef) -> Job:
    """Decode the job of a body, compact if it is finished.

    A malformed field gets its default, so no object stops the loop.
    """
    metadata = body.get("metadata", {})
    generation = int(metadata.get("generation") or 0)
    spec = codec.decode(Spec, body.get("spec"))
    status = codec.decode(Status, body.get("status"))
    finished = status.phase is not None and status.phase.finished
    problems = () if finished else validation.problems(spec, config.settings.STORAGE_SCHEMES)
    rejected = bool(problems) and status.attempt == 0  # a later attempt still needs its parameters
    if rejected or finished:
        spec = replace(spec, parameters={})  # no longer needed, and a tenant may have made them large
    return compact(
        Job(
            key=key,
            generation=generation,
            created=_time(metadata.get("creationTimestamp")),
            spec=spec,
            status=status,
            version=parsing.version_of(body),
            deleting=bool(metadata.get("deletionTimestamp")),
            problems=problems,
            cancel_by=_cancel_by(metadata, spec, status),
        )
    )


def compact(job: Job) -> Job:
    """Return a smaller copy: a finished job keeps what its clean-up needs, a waiting one shares its conditions.

    Any other job is returned unchanged. So is a finished job whose spec was edited since: its whole status is written
    once more.
    """
    status = job.status
    if status.phase is Phase.PENDING:
        # Conditions take most of a waiting job's memory. Planned statuses share theirs already.
        return replace(job, status=replace(status, conditions=tuple(map(_shared, status.conditions))))
    if not job.finished or status.observed_generation < job.generation:
        return job
    spec = _shared_spec(*_kept_of_spec(job.spec))
    return replace(job, spec=spec, status=_kept(status), problems=(), cancel_by="")


def _kept(status: Any) -> Status:
    kept = dict(zip(_KEPT_OF_STATUS, _kept_of_status(status), strict=True))
    kept["worker"] = kept["worker"] and sys.intern(kept["worker"])
    kept["installation"] = kept["installation"] and _shared(kept["installation"])
    kept["notifications"] = unsent(kept["notifications"])
    kept["failure"] = kept["failure"] and _shared(Failure(kept["failure"].reason))
    return Status(**kept)


@lru_cache(_SHARED)
def _shared(part: T) -> T:
    return part


@lru_cache(_SHARED)
def _shared_spec(*kept: Any) -> Spec:
    return Spec(**dict(zip(_KEPT_OF_SPEC, kept, strict=True)))


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
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def micro_time(at: datetime) -> str:
    """Return a metav1.MicroTime."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(text: object) -> datetime:
    try:
        return codec.parse_time(str(text))
    except (ValueError, OverflowError):
        return _EPOCH
