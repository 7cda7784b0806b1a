"""Specs, manifests and names of the jobs that `submit` and `retry` create."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from reconstruction_operator.api import identity
from reconstruction_operator.kube import paths

from kubectl_recon.errors import ConflictError, UsageError
from kubectl_recon.kube.api import Connection

UNKNOWN_PHOTOS: Final = "file:///photos/unknown"
"""The input of a restored job, which reads no photos."""

_STEM_LENGTH: Final = 50  # of a name that is made from a path
_NAME_LENGTH: Final = 63
_TRIES: Final = 50  # names to try
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_WORDS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}


def changes(*, model: str | None, quality: str | None, parameters: Iterable[str], output: str | None) -> dict[str, Any]:
    """Return the fields of a spec that the options set. Raises UsageError for an invalid parameter."""
    values = ({"quality": quality} if quality else {}) | dict(map(parameter, parameters))
    return _set({"modelType": model, "parameters": values, "output": {"uri": output} if output else None})


def new(**options: Any) -> dict[str, Any]:
    """Return the fields of a new job's spec that the options of `changes` set. Raises UsageError, also for a null."""
    spec = changes(**options)
    for name, value in spec.get("parameters", {}).items():
        if value is None:
            raise UsageError(f"--param {name}=null removes a parameter of a job that is run again: a new job has none")
    return spec


def merged(value: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return `value` changed by a merge patch (RFC 7386): null removes a field, and objects are merged."""
    result = dict(value)
    for name, change in patch.items():
        if change is None:
            result.pop(name, None)
        elif isinstance(change, Mapping):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, Mapping) else {}, change)
        else:
            result[name] = change
    return result


def parameter(text: str) -> tuple[str, Any]:
    """Parse "name=value". A value in the form of a number, true, false, null or a JSON list gets that type."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f'--param "{text}": write name=value')
    if value in _WORDS:
        return name, _WORDS[value]
    if _NUMBER.fullmatch(value) or value.startswith(("[", '"')):
        try:
            return name, json.loads(value)
        except ValueError:
            pass  # a string that only begins like a list
    return name, value


def manifest(
    name: str, spec: Mapping[str, Any], *, namespace: str | None = None, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a ReconstructionJob for `kubectl apply`."""
    metadata = _set({"name": name, "namespace": namespace, "labels": dict(labels or {})})
    return {"apiVersion": identity.API_VERSION, "kind": identity.KIND, "metadata": metadata, "spec": dict(spec)}


def _set(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value}


def name_for(path: str) -> str:
    """Make a job's name from that of a folder, file or address: "My Photos (2)" becomes my-photos-2."""
    last = PurePath(path.split("?", maxsplit=1)[0].rstrip("/")).name
    stem = re.sub(r"\.(zip|tar|tar\.gz|tgz)$", "", last, flags=re.IGNORECASE)
    plain = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    return plain[:_STEM_LENGTH].strip("-") or "photos"


def names_after(name: str) -> list[str]:
    """Return the next names: banana-2 after banana, banana-3 after banana-2."""
    match = re.fullmatch(r"(.+?)-(\d{1,3})", name)
    stem, number = (match[1], int(match[2])) if match else (name, 1)
    return [
        f"{stem[: _NAME_LENGTH - len(str(later)) - 1].rstrip('-.')}-{later}"
        for later in range(number + 1, number + _TRIES)
    ]


def create(
    connection: Connection, names: Sequence[str], make: Callable[[str], dict[str, Any]], *, dry_run: bool = False
) -> dict[str, Any]:
    """Create the job that `make` returns for the first free name. Raises UsageError if all names are taken."""
    path, dry = paths.jobs(connection.namespace), "All" if dry_run else None
    for name in names:
        try:
            return connection.api.post(path, make(name), fieldValidation="Strict", dryRun=dry)
        except ConflictError:
            continue
    taken = " to ".join(dict.fromkeys((names[0], names[-1])))
    raise UsageError(f"there is already a job {taken} in namespace {connection.namespace}: choose another --name")
