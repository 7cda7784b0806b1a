"""Shapes: description, unit, limits and rules of each field of the resource, as metadata of the dataclass field.

The CRD, docs/api.md and the truncation of a status (`fitting`) are made from them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

_KEY = "shape"

RuleReason = Literal["FieldValueInvalid", "FieldValueForbidden"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One CEL rule that the API server enforces. With `oldSelf` it is a transition rule."""

    rule: str
    message: str  # what is wrong, and what to do
    field_path: str = ""  # the wrong field, relative to the rule's schema (".queue")
    reason: RuleReason = "FieldValueInvalid"  # Forbidden does not print the value
    optional_old_self: bool = False  # also runs at creation; `oldSelf` is a CEL optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One field, besides its name, type and Python default."""

    text: str  # one or more sentences
    unit: str = ""
    absent: str = ""  # meaning of an absent field, for fields without a stored default
    required: bool = False
    stored_default: bool = False  # the API server writes the Python default into the object
    immutable: bool = False
    minimum: int | None = None
    maximum: int | None = None
    pattern: str = ""  # valid in Go (RE2), browsers and Python
    pattern_message: str = ""  # the pattern in words
    choices: tuple[str, ...] = ()
    max_length: int | None = None  # characters
    max_items: int | None = None
    max_properties: int | None = None
    list_key: str = ""  # the field that identifies an entry of the list
    free_form: bool = False  # the API server keeps unknown fields
    rules: tuple[Rule, ...] = ()


def shape(text: str, **rest: Any) -> Mapping[str, Any]:
    """Return metadata for `dataclasses.field`; `rest` are the fields of `Shape`."""
    return {_KEY: Shape(text=text, **rest)}


def member(default: Any, text: str, **rest: Any) -> Any:
    """Return a dataclass field with a shape. If `default` is a class, it is called for each object."""
    metadata = shape(text, **rest)
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def shape_of(field: dataclasses.Field[Any]) -> Shape:
    """Return the shape of a dataclass field.

    Raises TypeError if the field has none; every field of the resource must have one.
    """
    shape = field.metadata.get(_KEY)
    if not isinstance(shape, Shape):
        raise TypeError(f"the field {field.name} has no shape")
    return shape


def default_text(field: dataclasses.Field[Any]) -> str:
    """Return the default as a user would write it, or in words; empty if there is none."""
    shape = shape_of(field)
    if not shape.stored_default:
        return shape.absent
    return str(field.default).lower() if isinstance(field.default, bool) else str(field.default)


def description(field: dataclasses.Field[Any]) -> str:
    """Return text, unit, default and immutability of a field, as `kubectl explain` prints it."""
    shape = shape_of(field)
    parts = [shape.text]
    if shape.unit:
        parts.append(f"Unit: {shape.unit}.")
    if default := default_text(field):
        parts.append(f"Default: {default}.")
    if shape.immutable:
        parts.append("Cannot be changed later.")
    return " ".join(parts)
