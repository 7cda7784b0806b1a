"""JSON, YAML and names of objects, as kubectl prints them."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

_SHORT: Final = "reconstructionjob.reconstruction.dev"


class Format(enum.StrEnum):
    """Values of -o."""

    JSON = "json"
    YAML = "yaml"
    WIDE = "wide"
    NAME = "name"


def document(value: Any, how: Format) -> str:
    """Return data as JSON or YAML."""
    if how is Format.JSON:
        return json.dumps(value, indent=4, ensure_ascii=False)
    # The C writer of libyaml, if PyYAML has it, is four times as fast.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=120)).rstrip()


def objects(bodies: Sequence[Mapping[str, Any]], how: Format, *, single: bool) -> str:
    """Return objects in a format. `single`: one object, not wrapped in a List."""
    plain = [_without_bookkeeping(body) for body in bodies]
    if how is Format.NAME:
        return "\n".join(name(body) for body in bodies)
    if single:
        return document(plain[0], how)
    return document({"apiVersion": "v1", "items": plain, "kind": "List", "metadata": {"resourceVersion": ""}}, how)


def change(kind: str, body: Mapping[str, Any]) -> str:
    """Return a change of an object in one line, as `kubectl get --watch --output-watch-events -o json` prints it in
    several.
    """
    return json.dumps({"type": kind, "object": _without_bookkeeping(body)}, ensure_ascii=False)


def name(body: Mapping[str, Any]) -> str:
    """Return the name as `kubectl -o name` prints it."""
    return f"{_SHORT}/{body['metadata']['name']}"


def _without_bookkeeping(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object without `metadata.managedFields`, as kubectl shows it."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}
