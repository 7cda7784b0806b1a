"""Codec between the frozen types of this package and the API server's JSON (camelCase, RFC 3339 times)."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar, Union

T = TypeVar("T")


def camel(name: str) -> str:
    """`snake_case` as `camelCase`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as metav1.Time."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """An aware datetime in UTC. Raises ValueError if it is not an RFC 3339 time."""
    return datetime.fromisoformat(text).astimezone(UTC)


def encode(value: Any) -> Any:
    """JSON of a value of this package's types, without empty fields (None, empty text, tuple or mapping)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((camel(one.name), getattr(value, one.name)) for one in dataclasses.fields(value))
        return {name: encode(item) for name, item in pairs if item is not None and item not in ("", (), {})}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Mapping):
        return {str(name): encode(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], data: object) -> T:
    """A `kind` (a dataclass of this package) from JSON. Absent fields and those of a wrong type get their default.

    The API server has validated the objects. But an object of an older or newer CRD must never stop the loop.
    """
    mapping = data if isinstance(data, Mapping) else {}
    values: dict[str, Any] = {}
    for name, hint in _hints(kind).items():  # type: ignore[arg-type]  # a class is hashable
        raw = mapping.get(camel(name))
        if raw is None:
            continue
        try:
            values[name] = _decode(hint, raw)
        except (TypeError, ValueError):
            continue
    return kind(**values)


@functools.cache  # get_type_hints is slow
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    return typing.get_type_hints(kind)


def _decode(hint: Any, raw: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in (Union, types.UnionType):
        return _decode(next(arm for arm in typing.get_args(hint) if arm is not types.NoneType), raw)
    if origin is tuple:
        if not isinstance(raw, list):
            raise TypeError("expected a list")
        return tuple(_decode(typing.get_args(hint)[0], item) for item in raw)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(raw, Mapping):
            raise TypeError("expected a mapping")
        return dict(raw)
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast("type[Any]", hint), raw)
    if hint is datetime:
        return parse_time(raw)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(raw)
    if hint in (int, str, bool) and type(raw) is not hint:
        raise TypeError(f"expected {hint.__name__}")
    return raw
