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

_Fitter = Callable[[Any, Any], Any]

_CUT = "…"
_ITEMS = 4_096  # cached items of lists: many jobs share the same conditions


def fit(value: T, known: T | None = None) -> T:
    """Return `value` with long texts and lists truncated and numbers clamped; `value` itself if everything fits.

    Parts shared with `known`, which fits already, are not checked again: fitting is slow.
    """
    changes: dict[str, Any] = {}
    texts, others = _fitters(type(value))  # type: ignore[arg-type]  # a class is hashable
    for name, max_length in texts:  # most fields are texts, and most of them fit
        text = getattr(value, name)
        if text is not None and len(text) > max_length:
            changes[name] = cut(text, max_length)
    for name, fitted in others:
        current = getattr(value, name)
        if current is None or current is (before := getattr(known, name, None)):
            continue
        if (new := fitted(current, before)) is not current:
            changes[name] = new
    return replace(value, **changes) if changes else value  # type: ignore[type-var]  # T is a dataclass


def cut(text: str, max_length: int | None) -> str:
    """Return `text` with at most `max_length` characters; a truncated text ends in an ellipsis."""
    if max_length is None or len(text) <= max_length:
        return text
    return text[: max_length - len(_CUT)] + _CUT


@functools.cache
def _fitters(kind: type[Any]) -> tuple[tuple[tuple[str, int], ...], tuple[tuple[str, _Fitter], ...]]:
    """Return name and maximum length of each limited text, and name and fitting function of each other limited field."""
    hints = typing.get_type_hints(kind)
    texts, others = [], []
    for one in dataclasses.fields(kind):
        hint, its = plain_type(hints[one.name]), shape_of(one)
        if hint is str:
            texts += [] if its.max_length is None else [(one.name, its.max_length)]
        elif (fitter := _fitter(hint, its)) is not None:
            others.append((one.name, fitter))
    return tuple(texts), tuple(others)


def _fitter(hint: Any, its: Shape) -> _Fitter | None:
    """Return a function of a value and the known value; None if the field has no limits."""
    if hint is int:
        return None if its.minimum is its.maximum is None else lambda value, _: _in_range(value, its)
    if typing.get_origin(hint) is tuple:
        return lambda items, known: _fitted_tuple(items, known or (), its)
    if issubclass(typing.get_origin(hint) or hint, Mapping):
        # The parameters of a spec belong to the user.
        return None if its.free_form else lambda mapping, _: _fitted_mapping(mapping, its)
    return fit if dataclasses.is_dataclass(hint) else None


def _in_range(value: int, its: Shape) -> int:
    if its.minimum is not None and value < its.minimum:
        return its.minimum
    if its.maximum is not None and value > its.maximum:
        return its.maximum
    return value


def _fitted_tuple(items: tuple[Any, ...], known: tuple[Any, ...], its: Shape) -> tuple[Any, ...]:
    same = {id(item) for item in known}
    fitted = tuple(item if id(item) in same else _fitted_item(item) for item in items[: its.max_items])
    is_whole = len(fitted) == len(items) and all(new is old for new, old in zip(fitted, items, strict=True))
    return items if is_whole else fitted


@functools.lru_cache(_ITEMS)
def _fitted_item(item: Any) -> Any:
    return fit(item)


def _fitted_mapping(mapping: Mapping[str, Any], its: Shape) -> Mapping[str, Any]:
    fitted = {name: cut(text, its.max_length) for name, text in list(mapping.items())[: its.max_properties]}
    return mapping if fitted == mapping else fitted
