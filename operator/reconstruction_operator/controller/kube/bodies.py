"""Bodies: jobs as the API server sends them, decoded only as far as they are needed.

Most objects of a large installation are finished jobs. Of these a few fields are read, and the rest is skipped, at a tenth
of the cost of decoding the body. What does not fit these types is decoded by `kube.parsing`, which tolerates everything.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Final

import msgspec

from reconstruction_operator.api import codec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.kube import parsing
from reconstruction_operator.planning.types import Job
from reconstruction_operator.telemetry import metrics

_FINISHED: Final = {phase.value: phase for phase in Phase if phase.finished}


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""


class _Mark(msgspec.Struct, gc=False):
    id: str = ""
    lease: str = ""


class _Failure(msgspec.Struct, gc=False):
    reason: str = ""


class _Spec(msgspec.Struct, rename="camel", gc=False):
    queue: str = "celery"
    priority: str = "normal"
    ttl_seconds_after_finished: int | None = None
    managed_by: str | None = None
    deletion_policy: str | None = None
    cancel_requested: bool = False
    cancel_confirmed: bool = False


class _Status(msgspec.Struct, rename="camel", gc=False):
    observed_generation: int = -1
    phase: str | None = None
    attempt: int = 0
    worker: str | None = None
    dispatch_time: str | None = None
    start_time: str | None = None
    completion_time: str | None = None
    installation: _Mark | None = None
    failure: _Failure | None = None
    cancel: msgspec.Raw | None = None


class _Body(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _Spec
    status: _Status


_bodies: Final = msgspec.json.Decoder(_Body)


def report(name: str) -> None:
    """Log and count an object that was cut."""
    metrics.OBJECTS_CUT.inc()
    parsing.warn(name)


def job(body: parsing.Encoded, known: parsing.Head) -> Job:
    """Decode the job of an object whose head is `known`."""
    try:
        found = _bodies.decode(body)
        finished = _FINISHED.get(found.status.phase or "")
        is_plain = found.status.cancel is None and found.status.observed_generation >= found.metadata.generation
        if finished is not None and is_plain:
            return _compact(found, known, finished)
    except (*parsing.UNREADABLE, ValueError):  # ValueError: a malformed time
        pass
    return objects.job_of(parsing.mapping(body), known.key)


def _compact(found: _Body, known: parsing.Head, phase: Phase) -> Job:
    """Make the same job as `objects.compact` makes from the whole one."""
    spec, status, mark, failure = found.spec, found.status, found.status.installation, found.status.failure
    return Job(
        key=known.key,
        generation=found.metadata.generation,
        created=codec.parse_time(found.metadata.creation_timestamp),
        spec=objects.compact_spec(
            spec.queue,
            spec.priority,
            spec.ttl_seconds_after_finished,
            spec.managed_by,
            spec.deletion_policy,
            cancel_requested=spec.cancel_requested,
            cancel_confirmed=spec.cancel_confirmed,
        ),
        status=Status(
            observed_generation=status.observed_generation,
            phase=phase,
            attempt=status.attempt,
            worker=None if status.worker is None else sys.intern(status.worker),
            dispatch_time=_time(status.dispatch_time),
            start_time=_time(status.start_time),
            completion_time=_time(status.completion_time),
            installation=None if mark is None else objects.compact_mark(mark.id, mark.lease),
            failure=None if failure is None else objects.compact_failure(failure.reason),
        ),
        version=known.version,
        deleting=bool(found.metadata.deletion_timestamp),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else codec.parse_time(text)
