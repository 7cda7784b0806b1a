from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from reconstruction_operator.api.codec import camel, encode
from reconstruction_operator.api.crd import PRINTER_COLUMNS, SELECTABLE_FIELDS, crd, render, schema
from reconstruction_operator.api.shapes import shape_of
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.api.status import ConditionType, Phase, Status

_SIZE_LIMIT_BYTES = 42_000
_SPEC_NAMES = (
    "modelType input output parameters queue priority suspend cancelRequested cancelConfirmed backoffLimit "
    "activeDeadlineSeconds queueDeadlineSeconds ttlSecondsAfterFinished cancelReason reuse deletionPolicy "
    "managedBy stageQueues parts"
)
_STATUS_NAMES = (
    "observedGeneration phase phaseDetail timeDetail reason attempt failures nextAttemptTime taskId worker "
    "simulated verdict message dispatchTime startTime completionTime progress inputs outputs quality steps usage "
    "installation reusedFrom redisLosses cancel failure warning size conditions notifications leg parts"
)


def fields_of(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and schema of every field below an object's schema."""
    for name, child in node.get("properties", {}).items():
        yield f"{path}.{name}".lstrip("."), child
        yield from fields_of(child.get("items", child), f"{path}.{name}")


_SCHEMA = schema()
_FIELDS = dict(fields_of(_SCHEMA))
_DESCRIBED = [pytest.param(path, id=path) for path in _FIELDS if path != "metadata"]  # described by the API server
_SPEC_FIELDS = [pytest.param(field, id=camel(field.name)) for field in dataclasses.fields(Spec)]


def test_the_rendered_yaml_is_the_definition() -> None:
    assert yaml.safe_load(render()) == crd()


def test_the_crd_fits_into_kubectls_annotation_and_helms_limit() -> None:
    assert len(render().encode()) < _SIZE_LIMIT_BYTES


def test_the_spec_has_the_promised_fields() -> None:
    assert set(_SCHEMA["properties"]["spec"]["properties"]) == set(_SPEC_NAMES.split())


def test_the_status_has_the_promised_fields() -> None:
    assert set(_SCHEMA["properties"]["status"]["properties"]) == set(_STATUS_NAMES.split())


@pytest.mark.parametrize("path", _DESCRIBED)
def test_every_field_has_a_description_in_sentences(path: str) -> None:
    assert re.fullmatch(r"(?s)[A-Za-z].{8,}\.", _FIELDS[path]["description"])


@pytest.mark.parametrize("field", _SPEC_FIELDS)
def test_every_field_of_the_spec_describes_its_absence(field: dataclasses.Field[Any]) -> None:
    described = _FIELDS[f"spec.{camel(field.name)}"]["description"]

    assert shape_of(field).required or re.search(r"Default: .+\.", described)


@pytest.mark.parametrize(
    "path",
    [path for path, node in _FIELDS.items() if path.endswith(("Seconds", "bytes", "Limit", "percent", "images"))],
)
def test_every_measure_has_its_unit(path: str) -> None:
    assert "Unit: " in _FIELDS[path]["description"]


def test_stored_defaults_equal_those_of_the_types() -> None:
    fields = _SCHEMA["properties"]["spec"]["properties"]
    stored = {name: node["default"] for name, node in fields.items() if "default" in node}

    assert encode(Spec()) == stored | {"input": {}}
    assert encode(Status())["observedGeneration"] == _FIELDS["status"]["default"]["observedGeneration"]


@pytest.mark.parametrize("path", [path for path, node in _FIELDS.items() if node.get("type") == "string"])
def test_every_text_has_a_limit(path: str) -> None:
    node = _FIELDS[path]

    assert path in ("apiVersion", "kind") or {"maxLength", "enum"} & set(node) or node.get("format") == "date-time"


@pytest.mark.parametrize("path", [path for path, node in _FIELDS.items() if node.get("type") == "array"])
def test_every_list_has_a_limit_and_a_merge_strategy(path: str) -> None:
    assert {"maxItems", "x-kubernetes-list-type"} <= set(_FIELDS[path])


def test_all_phases_are_allowed() -> None:
    assert _FIELDS["status.phase"]["enum"] == [phase.value for phase in Phase]


def test_all_conditions_are_named_in_the_description_and_have_room() -> None:
    described, most = (_FIELDS["status.conditions"][name] for name in ("description", "maxItems"))

    assert [kind.value for kind in ConditionType if kind.value not in described] == []
    assert len(ConditionType) <= most


@pytest.mark.parametrize("path", [column["jsonPath"] for column in PRINTER_COLUMNS] + list(SELECTABLE_FIELDS))
def test_columns_and_selectors_use_existing_fields(path: str) -> None:
    union = re.fullmatch(r"\.status\['(\w+)','(\w+)'\]", path)
    fields = [f"status.{name}" for name in union.groups()] if union else [path.lstrip(".")]

    assert path == ".metadata.creationTimestamp" or set(fields) <= set(_FIELDS)
