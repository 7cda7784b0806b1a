"""Truncation of a status to the limits of the schema, so that the API server never rejects it.

Texts in a status come from workers, models and exceptions, which do not know the limits.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Mapping
from typing import Any, TypeVar

from reconstruction_operator.api.shapes import Shape, shape_of

T = TypeVar("T")

_CUT = "…"


def fit(value: T) -> T:
    """`value` with long texts and lists truncated and numbers clamped; `value` itself if all fits."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{value!r:.80} is not a value of this package's types")
    changes: dict[str, Any] = {}
    for name, its in _shapes(type(value)):
        current = getattr(value, name)
        fitted = _fitted(current, its)
        if fitted is not current:
            changes[name] = fitted
    return dataclasses.replace(value, **changes) if changes else value


@functools.cache
def _shapes(kind: type[Any]) -> tuple[tuple[str, Shape], ...]:
    return tuple((one.name, shape_of(one)) for one in dataclasses.fields(kind))


def cut(text: str, max_length: int | None) -> str:
    """`text` with at most that many characters; a truncated text ends in an ellipsis."""
    if max_length is None or len(text) <= max_length:
        return text
    return text[: max_length - len(_CUT)] + _CUT


def _fitted(value: Any, its: Shape) -> Any:
    if value is None or isinstance(value, (bool, enum.Enum)):
        return value
    if isinstance(value, str):
        return cut(value, its.max_length)
    if isinstance(value, int):
        return _in_range(value, its)
    if isinstance(value, tuple):
        return _fitted_tuple(value, its)
    if isinstance(value, Mapping):
        return _fitted_mapping(value, its)
    return fit(value) if dataclasses.is_dataclass(value) else value


def _in_range(value: int, its: Shape) -> int:
    if its.minimum is not None and value < its.minimum:
        return its.minimum
    if its.maximum is not None and value > its.maximum:
        return its.maximum
    return value


def _fitted_tuple(items: tuple[Any, ...], its: Shape) -> tuple[Any, ...]:
    fitted = tuple(fit(item) for item in items[: its.max_items])
    same = len(fitted) == len(items) and all(new is old for new, old in zip(fitted, items, strict=True))
    return items if same else fitted


def _fitted_mapping(mapping: Mapping[str, Any], its: Shape) -> Mapping[str, Any]:
    if its.free_form:  # a spec's parameters, which are the user's
        return mapping
    fitted = {name: cut(text, its.max_length) for name, text in list(mapping.items())[: its.max_properties]}
    return mapping if fitted == mapping else fitted
