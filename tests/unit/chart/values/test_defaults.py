"""Defaults of the chart, and rules for all objects."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import GPU, RESTRICTED, Objects, Render, pods
from tests.support.paths import CHECKOUT

ALL_PODS: dict[str, Any] = {"workers": GPU}


@pytest.mark.parametrize(
    ("release", "name"),
    [
        pytest.param("reconstruction", "reconstruction-operator", id="plain"),
        pytest.param("reconstruction-operator", "reconstruction-operator", id="as the chart"),
        pytest.param("team-a", "team-a-reconstruction-operator", id="something else"),
        pytest.param("a" * 53, f"{'a' * 25}-reconstruction-operator", id="longest"),
    ],
)
def test_names_follow_the_release(render: Render, release: str, name: str) -> None:
    objects = render(release=release)

    assert ("Deployment", name) in objects
    assert all(len(name) <= 63 for _, name in objects)


def test_configured_prefix_is_used(render: Render) -> None:
    assert ("Deployment", "lab-worker-cpu") in render({"fullnameOverride": "lab"})


def test_the_images_have_the_projects_version(render: Render, chart: Path) -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((chart / "Chart.yaml").read_text())["appVersion"] == project
    assert {
        container["image"] for name, pod in pods(render()) if "redis" not in name for container in pod["containers"]
    } == {f"reconstruction-operator:{project}", f"reconstruction-worker:{project}"}


def test_a_changed_chart_has_another_version_than_the_previous_one(chart: Path) -> None:
    name = f"reconstruction-operator-{yaml.safe_load((chart / 'Chart.yaml').read_text())['version']}.tgz"
    previous = [package.name for package in (CHECKOUT / "tests/data/charts").iterdir()]
    assert len(previous) == 1
    assert name not in previous


def test_the_crd_is_generated_and_kept_after_an_uninstall(render: Render, chart: Path) -> None:
    made = render()["CustomResourceDefinition", "reconstructionjobs.reconstruction.dev"]

    assert made["spec"] == yaml.safe_load((chart / "files/crd/reconstructionjobs.yaml").read_text())["spec"]
    assert made["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_crd_is_deleted_with_the_release_without_keep(render: Render) -> None:
    made = render({"crds": {"keep": False}})["CustomResourceDefinition", "reconstructionjobs.reconstruction.dev"]

    assert "annotations" not in made["metadata"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        pytest.param({"crds": {"enabled": False}}, "CustomResourceDefinition", id="the CRD"),
        pytest.param({"test": {"enabled": False}}, "Pod", id="helm test"),
        pytest.param({"operator": {"replicas": 1}}, "PodDisruptionBudget", id="the budget of a single replica"),
    ],
)
def test_an_object_can_be_disabled(render: Render, values: dict[str, Any], kind: str) -> None:
    assert kind not in {found for found, _ in render(values)}


def test_every_pod_is_restricted_and_has_a_read_only_root(render: Render) -> None:
    for name, pod in pods(render(ALL_PODS)):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in pod["containers"]:
            assert container["securityContext"] == RESTRICTED, name


def test_every_container_has_a_memory_request_and_limit(render: Render) -> None:
    for name, pod in pods(render(ALL_PODS)):
        for container in pod["containers"]:
            assert "memory" in container["resources"]["requests"], name
            assert "memory" in container["resources"]["limits"], name


def test_only_the_operator_and_the_test_have_a_token_of_the_cluster(render: Render) -> None:
    with_token = {name for name, pod in pods(render(ALL_PODS)) if pod.get("automountServiceAccountToken", True)}

    assert with_token == {"reconstruction-operator", "reconstruction-test"}


def test_selectors_contain_no_label_that_an_upgrade_changes(render: Render) -> None:
    for (kind, name), one in render(ALL_PODS).items():
        if kind in ("Deployment", "StatefulSet"):
            assert set(one["spec"]["selector"]["matchLabels"]) == {
                "app.kubernetes.io/name",
                "app.kubernetes.io/instance",
                "app.kubernetes.io/component",
            }, name
            labels = one["spec"]["template"]["metadata"]["labels"]
            assert one["spec"]["selector"]["matchLabels"].items() <= labels.items(), name


def test_no_two_workloads_select_the_same_pods(render: Render) -> None:
    selected = [
        tuple(sorted(one["spec"]["selector"]["matchLabels"].items()))
        for (kind, _), one in render(ALL_PODS).items()
        if kind in ("Deployment", "StatefulSet")
    ]

    assert len(set(selected)) == len(selected) == 4


def test_namespaced_objects_have_a_namespace_or_use_the_releases(render: Render) -> None:
    cluster_wide = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}

    elsewhere = {
        name
        for (kind, name), one in render(ALL_PODS).items()
        if kind not in cluster_wide and one["metadata"].get("namespace", "recon") != "recon"
    }

    assert elsewhere == set()


def test_registry_prefixes_only_our_images(render: Render) -> None:
    images = {
        container["image"]
        for _, pod in pods(render({"image": {"registry": "registry.example.com/team/"}}))
        for container in pod["containers"]
    }

    assert {image.rpartition(":")[0] for image in images} == {
        "registry.example.com/team/reconstruction-operator",
        "registry.example.com/team/reconstruction-worker",
        "docker.io/library/redis",
    }


def test_a_changed_setting_changes_the_pods_that_read_it(render: Render) -> None:
    def checksums(objects: Objects) -> set[str]:
        return {
            one["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
            for (kind, _), one in objects.items()
            if kind == "Deployment"
        }

    (before,) = checksums(render())
    (after,) = checksums(render({"settings": {"LOG_LEVEL": "DEBUG"}}))
    assert before != after


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(8589934592, "8589934592", id="large number"),
        pytest.param(0.5, "0.5", id="fraction"),
        pytest.param("a,b", "a,b", id="text"),
    ],
)
def test_a_setting_is_written_as_the_code_reads_it(render: Render, value: object, text: str) -> None:
    objects = render({"settings": {"INPUT_MAX_BYTES": value}})

    assert objects["ConfigMap", "reconstruction-settings"]["data"]["INPUT_MAX_BYTES"] == text


def test_helm_test_uses_a_queue_that_a_pool_consumes(render: Render) -> None:
    objects = render({"workers": {"cpu": None} | GPU})

    assert objects["Pod", "reconstruction-test"]["spec"]["containers"][0]["command"] == [
        "reconstruction-operator",
        "selftest",
        "--namespace=recon",
        "--queue=gpu",
        "--timeout-seconds=180",
    ]
    assert objects["Role", "reconstruction-test"]["rules"] == [
        {"apiGroups": ["reconstruction.dev"], "resources": ["reconstructionjobs"], "verbs": ["create", "get", "delete"]}
    ]
