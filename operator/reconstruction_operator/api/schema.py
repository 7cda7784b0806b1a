"""OpenAPI v3 schemas for the API server, made from the types of this package."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reconstruction_operator.api.codec import camel, plain_type
from reconstruction_operator.api.shapes import Rule, Shape, description, shape_of

Schema = dict[str, Any]


def object_schema(kind: type[Any], rules: Sequence[Rule] = ()) -> Schema:
    """Return the schema of a dataclass; every field needs a shape."""
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    schema: Schema = {"type": "object"}
    if required := [camel(one.name) for one in fields if shape_of(one).required]:
        schema["required"] = required
    schema["properties"] = {camel(one.name): field_schema(one, hints[one.name]) for one in fields}
    return schema | validations(rules)


def field_schema(one: dataclasses.Field[Any], hint: Any) -> Schema:
    """Return the schema of one field: its description, its default, and the limits of its type and shape."""
    its = shape_of(one)
    schema: Schema = {"description": description(one)}
    if its.stored_default:
        schema["default"] = one.default
    return schema | _type_schema(hint, its) | validations((*_pattern_rules(its), *its.rules))


def _type_schema(hint: Any, its: Shape) -> Schema:
    hint = plain_type(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _list_schema(typing.get_args(hint)[0], its)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_schema(its)
    if dataclasses.is_dataclass(hint):
        return object_schema(typing.cast("type[Any]", hint))
    if issubclass(hint, enum.Enum):
        return {"type": "string", "enum": [one.value for one in hint]}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if hint is bool:
        return {"type": "boolean"}
    if hint is int:
        return {"type": "integer"} | _present({"minimum": its.minimum, "maximum": its.maximum})
    if hint is str:
        return {"type": "string"} | _present(
            {
                "maxLength": its.max_length,
                "pattern": None if its.pattern_message else its.pattern or None,
                "enum": list(its.choices) or None,
            }
        )
    raise TypeError(f"the API server has no type for {hint}")


def _list_schema(item: Any, its: Shape) -> Schema:
    kind: Schema = {"x-kubernetes-list-type": "atomic"}
    if its.list_key:
        kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [its.list_key]}
    return {"type": "array", "items": object_schema(item)} | _present({"maxItems": its.max_items}) | kind


def _mapping_schema(its: Shape) -> Schema:
    schema: Schema = {"type": "object"} | _present({"maxProperties": its.max_properties})
    if its.free_form:
        return schema | {"x-kubernetes-preserve-unknown-fields": True}
    return schema | {"additionalProperties": {"type": "string"} | _present({"maxLength": its.max_length})}


def _pattern_rules(its: Shape) -> tuple[Rule, ...]:
    """Return the pattern as a rule with a readable message. `pattern` itself would add a second message for the same mistake."""
    if not its.pattern_message:
        return ()
    return (Rule(rule=f"self.matches(r'{its.pattern}')", message=its.pattern_message),)


def validations(rules: Sequence[Rule]) -> Schema:
    """Return the `x-kubernetes-validations` of a schema; empty without rules."""
    return {"x-kubernetes-validations": [_validation(one) for one in rules]} if rules else {}


def _validation(one: Rule) -> Schema:
    reason = None if one.reason == "FieldValueInvalid" else one.reason
    optional = {"fieldPath": one.field_path or None, "reason": reason, "optionalOldSelf": one.optional_old_self or None}
    return {"rule": one.rule, "message": one.message} | _present(optional)


def _present(values: Mapping[str, Any]) -> Schema:
    return {name: value for name, value in values.items() if value is not None}
