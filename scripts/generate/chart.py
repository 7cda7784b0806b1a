"""Chart: the tables of its README from its values, and the settings in its schema from the settings of the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from reconstruction_operator import config

from scripts.paths import CHART, read

# The chart sets these from other values: it would silently override an entry in `settings`.
FROM_OTHER_VALUES = frozenset(
    {
        "CELERY_BROKER_URL",
        "CELERY_RESULT_BACKEND",
        "REDIS_STATE_DB",
        "REDIS_SENTINEL_PASSWORD",
        "JOBS_DIR",
        "WORKER_POOLS",
        "DRAIN_SECONDS",
        "INPUT_ROOTS",
        "OPERATOR_NAMESPACE",
        "WATCH_NAMESPACES",
        "LEASE_NAME",
        "PROBE_HOST",
        "PROBE_PORT",
        "WORKER_METRICS_HOST",
        "WORKER_METRICS_PORT",
    }
)


class Value(NamedTuple):
    """One value that is documented."""

    key: str  # with dots
    default: Any
    meaning: str


def documented(text: str) -> Iterator[Value]:
    """The keys of values.yaml that have a comment beginning with two dashes; the comment may take several lines."""
    defaults = yaml.safe_load(text)
    path: list[tuple[int, str]] = []  # indentation, key
    comment: list[str] = []
    for line in text.splitlines():
        said = re.fullmatch(r"\s*# ?(.*)", line)
        key = re.match(r"( *)([\w-]+):", line)
        if said:
            if said[1].startswith("-- "):
                comment = [said[1].removeprefix("-- ")]
            elif comment:
                comment.append(said[1])
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
    """The chart's README: its hand-written head, and a table for each section of the values."""
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
    """values.schema.json with the names of all current settings."""
    content = json.loads(read(f"{CHART}/values.schema.json"))
    content["definitions"]["settings"]["properties"] = {
        setting.name: {"type": ["string", "number", "boolean", "null"], "description": setting.meaning}
        for setting in config.TABLE
        if setting.name not in FROM_OTHER_VALUES
    }
    return json.dumps(content, indent=2) + "\n"


def files() -> dict[str, str]:
    """Path in the checkout -> content."""
    return {f"{CHART}/README.md": readme(), f"{CHART}/values.schema.json": schema()}
