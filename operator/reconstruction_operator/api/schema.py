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
    if required := [camel(field.name) for field in fields if shape_of(field).required]:
        schema["required"] = required
    schema["properties"] = {camel(field.name): field_schema(field, hints[field.name]) for field in fields}
    return schema | validations(rules)


def field_schema(field: dataclasses.Field[Any], hint: Any) -> Schema:
    """Return the schema of one field: its description, its default, and the limits of its type and shape."""
    shape = shape_of(field)
    schema: Schema = {"description": description(field)}
    if shape.stored_default:
        schema["default"] = field.default
    return schema | _type_schema(hint, shape) | validations((*_pattern_rules(shape), *shape.rules))


def _type_schema(hint: Any, shape: Shape) -> Schema:
    hint = plain_type(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _list_schema(typing.get_args(hint)[0], shape)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping_schema(shape)
    if dataclasses.is_dataclass(hint):
        return object_schema(typing.cast("type[Any]", hint))
    if issubclass(hint, enum.Enum):
        return {"type": "string", "enum": [member.value for member in hint]}
    if hint is datetime:
        return {"type": "string", "format": "date-time"}
    if hint is bool:
        return {"type": "boolean"}
    if hint is int:
        return {"type": "integer"} | _present({"minimum": shape.minimum, "maximum": shape.maximum})
    if hint is str:
        return {"type": "string"} | _present(
            {
                "maxLength": shape.max_length,
                "pattern": None if shape.pattern_message else shape.pattern or None,
                "enum": list(shape.choices) or None,
            }
        )
    raise TypeError(f"the API server has no type for {hint}")


def _list_schema(item: Any, shape: Shape) -> Schema:
    kind: Schema = {"x-kubernetes-list-type": "atomic"}
    if shape.list_key:
        kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [shape.list_key]}
    return {"type": "array", "items": object_schema(item)} | _present({"maxItems": shape.max_items}) | kind


def _mapping_schema(shape: Shape) -> Schema:
    schema: Schema = {"type": "object"} | _present({"maxProperties": shape.max_properties})
    if shape.free_form:
        return schema | {"x-kubernetes-preserve-unknown-fields": True}
    return schema | {"additionalProperties": {"type": "string"} | _present({"maxLength": shape.max_length})}


def _pattern_rules(shape: Shape) -> tuple[Rule, ...]:
    """Return the pattern as a rule with a readable message.

    `pattern` itself would add a second message for the same mistake.
    """
    if not shape.pattern_message:
        return ()
    return (Rule(rule=f"self.matches(r'{shape.pattern}')", message=shape.pattern_message),)


def validations(rules: Sequence[Rule]) -> Schema:
    """Return the `x-kubernetes-validations` of a schema; empty without rules."""
    return {"x-kubernetes-validations": [_validation(rule) for rule in rules]} if rules else {}


def _validation(rule: Rule) -> Schema:
    reason = None if rule.reason == "FieldValueInvalid" else rule.reason
    optional = {
        "fieldPath": rule.field_path or None,
        "reason": reason,
        "optionalOldSelf": rule.optional_old_self or None,
    }
    return {"rule": rule.rule, "message": rule.message} | _present(optional)


def _present(values: Mapping[str, Any]) -> Schema:
    return {name: value for name, value in values.items() if value is not None}
