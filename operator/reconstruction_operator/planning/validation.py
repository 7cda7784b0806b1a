"""Validation of a spec beyond the CRD's rules: each message names the mistake and what to write instead.

Messages are written into the status, which every reader of the job sees. So they never quote what may be a secret: user
names, passwords, queries of signed addresses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from reconstruction_operator.api.spec import RESERVED_QUEUES, Spec
from reconstruction_operator.readers import BUCKET, OBJECT_SCHEMES

ARCHIVE_SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz")
PARAMETERS_MAX_BYTES: Final = 16 * 1024  # of JSON: every message carries them
PARAMETERS_MAX_DEPTH: Final = 8  # of nested mappings and lists

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN_CHARACTERS = 200


def problems(spec: Spec, schemes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the mistakes in the spec, each a sentence that names its field. `schemes`: of the enabled object storage."""
    return (
        *_input(spec.input.uri, schemes),
        *(_output(spec.output.uri, schemes) if spec.output is not None else ()),
        *_parameters(spec.parameters),
        *_queue(spec.queue),
    )


def _input(uri: str, schemes: tuple[str, ...]) -> Iterator[str]:
    field, places = "spec.input.uri", _places(schemes, "https://host/photos.zip")
    parts = _split(uri)
    if isinstance(parts, str):
        yield f"{field} {parts}: write {places}."
    elif parts.scheme in schemes:
        yield from _objects(field, parts)
    elif parts.scheme == "file":
        yield from _file(field, parts)
    elif parts.scheme == "https":
        yield from _archive(field, parts)
    else:
        yield f"{field}: {_kind(parts)}; use {places}."


def _output(uri: str, schemes: tuple[str, ...]) -> Iterator[str]:
    field, places = "spec.output.uri", _places(schemes, "leave spec.output out")
    parts = _split(uri)
    if isinstance(parts, str):
        yield f"{field} {parts}: write {places}."
    elif parts.scheme in schemes:
        yield from _objects(field, parts)
        if not parts.path.strip("/"):
            yield f"{field}: the bucket itself cannot be used; name a folder in it, such as {_example(parts)}meshes/banana/."
    elif parts.scheme == "file":
        yield from _file(field, parts)
    else:
        yield f"{field}: {_kind(parts)}; use {places}."


def _kind(parts: SplitResult) -> str:
    if parts.scheme in OBJECT_SCHEMES:
        return f"{parts.scheme}:// is not enabled here (STORAGE_SCHEMES)"
    return f"{parts.scheme or 'no scheme'} is not supported here"


def _places(schemes: tuple[str, ...], last: str) -> str:
    """Return a text such as "file:///folder, s3://bucket/folder/ or https://host/photos.zip"."""
    return f"{', '.join(('file:///folder', *(f'{one}://bucket/folder/' for one in schemes)))} or {last}"


def _example(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}/"


def _objects(field: str, parts: SplitResult) -> Iterator[str]:
    if not BUCKET.fullmatch(parts.netloc):
        yield f"{field} names no bucket; write {parts.scheme}://bucket/folder/."
    if parts.query or parts.fragment:
        yield f"{field}: {parts.scheme}:// takes no '?' or '#'; write %3F or %23 if the name has them."
    if "//" in unquote(parts.path) or "." in unquote(parts.path).split("/"):
        yield f"{field}: the path holds '//' or '/./'; name each folder once."


def _split(uri: str) -> SplitResult | str:
    """Return the parts of an address, or what is wrong with it."""
    if not uri:
        return "is empty"
    if _CONTROL.search(uri) or uri != uri.strip():
        return "has control characters or spaces around it"
    try:
        parts = urlsplit(uri)
        _ = parts.port, parts.hostname  # parsed at this access
    except ValueError as error:
        return f"cannot be read ({_shown(str(error)) if '@' not in uri else 'wrong host or port'})"
    if "@" in parts.netloc:
        return "has a user name or password, which everyone who may read the job would see"
    decoded = unquote(parts.path)
    if _CONTROL.search(decoded):
        return "has control characters"
    if "\\" in decoded:
        return "has backslashes, where slashes are needed"
    if ".." in decoded.split("/"):
        return "contains '..', where the folder itself must be named"
    return parts


def _file(field: str, parts: SplitResult) -> Iterator[str]:
    if parts.netloc:
        yield f"{field}: file:// takes no host; write file:///{_shown(parts.netloc + parts.path)} with three slashes."
    elif not parts.path.startswith("/"):
        yield f"{field}: the path must be absolute; write file:///folder with three slashes."
    elif not parts.path.strip("/."):
        yield f"{field}: the root folder cannot be used; name a folder below it, such as file:///photos/banana."
    if parts.query or parts.fragment:
        yield f"{field}: file:// takes no '?' or '#'; write %3F or %23 if the name has them."


def _archive(field: str, parts: SplitResult) -> Iterator[str]:
    if not parts.hostname:
        yield f"{field} has no host; write https://host/photos.zip."
    elif not unquote(parts.path).lower().endswith(ARCHIVE_SUFFIXES):
        yield (
            f"{field}: https:// takes one archive, and {_shown(parts.path) or 'this address'!r} does not end in "
            f"{', '.join(ARCHIVE_SUFFIXES)}; pack the photos into one."
        )


def _parameters(parameters: Mapping[str, Any]) -> Iterator[str]:
    if _too_deep(parameters):
        yield (
            f"spec.parameters is nested more than {PARAMETERS_MAX_DEPTH} deep; "
            "flatten it: models take plain names and values."
        )
        return  # measuring it might exceed the recursion limit
    size = len(json.dumps(parameters, separators=(",", ":"), default=str).encode())
    if size > PARAMETERS_MAX_BYTES:
        yield (
            f"spec.parameters has {size} bytes of JSON, and at most {PARAMETERS_MAX_BYTES} are allowed; "
            "leave out what the model does not need."
        )


def _queue(queue: str) -> Iterator[str]:
    if queue in RESERVED_QUEUES:  # an older CRD allows it
        yield f"spec.queue: Celery uses the name {queue} for something else; choose another."


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(PARAMETERS_MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(one, Mapping | list | tuple) for one in level)


def _children(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple):
        yield from value


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
