"""JSON schemas for kubeconform, from a release's OpenAPI document: pure functions, and one that writes files.

They are stricter than an API server, to find mistakes: they reject a key that a type does not have, and `key: null`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

LOCATION = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
"""kubeconform's template for the file of a kind: kind, first part of the group, and version, in lower case."""

_DEFINITIONS = "definitions.json"
_DEFINITIONS_KEY = "definitions"
_KINDS = "x-kubernetes-group-version-kind"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_TEXT_OR_NUMBER = {"oneOf": [{"type": "string"}, {"type": "number"}]}


def strict(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions as JSON schemas that accept values as YAML has them, and reject unknown keys."""
    return {
        name: _TEXT_OR_NUMBER if name == _QUANTITY else _schema(definition) for name, definition in definitions.items()
    }


def kinds(definitions: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of the schema's file and the name of the definition for each kind of object."""
    for name, definition in definitions.items():
        found = definition.get(_KINDS, [])
        if len(found) != 1:  # not a kind, or options that each group has
            continue
        kind = found[0]
        group = kind["group"].partition(".")[0]
        parts = [kind["kind"], *([group] if group else []), kind["version"]]
        yield f"{'-'.join(parts).lower()}.json", name


def reachable(definitions: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the named definitions, and all that they refer to."""
    found: dict[str, Any] = {}
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found[name] = definitions[name]
            left += re.findall(rf'"#/{_DEFINITIONS_KEY}/([^"]+)"', json.dumps(found[name]))
    return found


def write(openapi: Path, folder: Path, wanted: Collection[str]) -> None:
    """Write a file for each of the kinds `wanted`, and one with the definitions that they refer to.

    kubeconform reads the definitions again for each kind: all of Kubernetes' definitions would take a second.
    """
    definitions = json.loads(openapi.read_text())[_DEFINITIONS_KEY]
    asked = {
        file: name for file, name in kinds(definitions) if file.partition("-")[0] in {one.lower() for one in wanted}
    }
    (folder / _DEFINITIONS).write_text(json.dumps({_DEFINITIONS_KEY: strict(reachable(definitions, asked.values()))}))
    for file, name in asked.items():
        (folder / file).write_text(json.dumps({"$ref": f"{_DEFINITIONS}#/{_DEFINITIONS_KEY}/{name}"}))


def _schema(node: Any) -> Any:
    if isinstance(node, list):
        return [_schema(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    if node.get("format") == "int-or-string":
        return _TEXT_OR_NUMBER
    schema = {
        # A "format" in "properties" is a field of that name, with a schema.
        key: {name: _schema(one) for name, one in value.items()} if key == "properties" else _schema(value)
        for key, value in node.items()
    }
    if "properties" in node:
        schema.setdefault("additionalProperties", False)
    return schema
