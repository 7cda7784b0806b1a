"""Shards of the operator: a Deployment, a Lease and a disruption budget each, and one account for all of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chart import PART_OF, Objects, Refuse, Render, env_of, labels, workload

THREE: dict[str, Any] = {"operator": {"shards": 3}}
NAMES = ["operator-1", "operator-2", "operator-3"]
APIS = ("monitoring.coreos.com/v1/ServiceMonitor", "keda.sh/v1alpha1/ScaledObject")


def shard_labels(number: int) -> dict[str, str]:
    return {**labels("operator"), "reconstruction.dev/shard": str(number)}


def named(objects: Objects, kind: str) -> list[str]:
    return sorted(name for of, name in objects if of == kind and "operator" in name)


def test_each_shard_is_a_deployment_with_its_setting(render: Render) -> None:
    objects = render(THREE)

    assert named(objects, "Deployment") == [f"reconstruction-{name}" for name in NAMES]
    for number, name in enumerate(NAMES, 1):
        env = env_of(objects, name)
        assert (env["SHARD"], env["LEASE_NAME"]) == (f"{number}/3", "reconstruction-operator")
        assert workload(objects, name)["replicas"] == 2


def test_one_shard_is_rendered_without_numbers(render: Render) -> None:
    objects = render({"operator": {"shards": 1}})

    assert named(objects, "Deployment") == ["reconstruction-operator"]
    assert "SHARD" not in env_of(objects, "operator")
    assert workload(objects, "operator")["selector"]["matchLabels"] == labels("operator")


def test_no_selector_of_a_shard_selects_a_pod_of_another(render: Render) -> None:
    objects = render(THREE)

    for number, name in enumerate(NAMES, 1):
        spec = workload(objects, name)
        (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
        budget = objects["PodDisruptionBudget", f"reconstruction-{name}"]["spec"]
        selectors = (spec["selector"], spread["labelSelector"], budget["selector"])
        assert [one["matchLabels"] for one in selectors] == [shard_labels(number)] * 3
        assert spec["template"]["metadata"]["labels"] == shard_labels(number) | PART_OF


def test_pod_labels_never_replace_the_label_of_the_shard(render: Render) -> None:
    objects = render({"operator": {"shards": 2, "podLabels": {"team": "maps", "reconstruction.dev/shard": "9"}}})

    found = workload(objects, "operator-2")["template"]["metadata"]["labels"]
    assert found == shard_labels(2) | PART_OF | {"team": "maps"}


@pytest.mark.parametrize(
    ("values", "leases"),
    [
        pytest.param({}, ["reconstruction-operator"], id="one operator"),
        pytest.param(THREE, [f"reconstruction-operator-{number}-of-3" for number in (1, 2, 3)], id="shards"),
    ],
)
def test_the_account_may_hold_only_the_leases_of_its_shards(
    render: Render, values: dict[str, Any], leases: list[str]
) -> None:
    rules = render(values)["Role", "reconstruction-operator"]["rules"]

    (update,) = [rule for rule in rules if "update" in rule["verbs"]]
    assert update["resourceNames"] == leases


def test_the_account_may_read_leases_of_releases_with_as_many_shards(render: Render) -> None:
    rules = render(THREE)["ClusterRole", "reconstruction-operator"]["rules"]

    (read,) = [rule for rule in rules if rule["resources"] == ["leases"]]
    shards = [f"reconstruction-operator-{number}-of-3" for number in (1, 2, 3)]
    assert (read["verbs"], read["resourceNames"]) == (["get"], ["reconstruction-operator", *shards])


def test_metrics_have_the_shard_and_scaling_counts_the_jobs_of_all_shards(render: Render) -> None:
    metrics = {"metrics": {"serviceMonitor": {"enabled": True}}, "keda": {"prometheusAddress": "http://prometheus"}}
    scaled = {"workers": {"cpu": {"autoscaling": {"enabled": True}}}}
    objects = render(THREE | metrics | scaled, apis=APIS)

    assert objects["ServiceMonitor", "reconstruction-operator"]["spec"]["podTargetLabels"] == [
        "reconstruction.dev/shard"
    ]
    (trigger,) = objects["ScaledObject", "reconstruction-worker-cpu"]["spec"]["triggers"]
    assert trigger["metadata"]["query"].startswith("sum(max by (reconstruction_dev_shard, queue, phase)")


@pytest.mark.parametrize("shards", [0, 33, "3"])
def test_an_invalid_number_of_shards_is_rejected(refuse: Refuse, shards: Any) -> None:
    assert "shards" in refuse({"operator": {"shards": shards}})
