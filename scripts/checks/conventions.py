"""API conventions check: the rules of kube-api-linter that an OpenAPI schema can show, applied to the CRD.

The linter reads Go types. `NOT_PORTED` lists its rules without a counterpart here, `EXCEPTIONS` the fields that break a ported
rule, each with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

Schema = Mapping[str, Any]
Fields = Mapping[str, Schema]
Rule = Callable[[Fields], Iterator[str]]

_ON_OFF: Final = "a switch by nature: a third state would have no meaning"
EXCEPTIONS: Final[Mapping[str, str]] = {
    "minlength spec.input.uri": "a rule requires a full address, and one mistake gets one message",
    "minlength spec.output.uri": "a rule requires a full address, and one mistake gets one message",
    **dict.fromkeys(
        ("minlength spec.modelType", "minlength spec.queue", "minlength spec.managedBy"),
        "a rule requires the form of the name, and one mistake gets one message",
    ),
    "minlength spec.cancelReason": "forms send an empty text if no reason is given",
    "nophase status.phase": "only for people and `kubectl get`; programs read the conditions, which are complete without it",
    "nobools spec.suspend": "named and typed like batch/v1 Job's, which tools set",
    "nobools spec.cancelRequested": f"{_ON_OFF}, and the two steps of a cancel are two fields",
    "nobools spec.cancelConfirmed": f"{_ON_OFF}, and the two steps of a cancel are two fields",
    "nobools status.simulated": _ON_OFF,
    "nobools status.failure.retriable": _ON_OFF,
    "nomaps spec.parameters": "each model defines its own names; an admission policy limits them",
    "nomaps status.quality": "each model reports its own numbers, at most 16",
    "arrayofstruct status.outputs.files": "only the operator writes it, always with the name; `required` would be incompatible now",
}
"""Rule and field -> reason of the exception."""

_GO: Final = "about Go's source: tags, pointers and markers that a schema does not have"
NOT_PORTED: Final[Mapping[str, str]] = {
    "commentstart": "a custom of Go; `kubectl explain` shows the field's name beside the text",
    "conflictingmarkers": _GO,
    "defaults": "the same as defaultorrequired in a schema: a field that is not required is optional",
    "dependenttags": _GO,
    "forbiddenmarkers": _GO,
    "jsontags": _GO,
    "markerscope": _GO,
    "nonpointerstructs": _GO,
    "optionalfields": _GO,
    "preferredmarkers": _GO,
    "requiredfields": _GO,
    "uniquemarkers": _GO,
}
"""Rule of kube-api-linter without a counterpart -> reason."""

_CRD: Final = "manifests/crd/reconstructionjobs.yaml"
_ENVELOPE: Final = {"apiVersion", "kind", "metadata"}  # defined by Kubernetes
_LIST_TYPE: Final = "x-kubernetes-list-type"
_CONDITION: Final = {"type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"}


def problems(checkout: Path) -> list[str]:
    """Return violations in the CRD of this checkout, and unused exceptions."""
    crd = yaml.safe_load((checkout / _CRD).read_text())
    made = [finding for version in crd["spec"]["versions"] for finding in findings(version)]
    return [
        *(
            f"{finding}: change the field, or add an exception with its reason"
            for finding in made
            if finding not in EXCEPTIONS
        ),
        *(f"an exception without a finding: {excused}" for excused in EXCEPTIONS if excused not in made),
    ]


def findings(version: Schema) -> list[str]:
    """Return rule and field of each violation in one version of a CRD."""
    schema = version["schema"]["openAPIV3Schema"]
    fields = {"": schema, **dict(_fields(schema))}
    found = [f"{name} {path or 'object'}" for name, rule in RULES.items() for path in rule(fields)]
    if "status" not in version.get("subresources", {}):
        found.append("statussubresource object")
    return found


def _fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    for name, field in schema.get("properties", {}).items():
        if not path and name in _ENVELOPE:
            continue
        here = f"{path}.{name}".lstrip(".")
        yield here, field
        yield from _fields(field, here)
        if "items" in field:
            yield f"{here}[]", field["items"]
            yield from _fields(field["items"], f"{here}[]")


def _name(path: str) -> str:
    return path.rpartition(".")[2].removesuffix("[]")


def _where(holds: Callable[[str, Schema], bool]) -> Rule:
    """Return a rule that is broken by each field for which `holds` is true."""
    return lambda fields: (path for path, schema in fields.items() if holds(path, schema))


def _conditions(fields: Fields) -> Iterator[str]:
    """Conditions have the fields of metav1.Condition and are keyed by type, so that server-side apply merges them."""
    listed, item = fields.get("status.conditions", {}), fields.get("status.conditions[]", {})
    keyed = listed.get(_LIST_TYPE) == "map" and listed.get("x-kubernetes-list-map-keys") == ["type"]
    if not keyed or set(item.get("properties", ())) != _CONDITION or "type" not in item.get("required", ()):
        yield "status.conditions"


def _defaultorrequired(fields: Fields) -> Iterator[str]:
    for path, schema in fields.items():
        for name in schema.get("required", ()):
            if "default" in schema["properties"].get(name, {}):
                yield f"{path}.{name}".lstrip(".")


def _optionalorrequired(fields: Fields) -> Iterator[str]:
    """Required fields exist, and are listed once."""
    for path, schema in fields.items():
        required = schema.get("required", [])
        if len(set(required)) < len(required) or not {*required} <= {*schema.get("properties", ()), *_ENVELOPE}:
            yield path


def _ssatags(fields: Fields) -> Iterator[str]:
    """Each list declares how server-side apply merges it; a set of objects cannot be merged."""
    for path, schema in fields.items():
        if schema.get("type") == "array":
            of_objects = schema["items"].get("type") == "object"
            if schema.get(_LIST_TYPE) not in ({"map", "atomic"} if of_objects else {"set", "atomic"}):
                yield path


def _statusoptional(fields: Fields) -> Iterator[str]:
    """An object without a status is valid, and so is an empty status."""
    if "status" in fields[""].get("required", ()) or fields.get("status", {}).get("required"):
        yield "status"


def _is_unbounded(_path: str, schema: Schema) -> bool:
    match schema.get("type"):
        case "string":
            return not {"maxLength", "enum", "format"} & schema.keys()
        case "array":
            return "maxItems" not in schema
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return "maxProperties" not in schema or _is_unbounded("", schema["additionalProperties"])
    return False


def _may_be_empty(path: str, schema: Schema) -> bool:
    """Return whether a user may write an empty text; only the operator writes the status."""
    return (
        path.startswith("spec.")
        and schema.get("type") == "string"
        and not {"minLength", "pattern", "enum", "format"} & schema.keys()
    )


def _repeats(_path: str, schema: Schema) -> bool:
    rules = [one["rule"] for one in schema.get("x-kubernetes-validations", ())]
    values = schema.get("enum", [])
    return len(set(rules)) < len(rules) or len(set(values)) < len(values)


RULES: Final[Mapping[str, Rule]] = {
    "arrayofstruct": _where(
        lambda _, schema: schema.get("items", {}).get("type") == "object" and not schema["items"].get("required")
    ),
    "conditions": _conditions,
    "defaultorrequired": _defaultorrequired,
    "duplicatemarkers": _where(_repeats),
    # Without a format the API server assumes int64. The lower bound prevents negative values.
    "integers": _where(
        lambda _, schema: (
            schema.get("type") == "integer"
            and ("minimum" not in schema or schema.get("format", "int64") not in {"int32", "int64"})
        )
    ),
    "maxlength": _where(_is_unbounded),
    "minlength": _where(_may_be_empty),
    "namingconventions": _where(lambda path, _: not re.fullmatch(r"([a-z][a-zA-Z0-9]*)?", _name(path))),
    "nobools": _where(lambda _, schema: schema.get("type") == "boolean"),
    # A duration is an integer with its unit in the name.
    "nodurations": _where(
        lambda path, schema: (
            schema.get("format") == "duration"
            or (_name(path).endswith(("Seconds", "Minutes", "Duration")) and schema.get("type") != "integer")
        )
    ),
    "nofloats": _where(lambda _, schema: schema.get("type") == "number"),
    "nomaps": _where(
        lambda _, schema: "additionalProperties" in schema or bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    ),
    "nonullable": _where(lambda _, schema: bool(schema.get("nullable"))),
    "nophase": _where(lambda path, _: _name(path).lower() == "phase"),
    "noreferences": _where(lambda path, _: bool(re.search(r"[rR]eferences?$", _name(path)))),
    "notimestamp": _where(lambda path, _: "timestamp" in _name(path).lower()),
    "optionalorrequired": _optionalorrequired,
    "ssatags": _ssatags,
    "statusoptional": _statusoptional,
}
"""Rule of kube-api-linter -> function that yields the fields that break it. `statussubresource` is in `findings`."""
