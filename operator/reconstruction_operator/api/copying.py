"""Copying: `dataclasses.replace` for the frozen types of this project, several times as fast. A status has thirty fields."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def replace(value: T, /, **changes: Any) -> T:
    """A copy of a dataclass with other values for these fields. Raises TypeError for a field that it does not have."""
    kind: type[Any] = type(value)
    names, get = _fields(kind)  # type: ignore[arg-type]  # a class is hashable
    made: T = kind(**dict(zip(names, get(value), strict=True)) | changes)
    return made


@functools.cache
def _fields(kind: type[Any]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The names of all fields, and what gets their values, of a dataclass with two fields or more."""
    names = tuple(one.name for one in dataclasses.fields(kind))
    return names, operator.attrgetter(*names)
