"""Conformance: checks manifests against other releases of Kubernetes; and where other projects' CRDs come from.

The schemas are those of the OpenAPI document in each release of the Go module k8s.io/kubernetes. Hashes pin all
releases. They are made stricter than an API server, to find mistakes: they reject a key that a type does not have, and
`key: null`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml
from jsonschema import Draft4Validator

from devcluster.errors import DevclusterError
from devcluster.programs.go_modules import GoModule

_KINDS = "x-kubernetes-group-version-kind"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_TEXT_OR_NUMBER = {"oneOf": [{"type": "string"}, {"type": "number"}]}


def _openapi(version: str, checksum: str) -> GoModule:
    return GoModule("k8s.io/kubernetes", version, checksum, ("api/openapi-spec/swagger.json",))


# The oldest minor release that the chart supports, and the newest release; 20 MB each.
KUBERNETES_OLDEST = _openapi("v1.31.14", "h1:UtjLfqvXLuSVDdJ4+NpQCIfFkKkLnAAVmxAEMsnkhjk=")
KUBERNETES_NEWEST = _openapi("v1.37.2", "h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE=")

_MONITORING = "example/prometheus-operator-crd/monitoring.coreos.com"
MONITORING_CRDS = GoModule(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    tuple(f"{_MONITORING}_{kinds}.yaml" for kinds in ("servicemonitors", "podmonitors", "prometheusrules")),
)
KEDA_CRDS = GoModule(
    "github.com/kedacore/keda/v2",
    "v2.21.0",
    "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
    ("config/crd/bases/keda.sh_scaledobjects.yaml",),
)


def violations(manifests: str, release: GoModule) -> list[str]:
    """Return what does not conform to a release of Kubernetes in manifests; empty if they conform."""
    objects = [document for document in yaml.safe_load_all(manifests) if document]
    if not objects:
        raise DevclusterError("there are no objects to check")
    return [
        f"{body['kind']} {body['metadata']['name']}: {problem}" for body in objects for problem in _of(body, release)
    ]


def _of(body: Mapping[str, Any], release: GoModule) -> Iterator[str]:
    definitions, kinds = _schemas(release)
    name = kinds.get((body["apiVersion"], body["kind"]))
    if name is None:
        yield f"the release has no {body['kind']} in {body['apiVersion']}"
        return
    validator = Draft4Validator({"$ref": f"#/definitions/{name}", "definitions": definitions})
    for error in validator.iter_errors(body):
        yield f"{error.json_path}: {error.message}"


@cache
def _schemas(release: GoModule) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
    """Return the strict definitions of a release, and the definition's name of each apiVersion and kind."""
    (openapi,) = release.files()
    definitions: dict[str, Any] = json.loads(openapi.read_text())["definitions"]
    kinds = {
        (f"{kind['group']}/{kind['version']}".lstrip("/"), kind["kind"]): name
        for name, definition in definitions.items()
        for kind in definition.get(_KINDS, ())
    }
    return {name: _strict(definition) for name, definition in definitions.items()} | {_QUANTITY: _TEXT_OR_NUMBER}, kinds


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    if node.get("format") == "int-or-string":
        return _TEXT_OR_NUMBER
    schema = {
        # A "format" in "properties" is a field of that name, with a schema.
        key: {name: _strict(property_) for name, property_ in value.items()} if key == "properties" else _strict(value)
        for key, value in node.items()
    }
    if "properties" in node:
        schema.setdefault("additionalProperties", False)
    return schema
