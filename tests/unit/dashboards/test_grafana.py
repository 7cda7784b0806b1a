"""Dashboard file: importable and readable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.paths import CHART

DASHBOARD: dict[str, Any] = json.loads((CHART / "files/dashboards/reconstruction.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def test_the_dashboard_has_a_stable_uid_and_a_data_source_variable() -> None:
    assert DASHBOARD["uid"] == "reconstruction"
    assert DASHBOARD["templating"]["list"][0] == {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
    }
    assert {json.dumps(panel["datasource"]) for panel in PANELS} == {'{"type": "prometheus", "uid": "${datasource}"}'}


def test_the_first_row_shows_the_health_of_the_system() -> None:
    assert next(panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row") == "Health"
    assert {panel["type"] for panel in PANELS[:8]} == {"stat"}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_has_a_description_a_unit_and_no_fixed_interval(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert "rate(" not in target["expr"] or "$__rate_interval" in target["expr"]


def test_panels_do_not_overlap_and_have_unique_ids() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        where = panel["gridPos"]
        cells = {
            (column, line)
            for column in range(where["x"], where["x"] + where["w"])
            for line in range(where["y"], where["y"] + where["h"])
        }
        assert not taken & cells, panel["title"]
        assert where["x"] + where["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
