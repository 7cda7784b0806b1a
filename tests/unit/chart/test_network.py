"""NetworkPolicies: off by default; each pod has only the connections that it needs."""

from __future__ import annotations

from typing import Any

from tests.support.chart import GPU, Objects, Render, labels, pod_templates


def policies(objects: Objects) -> dict[str, dict[str, Any]]:
    return {
        name.removeprefix("reconstruction-"): one["spec"]
        for (kind, name), one in objects.items()
        if kind == "NetworkPolicy"
    }


def enabled(render: Render, values: dict[str, Any] | None = None, **policy: Any) -> dict[str, dict[str, Any]]:
    return policies(render((values or {}) | {"networkPolicy": {"enabled": True} | policy}))


def policy(component: str, ingress: list[dict[str, Any]], egress: list[dict[str, Any]]) -> dict[str, Any]:
    selector = {"matchLabels": labels(component)}
    return {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], "ingress": ingress, "egress": egress}


def test_worker_without_metrics_accepts_no_connections(render: Render) -> None:
    assert enabled(render, {"metrics": {"workerPort": 0}})["worker-cpu"]["ingress"] == []


def test_every_pod_has_a_policy(render: Render) -> None:
    objects = render({"networkPolicy": {"enabled": True}, "workers": GPU})
    selected = [policy["podSelector"]["matchLabels"].items() for policy in policies(objects).values()]

    for name, template in pod_templates(objects):
        assert sum(each <= template["metadata"]["labels"].items() for each in selected) == 1, name
