"""The API conventions check finds a field for each of its rules."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.checks import conventions

Schema = dict[str, Any]
TEXT: Schema = {"type": "string", "maxLength": 9, "pattern": "^a$"}
CONDITION: Schema = {
    "type": "object",
    "required": ["type"],
    "properties": {
        **dict.fromkeys(("type", "status", "reason", "message", "lastTransitionTime"), TEXT),
        "observedGeneration": {"type": "integer", "minimum": 0},
    },
}
CONDITIONS: Schema = {
    "type": "array",
    "maxItems": 9,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
    "items": CONDITION,
}


def version(spec: Schema, *, conditions: Schema = CONDITIONS, **status: Any) -> Schema:
    schema = {
        "type": "object",
        "properties": {
            "metadata": {"type": "object"},
            "spec": {"type": "object", "properties": spec},
            "status": {"type": "object", "properties": {"conditions": conditions}, **status},
        },
    }
    return {"subresources": {"status": {}}, "schema": {"openAPIV3Schema": schema}}


def test_a_conventional_schema_has_no_findings() -> None:
    assert conventions.findings(version({"name": TEXT})) == []


@pytest.mark.parametrize(
    ("name", "schema", "finding"),
    [
        ("suspend", {"type": "boolean"}, "nobools spec.suspend"),
        ("ratio", {"type": "number"}, "nofloats spec.ratio"),
        ("phase", TEXT, "nophase spec.phase"),
        ("ownerReference", TEXT, "noreferences spec.ownerReference"),
        ("startTimestamp", TEXT, "notimestamp spec.startTimestamp"),
        ("dead_line", TEXT, "namingconventions spec.dead_line"),
        ("name", TEXT | {"nullable": True}, "nonullable spec.name"),
        ("count", {"type": "integer"}, "integers spec.count"),
        ("count", {"type": "integer", "minimum": 0, "format": "int16"}, "integers spec.count"),
        ("timeoutSeconds", TEXT, "nodurations spec.timeoutSeconds"),
        ("timeout", TEXT | {"format": "duration"}, "nodurations spec.timeout"),
        ("name", {"type": "string", "pattern": "^a$"}, "maxlength spec.name"),
        ("name", {"type": "string", "maxLength": 9}, "minlength spec.name"),
        ("name", {"type": "string", "enum": ["a", "a"]}, "duplicatemarkers spec.name"),
        ("names", {"type": "array", "maxItems": 9, "items": TEXT}, "ssatags spec.names"),
        ("names", {"type": "array", "x-kubernetes-list-type": "set", "items": TEXT}, "maxlength spec.names"),
        (
            "labels",
            {"type": "object", "maxProperties": 9, "additionalProperties": TEXT},
            "nomaps spec.labels",
        ),
        ("free", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "nomaps spec.free"),
        (
            "files",
            {
                "type": "array",
                "maxItems": 9,
                "x-kubernetes-list-type": "atomic",
                "items": {"type": "object", "properties": {"name": TEXT}},
            },
            "arrayofstruct spec.files",
        ),
        (
            "files",
            {"type": "array", "maxItems": 9, "x-kubernetes-list-type": "set", "items": CONDITION},
            "ssatags spec.files",
        ),
        (
            "input",
            {"type": "object", "required": ["uri"], "properties": {"uri": TEXT | {"default": "a"}}},
            "defaultorrequired spec.input.uri",
        ),
        (
            "input",
            {"type": "object", "required": ["url"], "properties": {"uri": TEXT}},
            "optionalorrequired spec.input",
        ),
    ],
)
def test_a_field_that_breaks_a_rule_is_found(name: str, schema: Schema, finding: str) -> None:
    assert conventions.findings(version({name: schema})) == [finding]


def test_a_rule_holds_inside_the_items_of_a_list() -> None:
    item = CONDITION | {"properties": CONDITION["properties"] | {"reason": {"type": "string"}}}
    assert conventions.findings(version({}, conditions=CONDITIONS | {"items": item})) == [
        "maxlength status.conditions[].reason"
    ]


@pytest.mark.parametrize(
    "conditions",
    [
        pytest.param(CONDITIONS | {"x-kubernetes-list-type": "atomic"}, id="not merged by type"),
        pytest.param(CONDITIONS | {"x-kubernetes-list-map-keys": ["reason"]}, id="another key"),
        pytest.param(
            CONDITIONS | {"items": CONDITION | {"properties": CONDITION["properties"] | {"text": TEXT}}},
            id="more fields",
        ),
    ],
)
def test_conditions_with_another_schema_are_found(conditions: Schema) -> None:
    assert conventions.findings(version({}, conditions=conditions)) == ["conditions status.conditions"]


def test_a_required_status_is_found() -> None:
    assert conventions.findings(version({}, required=["conditions"])) == ["statusoptional status"]


def test_a_version_without_the_status_subresource_is_found() -> None:
    assert conventions.findings(version({}) | {"subresources": {}}) == ["statussubresource object"]
