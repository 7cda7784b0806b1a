"""Integrations: monitors, rules and dashboards, rendered only if the cluster has their CRDs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.chart import GPU, Objects, Refuse, Render, container_of, workload
from tests.support.paths import CHECKOUT

APIS = tuple(f"monitoring.coreos.com/v1/{kind}" for kind in ("ServiceMonitor", "PodMonitor", "PrometheusRule"))
ALERTS = """\
groups:
  - name: test
    rules:
      - alert: RedisDown
        expr: reconstruction_redis_up == 0
        annotations:
          summary: "Redis does not answer {{ $labels.pod }}"
"""


@pytest.fixture(scope="session")
def filled(chart: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with a known alert and a known dashboard."""
    copy = tmp_path_factory.mktemp("chart") / "reconstruction-operator"
    shutil.copytree(chart, copy)
    shutil.rmtree(copy / "files" / "dashboards", ignore_errors=True)
    (copy / "files" / "dashboards").mkdir()
    (copy / "files" / "dashboards" / "Over_view.json").write_text('{"title": "{{queue}}", "uid": "one"}\n')
    (copy / "files" / "alerts.yaml").write_text(ALERTS)
    return copy


def test_the_pod_monitor_selects_the_workers_of_all_pools(render: Render) -> None:
    objects = render({"metrics": {"podMonitor": {"enabled": True}}, "workers": GPU}, apis=APIS)

    selector = objects["PodMonitor", "reconstruction-workers"]["spec"]["selector"]
    for pool in ("cpu", "gpu"):
        labels = workload(objects, f"worker-{pool}")["template"]["metadata"]["labels"]
        assert selector["matchLabels"].items() <= labels.items()
        assert {one["key"] for one in selector["matchExpressions"]} <= labels.keys()


def test_the_pod_monitor_reads_the_port_of_the_workers(render: Render, refuse: Refuse) -> None:
    objects = render({"metrics": {"podMonitor": {"enabled": True}}}, apis=APIS)

    (endpoint,) = objects["PodMonitor", "reconstruction-workers"]["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in container_of(objects, "worker-cpu")["ports"]}
    assert "needs metrics.workerPort" in refuse(
        {"metrics": {"podMonitor": {"enabled": True}, "workerPort": 0}}, apis=APIS
    )


def test_the_alerts_become_a_rule_with_their_templates_unchanged(render: Render, filled: Path) -> None:
    objects = render({"metrics": {"prometheusRule": {"enabled": True}}}, apis=APIS, chart=filled)

    (group,) = objects["PrometheusRule", "reconstruction-operator"]["spec"]["groups"]
    assert group["rules"][0]["annotations"]["summary"] == "Redis does not answer {{ $labels.pod }}"


def runbooks(objects: Objects) -> set[str]:
    groups = objects["PrometheusRule", "reconstruction-operator"]["spec"]["groups"]
    return {rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]}


def test_alert_links_to_its_runbook_in_the_repository_or_at_the_base_url(render: Render) -> None:
    pages = sorted(path.name for path in (CHECKOUT / "docs" / "runbooks").glob("Reconstruction*.md"))
    asked = {"enabled": True, "runbookBaseUrl": "https://git.example.com/docs/runbooks/"}

    as_is = render({"metrics": {"prometheusRule": {"enabled": True}}}, apis=APIS)
    rendered = render({"metrics": {"prometheusRule": asked}}, apis=APIS)

    assert sorted(runbooks(as_is)) == [f"docs/runbooks/{page}" for page in pages]
    assert sorted(runbooks(rendered)) == [f"https://git.example.com/docs/runbooks/{page}" for page in pages]


@pytest.mark.parametrize("address", ["https://a b", 'https://a"', "https://a/#x"])
def test_a_runbook_base_url_that_would_break_the_rule_is_rejected(address: str, refuse: Refuse) -> None:
    refused = refuse({"metrics": {"prometheusRule": {"enabled": True, "runbookBaseUrl": address}}}, apis=APIS)
    assert "runbookBaseUrl" in refused


def test_each_dashboard_becomes_a_config_map_that_grafanas_sidecar_finds(render: Render, filled: Path) -> None:
    objects = render({"metrics": {"dashboards": {"enabled": True, "annotations": {"folder": "3D"}}}}, chart=filled)

    found = objects["ConfigMap", "reconstruction-dashboard-over-view"]
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert found["metadata"]["annotations"] == {"folder": "3D"}
    assert json.loads(found["data"]["Over_view.json"]) == {"title": "{{queue}}", "uid": "one"}


SWITCHES = [
    pytest.param({"metrics": {"serviceMonitor": {"enabled": True}}}, "ServiceMonitor", id="service monitor"),
    pytest.param({"metrics": {"podMonitor": {"enabled": True}}}, "PodMonitor", id="pod monitor"),
    pytest.param({"metrics": {"prometheusRule": {"enabled": True}}}, "PrometheusRule", id="rule"),
    pytest.param(
        {"workers": {"cpu": {"autoscaling": {"enabled": True}}}, "keda": {"prometheusAddress": "http://p:9090"}},
        "ScaledObject",
        id="KEDA",
    ),
]


@pytest.mark.parametrize(("values", "kind"), SWITCHES)
def test_a_resource_without_its_crd_in_the_cluster_is_rejected_by_name(
    refuse: Refuse, values: dict[str, Any], kind: str
) -> None:
    message = refuse(values)

    assert f"/{kind}, which this cluster does not have" in message
    assert "set missingApis to skip or render" in message


@pytest.mark.parametrize(("values", "kind"), SWITCHES)
@pytest.mark.parametrize(("missing", "there"), [("skip", False), ("render", True)])
def test_missing_resource_can_be_skipped_or_rendered(
    render: Render, filled: Path, *, values: dict[str, Any], kind: str, missing: str, there: bool
) -> None:
    objects = render(values | {"missingApis": missing}, chart=filled)

    assert (kind in {found for found, _ in objects}) is there


def test_no_integration_is_rendered_by_default(render: Render) -> None:
    ours = {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apps",
        "flowcontrol.apiserver.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "v1",
    }

    assert {one["apiVersion"].partition("/")[0] for one in render(apis=APIS).values()} == ours
