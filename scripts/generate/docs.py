"""Documentation: generated pages of docs/: settings, reasons, API, metrics, conditions, parameters."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from prometheus_client.metrics import MetricWrapperBase
from reconstruction_operator import config
from reconstruction_operator.api.crd import CATEGORY, PRINTER_COLUMNS, SELECTABLE_FIELDS, SHORT_NAMES, schema
from reconstruction_operator.api.identity import GROUP, KIND, VERSION
from reconstruction_operator.api.status import ConditionType
from reconstruction_operator.contract.outcomes import REASONS
from reconstruction_operator.planning.status.reasons import CONDITION_REASONS
from reconstruction_operator.telemetry import metrics, worker_metrics

from scripts.generate import parameters

CONFIG = "operator/reconstruction_operator/config.py"


def settings_page() -> str:
    """Return docs/settings.md."""
    parts = [
        "# Settings",
        "",
        f"Every setting is an environment variable. `make docs` generates this table from `{CONFIG}`.",
    ]
    section = ""
    for setting in config.TABLE:
        if setting.section != section:
            section = setting.section
            parts += ["", f"## {section}", "", "| variable | default | unit | meaning |", "|---|---|---|---|"]
        default = f"`{setting.default}`" if setting.default else "(empty)"
        choices = "".join(f"`{each}`, " for each in setting.choices).removesuffix(", ")
        meaning = setting.meaning.replace("<", "&lt;")  # otherwise Markdown renders it as a tag
        parts.append(f"| `{setting.name}` | {default} | {choices or setting.unit.lower()} | {meaning} |")
    return "\n".join(parts) + "\n"


def reasons_page() -> str:
    """Return docs/reasons.md."""
    parts = [
        "# Why a job failed or was retried",
        "",
        "`.status.failure.reason` is one of these; `.status.failure.message` has the details.",
        "Conditions show the reason in",
        "CamelCase. *Retried*: another attempt follows, as long as `spec.backoffLimit` allows. *Counts*: the failure",
        "counts against that",
        "limit. `make docs` generates this table from `operator/reconstruction_operator/contract/outcomes.py`.",
        "",
        "| reason | in conditions | retried | counts | what to do |",
        "|---|---|---|---|---|",
    ]
    for reason in REASONS.values():
        again, counts = ("yes" if each else "no" for each in (reason.retriable, reason.counts))
        parts.append(f"| `{reason.code}` | {reason.condition_reason} | {again} | {counts} | {reason.advice} |")
    return "\n".join(parts) + "\n"


def conditions_page() -> str:
    """Return docs/conditions.md."""
    parts = [
        "# Conditions of a ReconstructionJob",
        "",
        "Made from the table in `planning/status/reasons.py`. All but `Contested` and `InputChecked` exist from the",
        "first status, each with",
        "`observedGeneration`. `Finished` is true whatever the outcome. A suspended job is not reconciling, and a",
        "cancelled one has not failed. The reasons of `Failed` and `Stalled` are those of `.status.failure.reason`, in",
        "CamelCase. A status lists first the conditions that are true, or that show what the job waits for, in the",
        "order of this page.",
    ]
    failures = (ConditionType.FAILED, ConditionType.STALLED)
    for kind in ConditionType:
        parts += ["", f"## {kind.value}", "", "| status | reason | meaning |", "|---|---|---|"]
        parts += [
            f"| {row.status} | {row.reason} | {row.meaning} |"
            for row in CONDITION_REASONS.values()
            if row.type is kind and not (kind in failures and row.status == "True")
        ]
        if kind in failures:
            parts.append(
                "| True | InputNotFound, TooFewImages, … | The job failed. [reasons.md](reasons.md) "
                "lists all reasons, there as "
                "`INPUT_NOT_FOUND`, with advice. |"
            )
    return "\n".join(parts) + "\n"


def schema_nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield path, schema and whether it is required for every field below an object's schema; parents come first."""
    for name, child in node.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        yield at, child, name in node.get("required", ())
        yield from schema_nodes(child.get("items", child), f"{at}[]" if "items" in child else at)


def limits(node: dict[str, Any]) -> str:
    """Return the allowed values of a field in words."""
    parts = []
    if "enum" in node:
        parts.append(", ".join(f"`{each}`" for each in node["enum"]))
    if "minimum" in node:
        lowest = node["minimum"]
        parts.append(f"{lowest} to {node['maximum']}" if "maximum" in node else f"from {lowest}")
    for key, what in (("maxLength", "characters"), ("maxItems", "entries"), ("maxProperties", "entries")):
        if key in node:
            parts.append(f"at most {node[key]} {what}")
    return "; ".join(parts)


