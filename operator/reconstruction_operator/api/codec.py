"""Codec between the frozen types of this package and the API server's JSON (camelCase, RFC 3339 times).

Encoder and decoder of a type are composed once from its annotations: each job is encoded and decoded several times a
second.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import operator
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, Union

T = TypeVar("T")

_Convert = Callable[[Any], Any]
_TIMES: Final = 4096  # times in each cache: the conditions of a job share a few


@functools.cache
def camel(name: str) -> str:
    """Return a `snake_case` name as `camelCase`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


@functools.lru_cache(_TIMES)
def format_time(value: datetime) -> str:
    """Return the time as RFC 3339 in UTC with whole seconds, as metav1.Time."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.lru_cache(_TIMES)
def parse_time(text: str) -> datetime:
    """Return an aware datetime in UTC.

    Raises ValueError if `text` is no RFC 3339 time, OverflowError if UTC is out of range.
    """
    return datetime.fromisoformat(text).astimezone(UTC)


def encode(value: Any) -> dict[str, Any]:
    """Return the JSON of a dataclass of this package.

    Optional fields that are empty (None, empty text, tuple or mapping) are left out.
    """
    encoded: dict[str, Any] = {}
    for name, key, may_be_empty, convert in _encoders(type(value)):  # type: ignore[arg-type]  # a class is hashable
        item = getattr(value, name)
        if item is None or (may_be_empty and not item):
            continue
        encoded[key] = item if convert is None else convert(item)
    return encoded


def same(first: T, second: T) -> bool:
    """Return whether `encode` makes the same JSON of both. Only the fields that differ are encoded."""
    for name, _, may_be_empty, convert in _encoders(type(first)):  # type: ignore[arg-type]  # a class is hashable
        before = getattr(first, name)
        after = getattr(second, name)
        if before == after or (may_be_empty and not before and not after):
            continue
        if not before or not after or convert is None or convert(before) != convert(after):
            return False
    return True


def decode(kind: type[T], data: object) -> T:
    """Return a `kind` (a dataclass of this package) made from JSON.

    Fields that are absent or of a wrong type get their default.

    The API server has validated the object, but an object of an older or newer CRD must never stop the loop.
    """
    values: dict[str, Any] = {}
    if isinstance(data, Mapping):
        for name, key, convert in _decoders(kind):  # type: ignore[arg-type]  # a class is hashable
            raw = data.get(key)
            if raw is None:
                continue
            try:
                values[name] = convert(raw)
            except (TypeError, ValueError, OverflowError):
                continue
    return kind(**values)


@functools.cache
def _encoders(kind: type[Any]) -> tuple[tuple[str, str, bool, _Convert | None], ...]:
    """Return for each field its name, its key, whether its type has an empty value, and its encoder
    (see `_encoder`).
    """
    hints = typing.get_type_hints(kind)
    encoders = []
    for field in dataclasses.fields(kind):
        hint = plain_type(hints[field.name])
        base = typing.get_origin(hint) or hint
        is_optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        may_be_empty = is_optional and issubclass(base, str | tuple | Mapping)
        encoders.append((field.name, camel(field.name), may_be_empty, _encoder(hint)))
    return tuple(encoders)


def _encoder(hint: Any) -> _Convert | None:
    """Return the encoder of a type; None if its values are JSON already."""
    origin = typing.get_origin(hint)
    if origin is tuple:
        item = _encoder(typing.get_args(hint)[0])
        return list if item is None else lambda items: list(map(item, items))
    if origin is not None and issubclass(origin, Mapping):
        return dict
    if dataclasses.is_dataclass(hint):
        return encode
    if hint is datetime:
        return format_time
    if hint is Path:
        return str
    return operator.attrgetter("value") if issubclass(hint, enum.Enum) else None


@functools.cache
def _decoders(kind: type[Any]) -> tuple[tuple[str, str, _Convert], ...]:
    """Return for each field its name, its key and its decoder."""
    hints = typing.get_type_hints(kind)
    return tuple((field.name, camel(field.name), _decoder(hints[field.name])) for field in dataclasses.fields(kind))


def _decoder(hint: Any) -> _Convert:
    """Return the decoder of a type, which raises TypeError, ValueError or OverflowError for another value."""
    hint = plain_type(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return functools.partial(_decode_list, _decoder(typing.get_args(hint)[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _decode_mapping
    if dataclasses.is_dataclass(hint):
        return functools.partial(decode, typing.cast("type[Any]", hint))
    if hint is datetime:
        return parse_time
    if hint is Path:
        return lambda raw: Path(_decode_plain(str, raw))
    return typing.cast(_Convert, hint) if issubclass(hint, enum.Enum) else functools.partial(_decode_plain, hint)


def _decode_list(item: _Convert, raw: Any) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise TypeError("expected a list")
    return tuple(map(item, raw))


def _decode_mapping(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise TypeError("expected a mapping")
    return dict(raw)


def _decode_plain(kind: type, raw: Any) -> Any:
    if type(raw) is not kind:
        raise TypeError(f"expected {kind.__name__}")
    return raw


def plain_type(hint: Any) -> Any:
    """Return `hint` without `| None`."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return next(arm for arm in typing.get_args(hint) if arm is not types.NoneType)
    return hint
