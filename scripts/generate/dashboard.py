"""Grafana dashboard: its JSON, from the table of panels in panels.py."""

from __future__ import annotations

import json
from typing import Any, Final

from scripts.generate.panels import ROWS, Panel
from scripts.paths import CHART

TARGET: Final = f"{CHART}/files/dashboards/reconstruction.json"

_UID: Final = "reconstruction"  # stable: links and bookmarks stay valid over upgrades
_WIDTH: Final = 24  # columns of Grafana's grid
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_row(title, len(panels) + 1, top))
        top += 1
        left = height = 0
        for panel in row:
            if left + panel.width > _WIDTH:
                top, left, height = top + height, 0, 0
            panels.append(_panel(panel, len(panels) + 1, left, top))
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return {
        "uid": _UID,
        "title": "Reconstruction",
        "description": "Photos to meshes: jobs, queues, workers and the operator. Made by scripts/generate/dashboard.py.",
        "tags": ["reconstruction"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "links": [],
        "panels": panels,
    }


def _variables() -> list[dict[str, Any]]:
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1}
    return [
        source,
        _labels_of("namespace", "reconstruction_leader", "Namespace"),
        _labels_of("queue", "reconstruction_queue_jobs", "Queue"),
    ]


def _labels_of(name: str, of: str, label: str) -> dict[str, Any]:
    query = f"label_values({of}, {name})"
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",  # where nothing has such a label, too
        "current": {"text": "All", "value": "$__all"},
    }


def _row(title: str, number: int, top: int) -> dict[str, Any]:
    where = {"h": 1, "w": _WIDTH, "x": 0, "y": top}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": where, "panels": []}


def _panel(panel: Panel, number: int, left: int, top: int) -> dict[str, Any]:
    is_stat = panel.kind == "stat"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": left, "y": top},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend or "__auto",
                **({"instant": True, "range": False} if is_stat else {"range": True}),
            }
            for place, (legend, expression) in enumerate(panel.queries.items())
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _stat_options(panel) if is_stat else _series_options(),
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"color": panel.first_colour, "value": None}, *({"color": one, "value": at} for at, one in panel.steps)]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}, "min": 0}
    if panel.words:
        options = {value: {"text": text, "color": colour} for value, (text, colour) in panel.words.items()}
        defaults["mappings"] = [{"type": "value", "options": options}]
    if panel.kind != "stat":
        defaults["custom"] = {
            "drawStyle": "line",
            "fillOpacity": 25 if panel.stacked else 5,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }
    return defaults


def _stat_options(panel: Panel) -> dict[str, Any]:
    return {
        "colorMode": "background",
        "graphMode": "none" if panel.words else "area",
        "textMode": "value",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    }


def _series_options() -> dict[str, Any]:
    return {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }


def files() -> dict[str, str]:
    """Path in the checkout -> content."""
    return {TARGET: json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"}
