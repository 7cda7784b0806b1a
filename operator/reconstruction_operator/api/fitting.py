"""Fitting: truncates a status to the limits of the schema, so that the API server never rejects it.

Texts in a status come from workers, models and exceptions, which do not know the limits.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from reconstruction_operator.api.codec import plain_type
from reconstruction_operator.api.shapes import Shape, shape_of

T = TypeVar("T")

_Fitter = Callable[[Any], Any]

_CUT = "…"
_ITEMS = 4_096  # cached items of lists: many jobs share the same conditions


def fit(value: T) -> T:
    """Return `value` with long texts and lists truncated and numbers clamped; `value` itself if everything fits."""
    changes: dict[str, Any] = {}
    texts, others = _fitters(type(value))  # type: ignore[arg-type]  # a class is hashable
    for name, max_length in texts:  # most fields are texts, and most of them fit
        text = getattr(value, name)
        if text is not None and len(text) > max_length:
            changes[name] = cut(text, max_length)
    for name, fitted in others:
        current = getattr(value, name)
        if current is not None and (new := fitted(current)) is not current:
            changes[name] = new
    return replace(value, **changes) if changes else value  # type: ignore[type-var]  # T is a dataclass


def cut(text: str, max_length: int | None) -> str:
    """Return `text` with at most `max_length` characters; a truncated text ends in an ellipsis."""
    if max_length is None or len(text) <= max_length:
        return text
    return text[: max_length - len(_CUT)] + _CUT


@functools.cache
def _fitters(kind: type[Any]) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, _Fitter], ...]]:
    """Return name and maximum length of each limited text, and name and fitting function of each
    other limited field.
    """
    hints = typing.get_type_hints(kind)
    texts, others = [], []
    for field in dataclasses.fields(kind):
        hint = plain_type(hints[field.name])
        shape = shape_of(field)
        if hint is str:
            texts += [] if shape.max_length is None else [(field.name, shape.max_length)]
        elif (fitter := _fitter(hint, shape)) is not None:
            others.append((field.name, fitter))
    return tuple(texts), tuple(others)


def _fitter(hint: Any, shape: Shape) -> _Fitter | None:
    """Return a function of a value; None if the field has no limits."""
    if hint is int:
        return None if shape.minimum is shape.maximum is None else lambda value: _in_range(value, shape)
    if typing.get_origin(hint) is tuple:
        return lambda items: _fitted_tuple(items, shape)
    if issubclass(typing.get_origin(hint) or hint, Mapping):
        # The parameters of a spec belong to the user.
        return None if shape.free_form else lambda mapping: _fitted_mapping(mapping, shape)
    return fit if dataclasses.is_dataclass(hint) else None


def _in_range(value: int, shape: Shape) -> int:
    least = value if shape.minimum is None else max(value, shape.minimum)
    return least if shape.maximum is None else min(least, shape.maximum)


def _fitted_tuple(items: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    fitted = tuple(map(_fitted_item, items[: shape.max_items]))
    return items if fitted == items else fitted


_fitted_item = functools.lru_cache(_ITEMS)(fit)


def _fitted_mapping(mapping: Mapping[str, Any], shape: Shape) -> Mapping[str, Any]:
    fitted = {name: cut(text, shape.max_length) for name, text in list(mapping.items())[: shape.max_properties]}
    return mapping if fitted == mapping else fitted
