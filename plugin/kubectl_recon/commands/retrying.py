"""`retry`: creates a job from a finished one, with changes. The finished job itself never runs again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from reconstruction_operator.api import identity
from reconstruction_operator.contract.installation import Installation

from kubectl_recon.commands import editing
from kubectl_recon.display.answers import Answers
from kubectl_recon.display.formats import Format
from kubectl_recon.display.screen import note
from kubectl_recon.errors import UsageError
from kubectl_recon.installation import accepting, published
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import find

RETRY_OF: Final = f"{identity.GROUP}/retry-of"
"""Annotation of a job that `retry` created: the name of the original job."""

_NOT_REPEATED: Final = ("cancelRequested", "cancelConfirmed", "cancelReason", "suspend")
_HEADER: Final = """\
# The new job, with the spec of {name}. Change what you like, save, and close the editor.
# An empty file creates no job.
"""


@dataclass(frozen=True)
class RetryRequest:
    """What to create. `changes`: a merge patch of the finished job's spec, where null removes a field."""

    name: str  # of the finished job
    changes: Mapping[str, Any] = field(default_factory=dict)
    new_name: str | None = None
    edit: Callable[[str], None] | None = None  # lets the user change the manifest in a file


def run(connection: Connection, request: RetryRequest, how: Format | None) -> Job:
    """Create the job, and print what differs from the finished one.

    Raises UsageError for a job that would fail at once.
    """
    original = find(connection, request.name)
    _check(original, request)
    made = body(original, request)
    if request.edit is None:
        job = _created(connection, original, made, request.new_name)
    else:
        with editing.edited(_HEADER.format(name=original.name), made, request.edit) as changed:
            chosen = changed["metadata"]["name"]
            name = request.new_name if chosen == made["metadata"]["name"] else chosen
            job = _created(connection, original, changed, name)
    answers = Answers(how)
    answers.done(job, f"created from {original.name}")
    for line in differences(original.spec, job.spec):
        note(f"  {line}")
    answers.end()
    return job


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for each field of a spec, and each parameter, that differs: "parameters.quality: high -> fast"."""
    before = _flat(old)
    after = _flat(new)
    for name in sorted(before.keys() | after.keys()):
        if name in _NOT_REPEATED or before.get(name) == after.get(name):
            continue
        values = (_text(side[name]) if name in side else "not set" for side in (before, after))
        yield f"{name}: {' -> '.join(values)}"


def _check(job: Job, request: RetryRequest) -> None:
    if not job.finished:
        raise UsageError(
            f"{job.name} is not finished ({job.phase or 'new'})"
            + (f", and is retried automatically: {job.message}" if job.failures else ": it needs no retry")
        )
    photos = manifests.merged(job.spec.get("input", {}), request.changes.get("input", {}))
    if photos.get("uri") == manifests.UNKNOWN_PHOTOS and request.edit is None:
        raise UsageError(
            f"{job.name} was created by kubectl recon restore and names no photos: submit them again "
            "(kubectl recon submit), or give their address (--input)"
        )


def body(job: Job, request: RetryRequest) -> dict[str, Any]:
    """Return the manifest of the new job. With another model, the parameters of the old one do not apply."""
    spec = {key: value for key, value in job.spec.items() if key not in _NOT_REPEATED}
    model = request.changes.get("modelType")
    if model and model != job.model:
        spec.pop("parameters", None)
    spec = manifests.merged(spec, request.changes)
    if not spec.get("parameters", True):
        del spec["parameters"]
    if spec.get("reuse") == "Required":  # there is no result under the new name
        del spec["reuse"]
    name = request.new_name or manifests.names_after(job.name)[0]
    made = manifests.manifest(name, spec, labels=job.metadata.get("labels"))
    first = str((job.metadata.get("annotations") or {}).get(RETRY_OF) or job.name)
    made["metadata"]["annotations"] = {RETRY_OF: first}
    return made


def _created(connection: Connection, original: Job, body: Mapping[str, Any], name: str | None) -> Job:
    spec = body["spec"]
    address = str((original.spec.get("output") or {}).get("uri") or "")
    if address and original.output_uri.startswith(address) and (spec.get("output") or {}).get("uri") == address:
        raise UsageError(
            f"{address} holds the result of {original.name}, which no other job may replace: "
            "choose another address with --output"
        )
    installation = published.read(connection.api, [original])
    if problem := accepting.problem(installation, spec):
        if not _is_same(installation, original, problem):  # else its worker may just have died
            raise UsageError(f"this job would fail: {problem}")
        note(f"  warning: {problem}")

    def make(candidate: str) -> dict[str, Any]:
        return {**body, "metadata": {**body["metadata"], "name": candidate}}

    return Job(manifests.create(connection, [name] if name else manifests.names_after(original.name), make))


def _is_same(installation: Installation, original: Job, problem: str) -> bool:
    return problem == accepting.problem(installation, original.spec)


def _flat(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a spec by their paths."""
    flat: dict[str, Any] = {}
    for name, value in spec.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{key}": item for key, item in value.items()}
        else:
            flat[name] = value
    return flat


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
