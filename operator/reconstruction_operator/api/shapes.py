"""What the fields of the types say about themselves: text, unit, limits and rules.

They stand as metadata on the dataclass fields. The CRD, `docs/api.md` and the cutting of status texts (`fitting`) are
all made from them, so that a limit is written down once.
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
    """One CEL rule that the API server enforces. `oldSelf` in it makes it a rule about changes."""

    rule: str
    message: str  # says what is wrong and what to do
    field_path: str = ""  # of the field to blame, relative to where the rule stands (".queue")
    reason: RuleReason = "FieldValueInvalid"  # Forbidden prints no value, which is what a rule about a change wants
    optional_old_self: bool = False  # runs when an object is made, too; `oldSelf` is then a CEL optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is to be known of one field beside its name, type and Python default."""

    text: str  # one or more sentences for people
    unit: str = ""
    absent: str = ""  # what holds while the field is absent, for fields without a stored default
    required: bool = False
    stored_default: bool = False  # the API server writes the Python default into the object
    immutable: bool = False
    minimum: int | None = None
    maximum: int | None = None
    pattern: str = ""  # the same text is read by Go (RE2), browsers and Python
    pattern_message: str = ""  # for people, who should not have to read regular expressions
    choices: tuple[str, ...] = ()
    max_length: int | None = None  # characters
    max_items: int | None = None
    max_properties: int | None = None
    list_key: str = ""  # entries of the list are told apart by this field
    free_form: bool = False  # the API server keeps whatever stands in it
    rules: tuple[Rule, ...] = ()


def shape(text: str, **rest: Any) -> Mapping[str, Any]:
    """Metadata for `dataclasses.field`; `rest` are the fields of `Shape`."""
    return {_KEY: Shape(text=text, **rest)}


def shape_of(one: dataclasses.Field[Any]) -> Shape:
    """The shape of a dataclass field.

    Raises:
        TypeError: the field has none; every field of the resource must have one.

    """
    found = one.metadata.get(_KEY)
    if not isinstance(found, Shape):
        raise TypeError(f"the field {one.name} has no shape")
    return found


def default_text(one: dataclasses.Field[Any]) -> str:
    """The default as a user would write it, or in words; empty if there is nothing to say."""
    its = shape_of(one)
    if not its.stored_default:
        return its.absent
    return str(one.default).lower() if isinstance(one.default, bool) else str(one.default)


def description(one: dataclasses.Field[Any]) -> str:
    """Text, unit, default and immutability of a field, as `kubectl explain` prints it."""
    its = shape_of(one)
    parts = [its.text]
    if its.unit:
        parts.append(f"Unit: {its.unit}.")
    if default := default_text(one):
        parts.append(f"Default: {default}.")
    if its.immutable:
        parts.append("Cannot be changed later.")
    return " ".join(parts)
