"""Parsing: the JSON of the API server.

It holds whatever a tenant may store, so that one hostile object never stops a program.

A tenant may nest an object's free-form fields, such as `metadata.managedFields`, thousands of levels deep. What is
nested deeper than any valid object becomes null, and `report` gets the name of that object. Pages and events are
divided into objects without decoding these, so that each object is decoded only as far as it is needed.
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

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.kube.errors import ApiError

_log = logging.getLogger(__name__)

MAX_DEPTH: Final = 32  # a valid job has 8 levels
UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
"""What a msgspec decoder raises: it is stricter than the API server about text and depth."""
_OBJECT_LEVELS: Final = 2  # above an object: a list and its items
# Up to the next bracket outside texts
_BRACKET: Final = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+[\[\]{}]', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_MANAGED_BYTES: Final = 1 << 16  # an ordinary job has some kB of managed fields

Encoded = bytes | msgspec.Raw
"""One object as JSON."""

Report = Callable[[str], None]
"""Called with the name of each object that was cut."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list.

    `token` requests the next page; empty on the last page. `version`: the list's resource version, 0 if unknown.
    """

    items: Sequence[Encoded]
    version: int
    token: str


@dataclass(frozen=True, slots=True)
class Head:
    """The key and resource version of an object."""

    key: JobRef
    version: int


class _ListMetadata(msgspec.Struct, rename="camel", gc=False):
    resource_version: str = ""
    token: str = msgspec.field(name="continue", default="")


class _List(msgspec.Struct, gc=False):
    metadata: _ListMetadata = msgspec.field(default_factory=_ListMetadata)
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct, gc=False):
    type: str
    object: msgspec.Raw


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    namespace: str
    name: str
    uid: str
    resource_version: str = ""


class _Head(msgspec.Struct, gc=False):
    metadata: _Metadata


_lists: Final = msgspec.json.Decoder(_List)
_events: Final = msgspec.json.Decoder(_Event)
_heads: Final = msgspec.json.Decoder(_Head)


def warn(name: str) -> None:
    """Log that an object was cut."""
    _log.warning(
        "%s is nested more than %d levels deep, or has large managed fields; these are ignored", name, MAX_DEPTH
    )


def parse(text: bytes, report: Report = warn) -> Any:
    """Parse JSON. Values nested deeper than `MAX_DEPTH` become null. Raises ValueError if `text` is not JSON."""
    lean = _lean(text)
    shallow, places = _shallow(lean)
    parsed = _decoded(shallow)
    if places or lean is not text:
        body = parsed.get("object", parsed) if isinstance(parsed, dict) else {}
        _report([key_of(body) if isinstance(body, dict) else None], report)
    return parsed


def page(text: bytes, report: Report = warn) -> Page:
    """Divide a page of a list into objects. Raises ValueError if the text is not a page."""
    text, places = _shallow(text)
    listed = _lists.decode(text)
    items = listed.items or []
    _report([_key(items[place]) for place in sorted(places) if 0 <= place < len(items)], report)
    return Page(items, number_of(listed.metadata.resource_version), listed.metadata.token)


def event(line: bytes, report: Report = warn) -> tuple[str, Encoded]:
    """Divide a line of a watch into type and object. Raises ValueError if the line is not an event."""
    lean = _lean(line)
    shallow, places = _shallow(lean)
    decoded = _events.decode(shallow)
    if places or lean is not line:
        _report([_key(decoded.object)], report)
    return decoded.type, decoded.object


def head(body: Encoded) -> Head | None:
    """Decode key and version of an object; None if it lacks a field that every stored object has."""
    try:
        metadata = _heads.decode(body).metadata
    except UNREADABLE:
        return None
    key = JobRef(sys.intern(metadata.namespace), metadata.name, metadata.uid)
    return Head(key, number_of(metadata.resource_version))


def mapping(body: Encoded) -> Mapping[str, Any]:
    """Parse an object of a page or an event; empty if it is not one. Raises ValueError if it is not JSON."""
    parsed = _decoded(_lean(bytes(body)))
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


def key_of(body: Mapping[str, Any]) -> JobRef | None:
    """Return the key of a parsed object; None if it lacks a field that every stored object has."""
    metadata = body.get("metadata")
    if not isinstance(metadata, Mapping):
        return None
    namespace, name, uid = (metadata.get(part) for part in ("namespace", "name", "uid"))
    if isinstance(namespace, str) and isinstance(name, str) and isinstance(uid, str):
        return JobRef(namespace, name, uid)
    return None


def version_of(body: Mapping[str, Any]) -> int:
    """Return the resource version as a number, 0 if it is not a number.

    Larger is newer (guaranteed by the API since 1.35, true before).
    """
    metadata = body.get("metadata")
    return number_of(str(metadata.get("resourceVersion", ""))) if isinstance(metadata, Mapping) else 0


def number_of(resource_version: str) -> int:
    """Return the resource version as a number, 0 if it is not a number."""
    return int(resource_version) if re.fullmatch("[0-9]{1,99}", resource_version) else 0


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        pass
    try:
        return json.loads(text)
    except RecursionError:  # of a text that is not an object of a page or an event: those are shallow
        raise ValueError("the JSON is nested too deep") from None


def _lean(text: bytes) -> bytes:
    """Return an object's JSON without large managed fields: to cut and decode 1 MB of them takes 0.2 to 0.4 s.

    The API server writes them as the first list of this name, after other metadata and before `name` and `spec`. The
    name of a field of theirs begins with "f:", and a quotation mark in a text is escaped, so no tenant can forge their
    end.
    """
    start = text.find(b',"managedFields":[')
    end = text.find(b'],"name":"', start) + 1
    if start < 0 or end - start <= _MANAGED_BYTES or b',"spec":' in text[:end]:
        return text
    return text[:start] + text[end:]


def _shallow(text: bytes) -> tuple[bytes, set[int]]:
    """Return the text without values nested too deep, and the places in a list of the objects that were cut."""
    brackets = text.translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        count = len(brackets)
        brackets = brackets.replace(b"[]", b"")  # removes the innermost level
        if len(brackets) == count:
            break
    return _cut(text) if brackets else (text, set())  # or a text contains brackets


def _cut(text: bytes) -> tuple[bytes, set[int]]:
    parts, depth, copied, item, places = [], 0, 0, -1, set()
    for bracket in _BRACKET.finditer(text):
        end = bracket.end()
        if text[end - 1] in b"[{":
            depth += 1
            item += depth == _OBJECT_LEVELS + 1
            if depth == MAX_DEPTH + 1:
                parts += [text[copied : end - 1], b"null"]
                places.add(item)
        else:
            if depth == MAX_DEPTH + 1:
                copied = end
            depth -= 1
    return b"".join([*parts, text[copied:]]), places


def _key(body: Encoded) -> JobRef | None:
    decoded = head(body)
    return None if decoded is None else decoded.key


def _report(keys: Sequence[JobRef | None], report: Report) -> None:
    for key in keys:
        report("an object without a name" if key is None else str(key))


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None  # a date, which API servers do not send; the caller has its own delay
