"""Writes what the chart takes from elsewhere: its copy of the CRD, the tables of its README, the settings in its schema.
`make docs`; a test says when they are old.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from reconstruction_operator import config

CHECKOUT = Path(__file__).resolve().parent.parent
CHART = "charts/reconstruction-operator"

# What the chart sets from other values: an entry in `settings` would be overruled in silence.
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
    """The keys of values.yaml below a comment that begins with two dashes; the comment goes on over the lines below it."""
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
    """The chart's README: what is written by hand, and a table for each part of the values."""
    values = list(documented((CHECKOUT / CHART / "values.yaml").read_text()))
    parts = [(CHECKOUT / CHART / "README.head.md").read_text().rstrip()]
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
    """values.schema.json with the names of today's settings."""
    content = json.loads((CHECKOUT / CHART / "values.schema.json").read_text())
    content["definitions"]["settings"]["properties"] = {
        setting.name: {"type": ["string", "number", "boolean", "null"], "description": setting.meaning}
        for setting in config.TABLE
        if setting.name not in FROM_OTHER_VALUES
    }
    return json.dumps(content, indent=2) + "\n"


def files() -> dict[str, str]:
    """Path in the checkout -> content."""
    return {
        f"{CHART}/files/crd/reconstructionjobs.yaml": (CHECKOUT / "manifests/crd/reconstructionjobs.yaml").read_text(),
        f"{CHART}/README.md": readme(),
        f"{CHART}/values.schema.json": schema(),
    }


if __name__ == "__main__":
    for name, content in files().items():
        path = CHECKOUT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        print(f"chart: wrote {name}")
