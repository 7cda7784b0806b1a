"""NetworkPolicies: off by default; each pod has only the connections that it needs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chart import GPU, Objects, Render, labels, pod_templates

DNS = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
API_SERVER = {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]}


REDIS = {"ports": [{"port": 6379, "protocol": "TCP"}], "to": [{"podSelector": {"matchLabels": labels("redis")}}]}


def policies(objects: Objects) -> dict[str, dict[str, Any]]:
    return {
        name.removeprefix("reconstruction-"): one["spec"]
        for (kind, name), one in objects.items()
        if kind == "NetworkPolicy"
    }


def enabled(render: Render, values: dict[str, Any] | None = None, **policy: Any) -> dict[str, dict[str, Any]]:
    return policies(render((values or {}) | {"networkPolicy": {"enabled": True} | policy}))


def test_no_policies_are_rendered_by_default(render: Render) -> None:
    assert policies(render()) == {}


def policy(component: str, ingress: list[dict[str, Any]], egress: list[dict[str, Any]]) -> dict[str, Any]:
    selector = {"matchLabels": labels(component)}
    return {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], "ingress": ingress, "egress": egress}


@pytest.mark.parametrize(
    ("component", "port", "egress"),
    [
        pytest.param("operator", "http", [DNS, REDIS, API_SERVER], id="operator: API server and Redis"),
        pytest.param("worker-cpu", "metrics", [DNS, REDIS], id="worker: only Redis"),
    ],
)
def test_operator_and_workers_have_only_the_connections_that_they_need(
    render: Render, component: str, port: str, egress: list[dict[str, Any]]
) -> None:
    ingress = [{"ports": [{"port": port, "protocol": "TCP"}]}]
    assert enabled(render)[component] == policy(component, ingress, egress)


def test_worker_without_metrics_accepts_no_connections(render: Render) -> None:
    assert enabled(render, {"metrics": {"workerPort": 0}})["worker-cpu"]["ingress"] == []


def test_metrics_are_limited_to_the_named_sources(render: Render) -> None:
    prometheus = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]

    found = enabled(render, metricsFrom=prometheus)

    assert found["operator"]["ingress"][0]["from"] == found["worker-cpu"]["ingress"][0]["from"] == prometheus


def test_worker_egress_can_be_extended(render: Render) -> None:
    storage = {"ports": [{"port": 443, "protocol": "TCP"}]}

    assert enabled(render, workerEgress=[storage])["worker-cpu"]["egress"] == [DNS, REDIS, storage]


def test_redis_accepts_operator_and_workers_and_connects_to_nothing(render: Render) -> None:
    pools = {
        "matchLabels": {name: value for name, value in labels("").items() if not name.endswith("component")},
        "matchExpressions": [{"key": "reconstruction.dev/pool", "operator": "Exists"}],
    }
    clients = [{"podSelector": {"matchLabels": labels("operator")}}, {"podSelector": pools}]
    ingress = [{"ports": [{"port": "redis", "protocol": "TCP"}], "from": clients}]

    assert enabled(render)["redis"] == policy("redis", ingress, [])


def test_every_pod_has_a_policy(render: Render) -> None:
    objects = render({"networkPolicy": {"enabled": True}, "workers": GPU})
    selected = [policy["podSelector"]["matchLabels"].items() for policy in policies(objects).values()]

    for name, template in pod_templates(objects):
        assert sum(each <= template["metadata"]["labels"].items() for each in selected) == 1, name


def test_an_external_redis_is_allowed_on_its_port(render: Render) -> None:
    redis = {"enabled": False, "external": {"existingSecret": "our-redis"}}

    found = enabled(render, {"redis": redis}, redisPort=6380)

    assert found.keys() == {"operator", "worker-cpu", "test"}
    assert found["worker-cpu"]["egress"] == [DNS, {"ports": [{"port": 6380, "protocol": "TCP"}]}]
