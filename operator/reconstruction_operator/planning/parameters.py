"""Parameter check: compares a job's parameters with the JSON Schema that a worker has announced for the model.

Only simple keywords of a schema are used. Others, such as patterns and references, are ignored. So this check is never
stricter than the model's own, and no schema takes long to check.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from reconstruction_operator.units import given

_PLAIN: Final = ("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength")
_PLAIN_TOO: Final = ("maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "required")
_READ: Final = ("default",)  # not checked: programs that advise users read it
_OF_NONE: Final = ("required", "minProperties", "enum", "const")  # keywords that apply to a value of any type
_DEPTH: Final = 8
_SHOWN_CHARS: Final = 300


def problem(schema: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Return the mistake in the parameters, for their author. Empty if there is none, or if the schema is invalid."""
    if not parameters and schema.keys().isdisjoint(_OF_NONE):
        return ""  # most jobs have none
    try:
        error = best_match(Draft202012Validator(simple(schema)).iter_errors(dict(parameters)))
    except Exception:  # noqa: BLE001  # an invalid schema; the model itself checks the parameters
        return ""
    return "" if error is None else _text(error)[:_SHOWN_CHARS]


def simple(schema: Mapping[str, Any], depth: int = _DEPTH) -> dict[str, Any]:
    """Return the part of the schema that this check and users' programs read, down to `depth`."""
    if depth == 0:
        return {}
    part = {name: schema[name] for name in (*_PLAIN, *_PLAIN_TOO, *_READ) if name in schema}
    properties = schema.get("properties")
    items = schema.get("items")
    others = schema.get("additionalProperties")
    if isinstance(properties, Mapping):
        part["properties"] = {
            name: simple(value, depth - 1) for name, value in properties.items() if isinstance(value, Mapping)
        }
    if isinstance(items, Mapping):
        part["items"] = simple(items, depth - 1)
    if isinstance(others, Mapping):
        part["additionalProperties"] = simple(others, depth - 1)
    elif others is False and "patternProperties" not in schema:
        part["additionalProperties"] = False
    return part


def _text(error: ValidationError) -> str:
    where = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        names = sorted(error.schema.get("properties", {}))
        unknown = next((name for name in error.instance if name not in names), "")
        inside = f" in {where}" if where else ""
        meant = "".join(f"did you mean {name}? " for name in get_close_matches(str(unknown), names, 1))
        return f"unknown parameter {unknown!r:.80}{inside}: {meant}known are {', '.join(names) or 'none'}"
    if not where:
        return str(error.message)
    choices = [choice for choice in error.schema.get("enum", ()) if isinstance(choice, str)]
    meant = "".join(f"did you mean {choice}? " for choice in get_close_matches(str(error.instance), choices, 1))
    return f"parameter {where}: {given(error.instance)} was given, {meant}allowed is {_allowed(error)}"


def _allowed(error: ValidationError) -> str:
    schema = error.schema
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    kind = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text"}
    words = kind.get(str(schema.get("type")), str(schema.get("type", "another value")))
    least = schema.get("minimum")
    most = schema.get("maximum")
    if least is not None and most is not None:
        return f"{words} from {least} to {most}"
    if least is not None:
        return f"{words} of at least {least}"
    return words if most is None else f"{words} of at most {most}"