def api_page() -> str:
    """Return docs/api.md."""
    root = schema()
    nodes = [("", root, True), *schema_nodes(root)]
    titles = f"short names {' and '.join(f'`{each}`' for each in SHORT_NAMES)}, category `{CATEGORY}`"
    parts = [
        "# ReconstructionJob, field by field",
        "",
        f"`{GROUP}/{VERSION}`, kind `{KIND}`, {titles}.",
        "`make docs` generates these tables from the types in `operator/reconstruction_operator/api`, as `make crd`",
        "does the CRD;",
        "`kubectl explain recon.spec` shows the same. Examples are",
        "in [manifests/examples](../manifests/examples), the reasons of",
        "failures in [reasons.md](reasons.md).",
    ]
    for part in ("spec", "status"):
        parts += ["", f"## .{part}", "", "| field | type | meaning | allowed |", "|---|---|---|---|"]
        meanings: dict[str, str] = {}  # -> the first field with it
        for path, node, required in nodes:
            if path.startswith(f"{part}."):
                field = path.removeprefix(f"{part}.")
                first = meanings.setdefault(node["description"], field)
                meaning = node["description"].replace("<", "&lt;") if first == field else f"As `{first}`."
                name = f"`{field}`{' (required)' if required else ''}"
                kind = node.get("format", node["type"])
                parts.append(f"| {name} | {kind} | {meaning} | {limits(node).replace('|', chr(92) + '|')} |")
    parts += [
        "",
        "## What the API server refuses",
        "",
        "Besides the limits in the tables, it enforces these rules (CEL), and returns their messages:",
        "",
        "| field | message |",
        "|---|---|",
    ]
    fields: dict[str, list[str]] = {}
    for path, node, _ in nodes:
        for rule in node.get("x-kubernetes-validations", ()):
            field = (path + rule.get("fieldPath", "")).lstrip(".")
            message = rule["message"].replace(f"{field.rpartition('.')[2]} cannot be", "the field cannot be")
            fields.setdefault(message, []).append(f"`{field}`")
    parts += [f"| {', '.join(names)} | {message} |" for message, names in fields.items()]
    parts += ["", "## Columns of `kubectl get recon`", "", "| column | from | meaning | shown |", "|---|---|---|---|"]
    for column in PRINTER_COLUMNS:
        shown = "with `-o wide`" if column.get("priority") else "always"
        parts.append(f"| {column['name']} | `{column['jsonPath']}` | {column['description']} | {shown} |")
    selectors = ", ".join(f"`{path.lstrip('.')}`" for path in SELECTABLE_FIELDS)
    parts += ["", f"`kubectl get recon --field-selector` accepts {selectors}."]
    return "\n".join(parts) + "\n"


def metrics_page() -> str:
    """Return docs/metrics.md."""
    operator, workers = ("\n".join(metrics_table(module)) for module in (metrics, worker_metrics))
    return f"""# Metrics

All metrics have one prefix and base units. No label has a job's name, so the number of series does not grow with the
number of jobs. `make docs` generates these tables from `operator/reconstruction_operator/telemetry`;
[dashboards.md](dashboards.md) shows how to use them.

## The operator

At `/metrics` of `METRICS_PORT`, with the usual metrics of Python and its process. Each replica reports what it
observes; a standby (`reconstruction_leader` is 0) only counts the jobs.

{operator}

## The workers

At `/metrics` of `WORKER_METRICS_PORT` (off by default), in the worker's main process, for every kind of pool. Pool
processes send their values there at once, so counts survive a killed process.

{workers}
"""


def metrics_table(module: ModuleType) -> Iterator[str]:
    """Yield the table of the metrics that a module defines, in its order."""
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    suffixes = {"counter": "_total", "info": "_info"}
    for metric in vars(module).values():
        if not isinstance(metric, MetricWrapperBase):
            continue
        (described,) = metric.describe()
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001  # the library has no public attribute
        name = described.name + suffixes.get(described.type, "")
        yield f"| `{name}` | {described.type} | {labels} | {described.documentation} |"


def files() -> dict[str, str]:
    """Return the files: path in the checkout -> content."""
    return {
        "docs/api.md": api_page(),
        "docs/conditions.md": conditions_page(),
        "docs/metrics.md": metrics_page(),
        "docs/parameters.md": parameters.page(),
        "docs/reasons.md": reasons_page(),
        "docs/settings.md": settings_page(),
    }
