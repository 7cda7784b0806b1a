"""Chart: its README's tables, the descriptions in its schema and files/values.json, from
values.yaml and the settings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import yaml
from reconstruction_operator import config

from scripts.paths import CHART, read

# The chart sets these from other values, which would silently override an entry in `settings`.
FROM_OTHER_VALUES: Final[Mapping[str, str]] = {
    "CELERY_BROKER_URL": "set redis.external.existingSecret",
    "CELERY_RESULT_BACKEND": "set redis.external.existingSecret",
    "REDIS_STATE_DB": "set redis.external.existingSecret",
    "REDIS_SENTINEL_PASSWORD": "set redis.external.keys.sentinelPassword",
    "JOBS_DIR": "it is always /jobs; set jobs for the volume",
    "WORKER_POOLS": "set workers.POOL.queues",
    "POOL_NAMESPACES": "set workers.POOL.namespaces",
    "POOL_STAGE_QUEUES": "set workers.POOL.stageQueues",
    "DRAIN_SECONDS": "set workers.POOL.drainSeconds",
    "INPUT_ROOTS": "it is always /photos; set photos for the volumes",
    "OPERATOR_NAMESPACE": "it is always the release's namespace",
    "WATCH_NAMESPACES": "set operator.watchNamespaces",
    "NOTIFICATIONS": "set notifications.address and notifications.namespaces",
    "NOTIFICATION_HOSTS": "set notifications.hosts",
    "NOTIFICATION_KEYS": "set notifications.existingSecret",
    "STORAGE_SCHEMES": "set objectStorage.schemes",
    "STORAGE_CA_FILE": "set objectStorage.ca.existingSecret",
    "LEASE_NAME": "set fullnameOverride",
    "PROBE_HOST": "the probes need the default",
    "PROBE_PORT": "it is always 8081",
    "METRICS_PORT": "it is always 8080",
    "WORKER_METRICS_HOST": "the probes need the default",
    "WORKER_METRICS_PORT": "set metrics.workerPort",
    "WORKER_PROBE_PORT": "set probes.workerPort",
}

# Values of other charts that people type by habit.
BY_HABIT: Final[Mapping[str, str]] = {
    "replicaCount": "did you mean operator.replicas, or workers.POOL.replicas?",
    "image.tag": "did you mean global.imageTag, or the tag of one image: operator.image.tag, workerDefaults.image.tag, "
    "gallery.image.tag?",
    "keda.enabled": "did you mean workers.POOL.autoscaling.enabled? It needs keda.prometheusAddress",
}


class Value(NamedTuple):
    """A documented value."""

    key: str  # path with dots
    default: Any
    meaning: str


def documented(text: str) -> Iterator[Value]:
    """Yield the keys of values.yaml with a comment that begins with two dashes; it may have several lines."""
    defaults = yaml.safe_load(text)
    path: list[tuple[int, str]] = []  # indentation, key
    comment: list[str] = []
    for line in text.splitlines():
        remark = re.fullmatch(r"\s*# ?(.*)", line)
        key = re.match(r"( *)([\w-]+):", line)
        if remark:
            if remark[1].startswith("-- "):
                comment = [remark[1].removeprefix("-- ")]
            elif comment:
                comment.append(remark[1])
        elif key:
            indentation = len(key[1])
            path = [*((depth, name) for depth, name in path if depth < indentation), (indentation, key[2])]
            if comment:
                names = [name for _, name in path]
                yield Value(".".join(names), _at(defaults, names), " ".join(comment))
            comment = []
        else:
            comment = []


def _at(values: Any, names: list[str]) -> Any:
    for name in names:
        values = values[name]
    return values


def _cell(value: Any) -> str:
    text = json.dumps(value)
    return f"`{text}`" if not isinstance(value, str) or value else "(empty)"


def readme() -> str:
    """Return the chart's README: its hand-written head, and a table for each section of the values."""
    values = list(documented(read(f"{CHART}/values.yaml")))
    parts = [read(f"{CHART}/README.head.md").rstrip()]
    section = None
    for value in values:
        top = value.key.partition(".")[0]
        alone = isinstance(value.default, dict) and any(other.key.startswith(f"{value.key}.") for other in values)
        if top != section:
            section = top
            parts += ["", f"### {top}", ""]
            if alone:
                parts += [value.meaning, ""]
            parts += ["| value | default | meaning |", "|---|---|---|"]
            if alone:
                continue
        shown = _cell(value.default) if not alone else ""
        meaning = value.meaning.replace("|", "\\|")
        parts.append(f"| `{value.key}` | {shown} | {meaning} |")
    return "\n".join(parts) + "\n"


def schema() -> str:
    """Return values.schema.json with all current settings, and the descriptions from values.yaml."""
    content = json.loads(read(f"{CHART}/values.schema.json"))
    content["definitions"]["settings"]["properties"] = {
        setting.name: {"type": ["string", "number", "boolean", "null"], "description": setting.meaning}
        for setting in config.TABLE
        if setting.name not in FROM_OTHER_VALUES
    }
    for value in documented(read(f"{CHART}/values.yaml")):
        node = content
        for name in value.key.split("."):
            node = resolved(node, content).get("properties", {}).get(name, {})
        node["description"] = value.meaning
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def resolved(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Return a node of the schema, or the definition that it refers to."""
    return root["definitions"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def known_values() -> str:
    """Return files/values.json, which the chart uses to reject unknown values.

    It has each object with its keys, advice for settings that other values set and for values of other charts, and the
    values that are quantities. `*` is any key, `[]` any item.
    """
    content = json.loads(schema())
    # A parent chart may set any key in `global`.
    objects = {path: keys for path, keys in _objects(content, content, "") if path.partition(".")[0] != "global"}
    settings = [path for path in objects if path.rpartition(".")[2] == "settings"]
    moved = {f"{path}.{name}": advice for path in settings for name, advice in FROM_OTHER_VALUES.items()}
    content = {"objects": objects, "moved": {**moved, **BY_HABIT}, "quantities": [*_quantities(content, content, "")]}
    return json.dumps(content, indent=1) + "\n"


def _quantities(node: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[str]:
    kind = node.get("$ref", "").rpartition("/")[2]
    if kind in ("quantity", "amounts"):
        yield path if kind == "quantity" else f"{path}.*"
        return
    node = resolved(node, root)
    children = dict(node.get("properties", {}))
    if "$ref" in node.get("additionalProperties", {}):
        children["*"] = node["additionalProperties"]
    for name, child in children.items():
        yield from _quantities(child, root, f"{path}.{name}".lstrip("."))


def _objects(node: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, list[str]]]:
    node = resolved(node, root)
    children = dict(node.get("properties", {}))
    if not children and "$ref" in node.get("additionalProperties", {}):
        children["*"] = node["additionalProperties"]
    if children:
        yield path, list(children)
    for name, child in children.items():
        yield from _objects(child, root, f"{path}.{name}".lstrip("."))
    if "items" in node:
        yield from _objects(node["items"], root, f"{path}[]")


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content."""
    return {
        f"{CHART}/README.md": readme(),
        f"{CHART}/values.schema.json": schema(),
        f"{CHART}/files/values.json": known_values(),
    }
