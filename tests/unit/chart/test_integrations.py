"""Integrations: monitors, rules and dashboards, rendered only if the cluster has their CRDs."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.support.chart import Refuse, Render
from tests.support.paths import CHART


@pytest.mark.parametrize("base", ["", "https://git.example.com/docs/runbooks/"], ids=["as-is", "other-runbooks"])
def test_the_rule_has_all_alerts_unchanged_but_for_the_address_of_their_runbooks(render: Render, base: str) -> None:
    objects = render({"metrics": {"prometheusRule": {"enabled": True, "runbookBaseUrl": base}}})

    alerts = (CHART / "files/alerts.yaml").read_text().replace("docs/runbooks/", base or "docs/runbooks/")
    assert objects["PrometheusRule/reconstruction-operator"]["spec"] == yaml.safe_load(alerts)
    assert base in alerts
    assert "{{ $labels" in alerts  # Prometheus's templates, not helm's


def test_the_dashboard_becomes_a_config_map_that_grafanas_sidecar_finds(render: Render) -> None:
    objects = render({"metrics": {"dashboards": {"enabled": True, "annotations": {"folder": "3D"}}}})

    dashboard = objects["ConfigMap/reconstruction-dashboard-reconstruction"]
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["metadata"]["annotations"] == {"folder": "3D"}
    file = json.loads((CHART / "files/dashboards/reconstruction.json").read_text())
    assert json.loads(dashboard["data"]["reconstruction.json"]) == file


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        pytest.param({"metrics": {"serviceMonitor": {"enabled": True}}}, "ServiceMonitor", id="service monitor"),
        pytest.param({"metrics": {"podMonitor": {"enabled": True}}}, "PodMonitor", id="pod monitor"),
        pytest.param({"metrics": {"prometheusRule": {"enabled": True}}}, "PrometheusRule", id="rule"),
        pytest.param(
            {"workers": {"cpu": {"autoscaling": {"enabled": True}}}, "keda": {"prometheusAddress": "http://p:9090"}},
            "ScaledObject",
            id="KEDA",
        ),
    ],
)
def test_a_resource_without_its_crd_in_the_cluster_is_rejected_skipped_or_rendered(
    render: Render, refuse: Refuse, values: dict[str, Any], kind: str
) -> None:
    refusal = refuse(values, apis=())
    skipped, rendered = (render(values | {"missingApis": choice}, apis=()) for choice in ("skip", "render"))

    assert f"/{kind}, which this cluster does not have" in refusal
    assert "set missingApis to skip or render" in refusal
    assert kind not in {name.partition("/")[0] for name in skipped}
    assert kind in {name.partition("/")[0] for name in rendered}
