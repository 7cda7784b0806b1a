"""Bodies: lists and watch events as the API server sends them, decoded only as far as they are needed.

Most objects of a large installation are finished jobs. Of these a few fields are read, and the rest is skipped, at a tenth
of the cost of decoding the body. What does not fit these types is decoded by `answers.parse`, which tolerates everything.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.kube import answers, objects
from reconstruction_operator.planning.types import Job

Encoded = bytes | msgspec.Raw
"""One object as JSON."""

_FINISHED: Final = {phase.value: phase for phase in Phase if phase.finished}


class _ListMetadata(msgspec.Struct, rename="camel", gc=False):
    resource_version: str = ""
    token: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, rename="camel", gc=False):
    metadata: _ListMetadata
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str = ""


class _Head(msgspec.Struct, gc=False):
    metadata: _Metadata


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


_lists: Final = msgspec.json.Decoder(_List)
_events: Final = msgspec.json.Decoder(_Event)
_heads: Final = msgspec.json.Decoder(_Head)
_bodies: Final = msgspec.json.Decoder(_Body)
_UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `token` requests the next page; empty on the last page."""

    items: Sequence[Encoded | Mapping[str, Any]]
    version: int
    token: str


@dataclass(frozen=True, slots=True)
class Head:
    """The key and version of the object in a body."""

    key: JobKey
    version: int


def page(text: bytes) -> Page:
    """Decode a page of a list. Raises ValueError if the text is not one."""
    try:
        found = _lists.decode(text)
    except _UNREADABLE:
        parsed = answers.parse(text)
        if not isinstance(parsed, dict):
            raise ValueError("the page of a list is not a JSON object") from None  # noqa: TRY004  # the text is wrong
        token = str((parsed.get("metadata") or {}).get("continue") or "")
        items = [one for one in parsed.get("items") or () if isinstance(one, Mapping)]
        return Page(items, objects.version_of(parsed), token)
    return Page(found.items or (), objects.number_of(found.metadata.resource_version), found.metadata.token)


def event(line: bytes) -> tuple[str, Encoded | Mapping[str, Any]]:
    """Decode a line of a watch into type and object. Raises ValueError if the line is not an event."""
    try:
        found = _events.decode(line)
    except _UNREADABLE:
        parsed = answers.parse(line)
        if not isinstance(parsed, dict) or not isinstance(parsed.get("object"), Mapping):
            raise ValueError("the line of a watch has no object") from None  # noqa: TRY004  # the same
        return str(parsed.get("type")), parsed["object"]
    return found.type, found.object


def head(body: Encoded | Mapping[str, Any]) -> Head | None:
    """Decode key and version of an object; None if it lacks a field that every stored object has."""
    if not isinstance(body, Mapping):
        try:
            metadata = _heads.decode(body).metadata
        except _UNREADABLE:
            body = _parsed(body)
        else:
            key = JobKey(sys.intern(metadata.namespace), metadata.name, metadata.uid)
            return Head(key, objects.number_of(metadata.resource_version))
    key_of_mapping = objects.key_of(body)
    return None if key_of_mapping is None else Head(key_of_mapping, objects.version_of(body))


def job(body: Encoded | Mapping[str, Any], known: Head) -> Job:
    """Decode the job of an object whose head is `known`."""
    if isinstance(body, Mapping):
        return objects.job_of(body, known.key)
    try:
        found = _bodies.decode(body)
        finished = _FINISHED.get(found.status.phase or "")
        is_plain = found.status.cancel is None and found.status.observed_generation >= found.metadata.generation
        if finished is not None and is_plain:
            return _compact(found, known, finished)
    except (*_UNREADABLE, ValueError):  # ValueError: a malformed time
        pass
    return objects.job_of(_parsed(body), known.key)


def _compact(found: _Body, known: Head, phase: Phase) -> Job:
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


def _parsed(body: Encoded) -> Mapping[str, Any]:
    parsed = answers.parse(bytes(body))
    return parsed if isinstance(parsed, Mapping) else {}
