"""JSON schemas from OpenAPI: they reject keys that a type does not have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devcluster.programs import schemas

KIND = "x-kubernetes-group-version-kind"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
EITHER = {"oneOf": [{"type": "string"}, {"type": "number"}]}


@pytest.mark.parametrize(
    ("definition", "schema"),
    [
        pytest.param(
            {"type": "object", "properties": {"a": {"type": "string"}}},
            {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
            id="a type has no other keys",
        ),
        pytest.param(
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "string"}},
            id="a map accepts any key",
        ),
        pytest.param({"type": "object"}, {"type": "object"}, id="a type without keys accepts any key"),
        pytest.param({"type": "string", "format": "int-or-string"}, EITHER, id="a port has a name or a number"),
        pytest.param(
            {"properties": {"format": {"type": "string"}, "properties": {"type": "object"}}},
            {
                "properties": {"format": {"type": "string"}, "properties": {"type": "object"}},
                "additionalProperties": False,
            },
            id="fields with names of schema keywords",
        ),
        pytest.param(
            {"properties": {"a": {"items": {"properties": {"b": {}}}}}},
            {
                "properties": {"a": {"items": {"properties": {"b": {}}, "additionalProperties": False}}},
                "additionalProperties": False,
            },
            id="nested",
        ),
    ],
)
def test_a_definition_becomes_a_strict_schema(definition: object, schema: object) -> None:
    assert schemas.strict({"a": definition}) == {"a": schema}


def test_a_quantity_may_be_written_as_a_number() -> None:
    assert schemas.strict({QUANTITY: {"type": "string"}}) == {QUANTITY: EITHER}


def test_each_kind_has_a_file_with_kubeconforms_name_for_it() -> None:
    definitions = {
        "core.Pod": {KIND: [{"group": "", "version": "v1", "kind": "Pod"}]},
        "rbac.Role": {KIND: [{"group": "rbac.authorization.k8s.io", "version": "v1", "kind": "Role"}]},
        "meta.DeleteOptions": {KIND: [{"group": "", "version": "v1", "kind": "DeleteOptions"}] * 2},
        "core.PodSpec": {},
    }
    assert list(schemas.kinds(definitions)) == [("pod-v1.json", "core.Pod"), ("role-rbac-v1.json", "rbac.Role")]


def test_files_of_kinds_refer_to_one_with_the_definitions_they_need(tmp_path: Path) -> None:
    openapi = tmp_path / "swagger.json"
    spec = {"properties": {"next": {"$ref": "#/definitions/core.Pod"}}}
    pod = {
        "properties": {"spec": {"$ref": "#/definitions/core.PodSpec"}},
        KIND: [{"group": "", "version": "v1", "kind": "Pod"}],
    }
    node = {KIND: [{"group": "", "version": "v1", "kind": "Node"}]}
    openapi.write_text(json.dumps({"definitions": {"core.Pod": pod, "core.PodSpec": spec, "core.Node": node}}))

    schemas.write(openapi, tmp_path, {"Pod", "Deploymint"})

    assert json.loads((tmp_path / "pod-v1.json").read_text()) == {"$ref": "definitions.json#/definitions/core.Pod"}
    assert json.loads((tmp_path / "definitions.json").read_text())["definitions"].keys() == {"core.Pod", "core.PodSpec"}
    assert not (tmp_path / "node-v1.json").exists()
