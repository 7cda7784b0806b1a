"""Validation of a spec beyond the rules of the CRD (`api.spec`), which the API server has checked already.

Each message names the mistake and what to write instead. Messages are written into the status, which every reader of
the job sees. So they never quote what may be a secret: user names, passwords, queries of signed addresses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from reconstruction_operator.api.spec import CONTROL, Spec
from reconstruction_operator.readers import BUCKET

ARCHIVE_SUFFIXES: Final = (".zip", ".tar", ".tar.gz", ".tgz")
PARAMETERS_MAX_BYTES: Final = 16 * 1024  # of JSON: every message carries them
PARAMETERS_MAX_DEPTH: Final = 8  # of nested mappings and lists

_CONTROL = re.compile(f"[{CONTROL}]")
_SHOWN_CHARACTERS = 200


def problems(spec: Spec, schemes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the mistakes in the spec, each a sentence that names its field.

    `schemes`: of the enabled object storage.
    """
    source, target = spec.input.uri, spec.output
    listed = [*_location("spec.input.uri", source, schemes, "https://host/photos.zip", is_output=False)]
    if target is not None:
        listed += _location("spec.output.uri", target.uri, schemes, "leave spec.output out", is_output=True)
    return (*listed, *_parameters(spec.parameters))


def _location(field: str, uri: str, schemes: tuple[str, ...], alternative: str, *, is_output: bool) -> Iterator[str]:
    places = f"{', '.join(('file:///folder', *(f'{scheme}://bucket/folder/' for scheme in schemes)))} or {alternative}"
    parts = _split(uri)
    if isinstance(parts, str):
        yield f"{field} {parts}: write {places}."
    elif parts.scheme in schemes:
        yield from _objects(field, parts)
        if is_output and not parts.path.strip("/"):
            example = f"{parts.scheme}://{parts.netloc}/meshes/banana/"
            yield f"{field}: the bucket itself cannot be used; name a folder in it, such as {example}."
    elif parts.scheme == "file":
        yield from _file(field, parts)
    elif is_output or parts.scheme != "https":
        yield f"{field}: {parts.scheme}:// is not enabled here (STORAGE_SCHEMES); use {places}."
    elif not parts.hostname:
        yield f"{field} has no host; write https://host/photos.zip."


def _objects(field: str, parts: SplitResult) -> Iterator[str]:
    if not BUCKET.fullmatch(parts.netloc):
        yield f"{field} names no bucket; write {parts.scheme}://bucket/folder/."
    if parts.query or parts.fragment:
        yield f"{field}: {parts.scheme}:// takes no '?' or '#'; write %3F or %23 if the name has them."
    if "//" in unquote(parts.path) or "." in unquote(parts.path).split("/"):
        yield f"{field}: the path holds '//' or '/./'; name each folder once."


def _split(uri: str) -> SplitResult | str:
    """Return the parts of an address, or what is wrong with it."""
    try:
        parts = urlsplit(uri)
        _ = parts.port, parts.hostname  # parsed at this access
    except ValueError as error:
        return f"cannot be read ({str(error)[:_SHOWN_CHARACTERS] if '@' not in uri else 'wrong host or port'})"
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
    if not parts.path.strip("/."):
        yield f"{field}: the root folder cannot be used; name a folder below it, such as file:///photos/banana."
    if parts.query or parts.fragment:
        yield f"{field}: file:// takes no '?' or '#'; write %3F or %23 if the name has them."


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


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(PARAMETERS_MAX_DEPTH):
        children = (child for parent in level for child in (parent.values() if isinstance(parent, Mapping) else parent))
        level = [child for child in children if isinstance(child, Mapping | list | tuple)]
    return bool(level)
