"""Schemas of the API server: each type and shape of a field has its one form."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from reconstruction_operator.api.schema import object_schema
from reconstruction_operator.api.shapes import Rule, member, shape


class Mood(enum.StrEnum):
    GOOD = "Good"
    BAD = "Bad"


@dataclasses.dataclass
class Part:
    name: str = member("", "The name.", required=True, max_length=9)
    weight_grams: int = member(0, "The weight.", minimum=0, maximum=5)


def schema_of(hint: Any, default: Any = None, **options: Any) -> dict[str, Any]:
    """The schema of one field `thing` of that type, without its description."""
    kind = dataclasses.make_dataclass("Kind", [("thing", hint, member(default, "A thing.", **options))])
    schema = dict(object_schema(kind)["properties"]["thing"])
    assert schema.pop("description").startswith("A thing.")
    return schema


PART = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"description": "The name.", "type": "string", "maxLength": 9},
        "weightGrams": {"description": "The weight.", "type": "integer", "minimum": 0, "maximum": 5},
    },
}


@pytest.mark.parametrize(
    ("hint", "options", "expected"),
    [
        pytest.param(bool, {}, {"type": "boolean"}, id="boolean"),
        pytest.param(int, {"minimum": 0}, {"type": "integer", "minimum": 0}, id="integer from zero"),
        pytest.param(int | None, {"maximum": 7}, {"type": "integer", "maximum": 7}, id="optional integer"),
        pytest.param(str, {"choices": ("a", "b")}, {"type": "string", "enum": ["a", "b"]}, id="text of some choices"),
        pytest.param(str, {"pattern": "^x"}, {"type": "string", "pattern": "^x"}, id="text of a pattern"),
        pytest.param(Mood, {}, {"type": "string", "enum": ["Good", "Bad"]}, id="enum"),
        pytest.param(datetime | None, {}, {"type": "string", "format": "date-time"}, id="time"),
        pytest.param(Part | None, {}, PART, id="object"),
        pytest.param(
            tuple[Part, ...],
            {"max_items": 3},
            {"type": "array", "items": PART, "maxItems": 3, "x-kubernetes-list-type": "atomic"},
            id="list that is replaced as a whole",
        ),
        pytest.param(
            tuple[Part, ...],
            {"list_key": "name"},
            {"type": "array", "items": PART, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            id="list that is merged by a key",
        ),
        pytest.param(
            Mapping[str, str],
            {"max_properties": 4, "max_length": 5},
            {"type": "object", "maxProperties": 4, "additionalProperties": {"type": "string", "maxLength": 5}},
            id="mapping of texts",
        ),
        pytest.param(
            Mapping[str, Any],
            {"free_form": True},
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            id="free form",
        ),
    ],
)
def test_each_type_has_its_schema(hint: Any, options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert schema_of(hint, **options) == expected


def test_a_stored_default_is_part_of_the_schema() -> None:
    assert schema_of(int, 3, stored_default=True) == {"default": 3, "type": "integer"}
    assert schema_of(int, 3) == {"type": "integer"}


def test_a_pattern_with_a_message_is_a_rule_as_well() -> None:
    schema = schema_of(str, pattern="^a+$", pattern_message="only the letter a")

    assert schema["x-kubernetes-validations"] == [{"rule": "self.matches(r'^a+$')", "message": "only the letter a"}]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(Rule(rule="true", message="m"), {}, id="nothing that is the default"),
        pytest.param(Rule(rule="true", message="m", field_path=".a"), {"fieldPath": ".a"}, id="path"),
        pytest.param(
            Rule(rule="true", message="m", reason="FieldValueForbidden"), {"reason": "FieldValueForbidden"}, id="reason"
        ),
        pytest.param(Rule(rule="true", message="m", optional_old_self=True), {"optionalOldSelf": True}, id="creation"),
    ],
)
def test_a_rule_is_written_without_its_defaults(rule: Rule, expected: dict[str, Any]) -> None:
    schema = object_schema(Part, (rule,))

    assert schema["x-kubernetes-validations"] == [{"rule": "true", "message": "m", **expected}]


def test_an_object_without_rules_or_required_fields_has_neither_key() -> None:
    kind = dataclasses.make_dataclass("Kind", [("thing", bool, member(False, "A thing."))])

    assert set(object_schema(kind)) == {"type", "properties"}


def test_a_type_unknown_to_the_api_server_is_an_error() -> None:
    with pytest.raises(TypeError, match="no type for"):
        object_schema(dataclasses.make_dataclass("Wrong", [("weight", bytes, dataclasses.field(metadata=shape("x")))]))
