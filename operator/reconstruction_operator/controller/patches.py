"""Status patches: what differs, as a JSON merge patch (RFC 7386), where null removes a field."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status


def status_patch(key: JobKey, stored: Status, wanted: Status, *, whole: bool) -> dict[str, Any] | None:
    """The body of a PATCH of /status, or None if nothing differs.

    `metadata.uid` is a precondition: a new object of the same name answers 409 and is never written by mistake.
    `whole` sends every field, null for those that `wanted` does not have: for changes of phase, after which nothing
    stale may be left even if our view of the stored status was old. Otherwise only what differs is sent.
    """
    before, after = codec.encode(stored), codec.encode(wanted)
    if before == after:
        return None
    body = merge_patch(_with_all_fields(Status, before) if whole else before, after, keep_equal=whole)
    return {"metadata": {"uid": key.uid}, "status": body}


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any], *, keep_equal: bool = False) -> dict[str, Any]:
    """What makes `after` of `before`; with `keep_equal`, what is equal is sent as well."""
    patch: dict[str, Any] = dict.fromkeys(name for name in before if name not in after)
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = merge_patch(old, value, keep_equal=keep_equal)
            if inner or keep_equal:
                patch[name] = inner
        elif keep_equal or old != value:
            patch[name] = value
    return patch


def _with_all_fields(kind: type[Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """`known`, and null for every other field of the dataclass `kind`, nested ones included."""
    fields: dict[str, Any] = {codec.camel(one.name): None for one in dataclasses.fields(kind)}
    for name, hint in typing.get_type_hints(kind).items():
        inner = next((arm for arm in typing.get_args(hint) if dataclasses.is_dataclass(arm)), None)
        if inner is not None and typing.get_origin(hint) is not tuple:
            fields[codec.camel(name)] = _with_all_fields(typing.cast("type[Any]", inner), {})
    for name, value in known.items():
        both = isinstance(value, Mapping) and isinstance(fields.get(name), Mapping)
        fields[name] = {**fields[name], **value} if both else value
    return fields
