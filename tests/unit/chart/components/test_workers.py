"""Pools of workers: the default objects, then one value in each test."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.telemetry import metrics

from tests.support.chart import (
    Objects,
    Refuse,
    Render,
    container_of,
    workload,
)


def spec(objects: Objects, pool: str = "cpu") -> dict[str, Any]:
    return workload(objects, f"worker-{pool}")


def container(objects: Objects, pool: str = "cpu") -> dict[str, Any]:
    return container_of(objects, f"worker-{pool}")


def pools(objects: Objects) -> set[str]:
    return {
        name.removeprefix("reconstruction-worker-")
        for kind, name in objects
        if kind == "Deployment" and "worker" in name
    }


@pytest.mark.parametrize(
    ("values", "left"),
    [
        pytest.param({"cpu": {"enabled": False}}, set(), id="switched off"),
        pytest.param({"cpu": None}, set(), id="taken away"),
        pytest.param({"cpu": {"replicas": 0}}, {"cpu"}, id="no replicas"),
    ],
)
def test_pool_can_be_removed(render: Render, values: dict[str, Any], left: set[str]) -> None:
    assert pools(render({"workers": values})) == left


@pytest.mark.parametrize(
    ("key", "default", "own"),
    [
        pytest.param("replicas", 4, 0, id="zero"),
        pytest.param("terminationGracePeriodSeconds", 500, 0, id="zero seconds"),
        pytest.param("runtimeClassName", "nvidia", "", id="empty text"),
        pytest.param("tolerations", [{"operator": "Exists"}], [], id="empty list"),
    ],
)
def test_pool_can_override_a_default_with_an_empty_value(
    render: Render, key: str, default: object, own: object
) -> None:
    plain = render()

    overridden = render({"workerDefaults": {key: default}, "workers": {"cpu": {key: own}}})

    expected = plain if key != "replicas" else render({"workers": {"cpu": {"replicas": 0}}})
    assert spec(overridden) == spec(expected)


def test_null_removes_a_default(render: Render) -> None:
    objects = render({"workers": {"cpu": {"resources": {"requests": None}}}})

    assert container(objects)["resources"] == {"limits": {"memory": "8Gi"}}


def test_worker_without_metrics_has_no_port_and_no_probe(render: Render) -> None:
    found = container(render({"metrics": {"workerPort": 0}}))

    assert found.keys().isdisjoint({"ports", "readinessProbe"})
    assert "WORKER_METRICS_PORT" not in {one["name"] for one in found["env"]}


def test_a_grace_period_shorter_than_the_drain_is_rejected(refuse: Refuse) -> None:
    message = refuse({"workers": {"cpu": {"drainSeconds": 600, "terminationGracePeriodSeconds": 600}}})

    assert "workers.cpu.terminationGracePeriodSeconds is 600: a pod that drains for 600 s needs at least 610" in message


ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
OURS = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}


@pytest.mark.parametrize(
    ("values", "strategy"),
    [
        pytest.param({"jobs": {"accessModes": ["ReadWriteOnce"]}}, {"type": "Recreate"}, id="volume of one node"),
        pytest.param({"jobs": {"accessModes": ["ReadWriteMany"]}}, ROLLING, id="volume of several nodes"),
        pytest.param({"workers": {"cpu": {"strategy": OURS}}}, OURS, id="configured"),
    ],
)
def test_the_update_strategy_follows_the_access_modes_or_is_configured(
    render: Render, values: dict[str, Any], strategy: dict[str, object]
) -> None:
    assert spec(render(values))["strategy"] == strategy


@pytest.mark.parametrize(("value", "found"), [("fast", "fast"), ("-", ""), ("", None)])  # "": the cluster's default
def test_the_claim_requests_a_storage_class(render: Render, value: str, found: str | None) -> None:
    claim = render({"jobs": {"storageClassName": value}})["PersistentVolumeClaim", "reconstruction-jobs"]

    assert claim["spec"].get("storageClassName") == found


# --- KEDA

KEDA = ("keda.sh/v1alpha1/ScaledObject",)
SCALED: dict[str, Any] = {
    "keda": {"prometheusAddress": "http://prometheus:9090"},
    "workers": {"cpu": {"concurrency": 2, "queues": ["celery", "large"], "autoscaling": {"enabled": True}}},
}


def scaled_object(render: Render, values: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = render(values, apis=KEDA)["ScaledObject", "reconstruction-worker-cpu"]["spec"]
    return found


def test_the_scaling_metric_exists_in_the_operator(render: Render) -> None:
    (trigger,) = scaled_object(render, SCALED)["triggers"]

    (name,) = (metric.name for metric in metrics.QUEUE_JOBS.collect())
    assert f"({name}{{" in trigger["metadata"]["query"]
    assert metrics.QUEUE_JOBS._labelnames == ("queue", "phase")
