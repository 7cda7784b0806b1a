"""Cuts values to what the schema allows, so that the API server never refuses a status for its size.

Texts in a status come from workers, models and exceptions, which know nothing of the schema.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, TypeVar

from reconstruction_operator.api.shapes import Shape, shape_of

T = TypeVar("T")

_CUT = "…"


def fit(value: T) -> T:
    """The same dataclass (`value` itself if nothing is too big): long texts and lists are cut, numbers brought into range."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{value!r:.80} is no value of this package's types")
    changes: dict[str, Any] = {}
    for one in dataclasses.fields(value):
        current = getattr(value, one.name)
        fitted = _fitted(current, shape_of(one))
        if fitted is not current:
            changes[one.name] = fitted
    return dataclasses.replace(value, **changes) if changes else value


def cut(text: str, max_length: int | None) -> str:
    """`text` with at most that many characters; the end of a cut one shows that something is missing."""
    if max_length is None or len(text) <= max_length:
        return text
    return text[: max_length - len(_CUT)] + _CUT


def _fitted(value: Any, its: Shape) -> Any:
    if value is None or isinstance(value, bool | enum.Enum):
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
    if its.free_form:  # a spec's parameters are never ours to change
        return mapping
    fitted = {name: cut(text, its.max_length) for name, text in list(mapping.items())[: its.max_properties]}
    return mapping if fitted == mapping else fitted
