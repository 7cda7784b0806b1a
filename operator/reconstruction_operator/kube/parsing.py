"""Parsing: the JSON of the API server. It holds whatever a tenant may store, so that one hostile object never stops a program.

A tenant may nest an object's free-form fields, such as `metadata.managedFields`, thousands of levels deep. What is nested deeper than
any valid object becomes null, and `report` gets the name of that object. Pages and events are divided into objects without
decoding these, so that each object is decoded only as far as it is needed.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.kube.errors import ApiError

_log = logging.getLogger(__name__)

MAX_DEPTH: Final = 32  # a valid job has 8 levels
UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What a msgspec decoder raises: it is stricter than the API server about text and depth."""
_OBJECT_LEVELS: Final = 2  # above an object: a list and its items
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))

Encoded = bytes | msgspec.Raw | Mapping[str, Any]
"""One object, as JSON or parsed."""

Report = Callable[[str], None]
"""Called with the name of each object that was cut."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list. `token` requests the next page; empty on the last page. `version`: the list's resource version, 0 if unknown."""

    items: Sequence[Encoded]
    version: int
    token: str


@dataclass(frozen=True, slots=True)
class Head:
    """The key and resource version of an object."""

    key: JobKey
    version: int


class _ListMetadata(msgspec.Struct, rename="camel", gc=False):
    resource_version: str = ""
    token: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, gc=False):
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


class _Head(msgspec.Struct, gc=False):
    metadata: _Metadata


_lists: Final = msgspec.json.Decoder(_List)
_events: Final = msgspec.json.Decoder(_Event)
_heads: Final = msgspec.json.Decoder(_Head)


def warn(name: str) -> None:
    """Log that an object was cut."""
    _log.warning("%s is nested more than %d levels deep; the rest of it is ignored", name, MAX_DEPTH)


def parse(text: bytes, report: Report = warn) -> Any:
    """Parse JSON. Values nested deeper than `MAX_DEPTH` become null. Raises ValueError if `text` is not JSON."""
    places: set[int] = set()
    if _may_be_deep(text):
        text, places = _cut(text)
    try:
        parsed = msgspec.json.decode(text)
    except UNREADABLE:
        parsed = json.loads(text)
    if places:
        _report(parsed, places, report)
    return parsed


def page(text: bytes, report: Report = warn) -> Page:
    """Divide a page of a list into objects. Raises ValueError if the text is not a page."""
    try:
        listed = _lists.decode(text)
    except UNREADABLE:
        parsed = parse(text, report)
        if not isinstance(parsed, dict):
            raise ValueError("the page of a list is not a JSON object") from None  # noqa: TRY004  # the text is wrong
        metadata = parsed.get("metadata")
        token = str(metadata.get("continue") or "") if isinstance(metadata, dict) else ""
        return Page(_mappings(parsed.get("items")), version_of(parsed), token)
    return Page(listed.items or (), number_of(listed.metadata.resource_version), listed.metadata.token)


def event(line: bytes, report: Report = warn) -> tuple[str, Encoded]:
    """Divide a line of a watch into type and object. Raises ValueError if the line is not an event."""
    try:
        decoded = _events.decode(line)
    except UNREADABLE:
        parsed = parse(line, report)
        if not isinstance(parsed, dict) or not isinstance(parsed.get("object"), Mapping):
            raise ValueError("the line of a watch has no object") from None  # noqa: TRY004  # the same
        return str(parsed.get("type")), parsed["object"]
    return decoded.type, decoded.object


def head(body: Encoded, report: Report = warn) -> Head | None:
    """Decode key and version of an object; None if it lacks a field that every stored object has."""
    if not isinstance(body, Mapping):
        try:
            metadata = _heads.decode(body).metadata
        except UNREADABLE:
            body = mapping(body, report)
        else:
            key = JobKey(sys.intern(metadata.namespace), metadata.name, metadata.uid)
            return Head(key, number_of(metadata.resource_version))
    key_of_mapping = key_of(body)
    return None if key_of_mapping is None else Head(key_of_mapping, version_of(body))


def mapping(body: Encoded, report: Report = warn) -> Mapping[str, Any]:
    """Parse an object; empty if it is not one. Raises ValueError if it is not JSON."""
    parsed = body if isinstance(body, Mapping) else parse(bytes(body), report)
    return parsed if isinstance(parsed, Mapping) else {}


def refusal(status: int, text: bytes, retry_after: str | None = None) -> ApiError:
    """Return the error of a response with status 400 or more."""
    try:
        parsed = parse(text)
    except ValueError:
        parsed = None
    details = parsed if isinstance(parsed, dict) else {}
    message = str(details.get("message") or text[:200].decode("utf-8", "replace"))
    metadata = details.get("metadata")
    token = metadata.get("continue") if isinstance(metadata, dict) else None
    return ApiError(
        status, str(details.get("reason", "")), message, _seconds(retry_after), continue_token=str(token or "")
    )


def key_of(body: Mapping[str, Any]) -> JobKey | None:
    """Return the key of a parsed object; None if it lacks a field that every stored object has."""
    metadata = body.get("metadata")
    if not isinstance(metadata, Mapping):
        return None
    namespace, name, uid = (metadata.get(part) for part in ("namespace", "name", "uid"))
    if isinstance(namespace, str) and isinstance(name, str) and isinstance(uid, str):
        return JobKey(namespace, name, uid)
    return None


def version_of(body: Mapping[str, Any]) -> int:
    """Return the resource version as a number, 0 if it is not a number. Larger is newer (guaranteed by the API since 1.35, true before)."""
    metadata = body.get("metadata")
    return number_of(str(metadata.get("resourceVersion", ""))) if isinstance(metadata, Mapping) else 0


def number_of(resource_version: str) -> int:
    """Return the resource version as a number, 0 if it is not a number."""
    return int(resource_version) if resource_version.isascii() and resource_version.isdigit() else 0


def _may_be_deep(text: bytes) -> bool:
    """Return whether values may be nested deeper than `MAX_DEPTH`; always true from twice that depth on."""
    brackets = text.translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return False
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")  # removes the innermost level, perhaps two
    return bool(brackets)  # or a text contains brackets


def _cut(text: bytes) -> tuple[bytes, set[int]]:
    """Cut values nested too deep; return the text, and the places in the list of the objects that were cut."""
    parts, depth, copied, item, places = [], 0, 0, -1, set()
    for token in _TOKEN.finditer(text):
        match token[0]:
            case b"[" | b"{":
                depth += 1
                item += depth == _OBJECT_LEVELS + 1
                if depth == MAX_DEPTH + 1:
                    parts += [text[copied : token.start()], b"null"]
                    places.add(item)
            case b"]" | b"}":
                if depth == MAX_DEPTH + 1:
                    copied = token.end()
                depth -= 1
    return b"".join([*parts, text[copied:]]), places


def _report(parsed: Any, places: set[int], report: Report) -> None:
    """Report the objects that were cut, in a list, a watch event or a response with one object."""
    items = parsed.get("items") if isinstance(parsed, dict) else None
    bodies = [parsed.get("object", parsed)] if isinstance(parsed, dict) else []
    if isinstance(items, list):
        bodies = [body for place, body in enumerate(items) if place in places]
    for body in bodies or [None]:
        key = key_of(body) if isinstance(body, dict) else None
        report(f"{key.namespace}/{key.name}" if key else "an object without a name")


def _mappings(values: object) -> list[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None  # a date, which API servers do not send; the caller has its own delay
