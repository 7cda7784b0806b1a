"""Names, labels, annotations and images of all objects, as set by the usual values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chart import GPU, Objects, Refuse, Render, pods

EVERYTHING: dict[str, Any] = {
    "workers": GPU,
    "networkPolicy": {"enabled": True},
    "rbac": {"canceller": {"enabled": True}},
    "deletionProtection": {"enabled": True},
    "operator": {"watchNamespaces": ["maps"]},
    "workerDefaults": {"serviceAccount": {"create": True}, "autoscaling": {"enabled": True}},
    "keda": {"prometheusAddress": "http://prometheus:9090"},
    "missingApis": "render",
    "metrics": {key: {"enabled": True} for key in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboards")},
}


def metadata_of(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the metadata of every object, and of every pod that a workload would create."""
    for (kind, name), one in objects.items():
        yield f"{kind} {name}", one["metadata"]
        if kind in ("Deployment", "StatefulSet"):
            yield f"pods of {kind} {name}", one["spec"]["template"]["metadata"]


def images(objects: Objects) -> set[str]:
    return {container["image"] for _, pod in pods(objects) for container in pod["containers"]}


@pytest.mark.parametrize(
    ("values", "release", "prefix"),
    [
        pytest.param({"fullnameOverride": "lab"}, "reconstruction", "lab", id="full name"),
        pytest.param({"nameOverride": "meshes"}, "team", "team-meshes", id="name"),
        pytest.param({"nameOverride": "meshes-operator"}, "team", "team-meshes", id="name with a suffix"),
        pytest.param({"nameOverride": "meshes"}, "meshes", "meshes", id="name of the release"),
        pytest.param({"nameOverride": "m" * 63}, "a" * 53, f"{'a' * 25}-{'m' * 14}", id="longest"),
    ],
)
def test_names_can_be_overridden(render: Render, values: dict[str, Any], release: str, prefix: str) -> None:
    objects = render(values, release=release)

    assert {("Deployment", f"{prefix}-operator"), ("Deployment", f"{prefix}-worker-cpu")} <= objects.keys()
    assert all(len(name) <= 63 for _, name in objects)


def test_every_selector_follows_the_overridden_name(render: Render) -> None:
    objects = render(EVERYTHING | {"nameOverride": "meshes"})

    name = "app.kubernetes.io/name"
    assert {metadata["labels"].get(name, "meshes") for _, metadata in metadata_of(objects)} == {"meshes"}
    assert "reconstruction-operator" not in str(
        [one["spec"].get("podSelector", one["spec"].get("selector")) for one in objects.values() if "spec" in one]
    )


def test_common_labels_and_annotations_reach_every_object_and_pod(render: Render) -> None:
    values = {"commonLabels": {"team": "maps"}, "commonAnnotations": {"contact": "maps"}}

    found = dict(metadata_of(render(EVERYTHING | values)))

    assert len(found) > 30
    assert {name for name, metadata in found.items() if metadata["labels"].get("team") != "maps"} == set()
    assert {name for name, metadata in found.items() if metadata["annotations"].get("contact") != "maps"} == set()


def test_every_pod_has_the_label_that_the_plugin_and_the_gallery_select(render: Render) -> None:
    labels = {
        name: metadata["labels"] for name, metadata in metadata_of(render(EVERYTHING)) if name.startswith("pods of ")
    }

    assert len(labels) > 3
    assert {name for name, own in labels.items() if own.get("app.kubernetes.io/part-of") != "reconstruction"} == set()


def test_common_labels_change_no_selector(render: Render) -> None:
    def selectors(objects: Objects) -> list[Any]:
        return [one["spec"]["selector"] for (kind, _), one in objects.items() if kind in ("Deployment", "StatefulSet")]

    assert selectors(render({"commonLabels": {"team": "maps"}})) == selectors(render())


def test_labels_of_the_chart_and_of_one_object_override_common_labels(render: Render) -> None:
    common = {"app.kubernetes.io/name": "other", "team": "maps", "grafana_dashboard": "0"}
    annotations = {"helm.sh/resource-policy": "delete", "checksum/settings": "none"}
    own = {"podLabels": {"team": "operators", "app.kubernetes.io/component": "other"}}

    objects = render(EVERYTHING | {"commonLabels": common, "commonAnnotations": annotations, "operator": own})

    deployment = objects["Deployment", "reconstruction-operator"]
    pods = deployment["spec"]["template"]["metadata"]
    assert deployment["metadata"]["labels"]["app.kubernetes.io/name"] == "reconstruction-operator"
    assert pods["labels"]["team"] == "operators"
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pods["labels"].items()
    assert pods["annotations"]["checksum/settings"] != "none"
    assert (
        objects["ConfigMap", "reconstruction-dashboard-reconstruction"]["metadata"]["labels"]["grafana_dashboard"]
        == "1"
    )
    assert objects["PersistentVolumeClaim", "reconstruction-jobs"]["metadata"]["annotations"] == annotations | {
        "helm.sh/resource-policy": "keep"
    }


def test_a_global_registry_overrides_every_other_registry(render: Render) -> None:
    values = {"global": {"imageRegistry": "mirror.example.com/"}, "image": {"registry": "ours.example.com"}}

    found = images(render(values | {"workers": GPU, "workerDefaults": {"image": {"registry": "pool.example.com"}}}))

    assert {image.rpartition(":")[0] for image in found} == {
        "mirror.example.com/reconstruction-operator",
        "mirror.example.com/reconstruction-worker",
        "mirror.example.com/reconviagen",
        "mirror.example.com/library/redis",
    }


@pytest.mark.parametrize("tag", [{}, {"registry": "mirror.example.com"}])
def test_gpus_with_the_image_for_cpus_are_rejected_with_advice(refuse: Refuse, tag: dict[str, str]) -> None:
    message = refuse({"workers": {"gpu": {"enabled": True, "image": tag}}})

    assert "workers.gpu.gpu.count is 1, but the image reconstruction-worker has only models for CPUs" in message
    assert "set workers.gpu.image.repository to your image with a model for GPUs" in message


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param({"image": {"tag": "7-cuda"}}, id="own tag"),
        pytest.param({"image": {"digest": f"sha256:{'0' * 64}"}}, id="own digest"),
        pytest.param({"gpu": {"count": 0}}, id="no GPU"),
    ],
)
def test_a_gpu_pool_with_its_own_image_or_without_gpus_is_accepted(render: Render, pool: dict[str, Any]) -> None:
    assert ("Deployment", "reconstruction-worker-gpu") in render({"workers": {"gpu": {"enabled": True} | pool}})
