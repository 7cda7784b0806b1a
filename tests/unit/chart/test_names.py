"""Names, labels, annotations and images of all objects, as set by the usual values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chart import GPU, Objects, Render, images, pods

EVERYTHING: dict[str, Any] = {
    "workers": GPU,
    "networkPolicy": {"egress": True},
    "rbac": {"canceller": {"enabled": True}},
    "deletionProtection": {"enabled": True},
    "operator": {"watchNamespaces": ["maps"]},
    "workerDefaults": {"serviceAccount": {"create": True}, "autoscaling": {"enabled": True}},
    "keda": {"prometheusAddress": "http://prometheus:9090"},
    "metrics": {key: {"enabled": True} for key in ("serviceMonitor", "podMonitor", "prometheusRule", "dashboards")},
}


def metadata_of(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the metadata of every object, and of every pod that a workload would create."""
    for name, manifest in objects.items():
        yield name, manifest["metadata"]
    for name, pod in pods(objects):
        yield f"pods of {name}", pod["metadata"]


@pytest.mark.parametrize(
    ("values", "release", "prefix"),
    [
        pytest.param({}, "reconstruction", "reconstruction", id="plain"),
        pytest.param({}, "reconstruction-operator", "reconstruction", id="as the chart"),
        pytest.param({}, "team-a", "team-a-reconstruction", id="something else"),
        pytest.param({}, "a" * 53, f"{'a' * 25}-reconstruction", id="longest"),
        pytest.param({"fullnameOverride": "lab"}, "reconstruction", "lab", id="full name"),
        pytest.param({"nameOverride": "meshes"}, "team", "team-meshes", id="name"),
        pytest.param({"nameOverride": "meshes-operator"}, "team", "team-meshes", id="name with a suffix"),
        pytest.param({"nameOverride": "meshes"}, "meshes", "meshes", id="name of the release"),
        pytest.param({"nameOverride": "m" * 63}, "a" * 53, f"{'a' * 25}-{'m' * 14}", id="longest of both"),
    ],
)
def test_names_follow_the_release_or_the_overrides(
    render: Render, values: dict[str, Any], release: str, prefix: str
) -> None:
    objects = render(values, release=release)

    assert {f"Deployment/{prefix}-operator", f"Deployment/{prefix}-worker-cpu"} <= objects.keys()
    assert all(len(manifest["metadata"]["name"]) <= 63 for manifest in objects.values())


def test_every_selector_follows_the_overridden_name(render: Render) -> None:
    objects = render(EVERYTHING | {"nameOverride": "meshes"})

    name = "app.kubernetes.io/name"
    assert {metadata["labels"].get(name, "meshes") for _, metadata in metadata_of(objects)} == {"meshes"}
    specs = [manifest["spec"] for manifest in objects.values() if "spec" in manifest]
    assert "reconstruction-operator" not in str([spec.get("podSelector", spec.get("selector")) for spec in specs])


def test_common_labels_and_annotations_reach_every_object_and_pod_but_no_selector(render: Render) -> None:
    def selectors(objects: Objects) -> list[Any]:
        return [objects[name]["spec"]["selector"] for name, _ in pods(objects) if not name.startswith("Pod/")]

    plain = render(EVERYTHING)
    labelled = render(EVERYTHING | {"commonLabels": {"team": "maps"}, "commonAnnotations": {"contact": "maps"}})

    metadata = dict(metadata_of(labelled))
    assert len(metadata) > 30
    assert {name for name, own in metadata.items() if own["labels"].get("team") != "maps"} == set()
    assert {name for name, own in metadata.items() if own["annotations"].get("contact") != "maps"} == set()
    assert selectors(labelled) == selectors(plain)


def test_labels_of_the_chart_and_of_one_object_override_common_labels(render: Render) -> None:
    common = {"app.kubernetes.io/name": "other", "team": "maps", "grafana_dashboard": "0"}
    annotations = {"helm.sh/resource-policy": "delete", "checksum/settings": "none"}
    own = {"podLabels": {"team": "operators", "app.kubernetes.io/component": "other"}}

    objects = render(EVERYTHING | {"commonLabels": common, "commonAnnotations": annotations, "operator": own})

    operator = objects["Deployment/reconstruction-operator"]
    pod = operator["spec"]["template"]["metadata"]
    assert operator["metadata"]["labels"]["app.kubernetes.io/name"] == "reconstruction-operator"
    assert pod["labels"]["team"] == "operators"
    assert operator["spec"]["selector"]["matchLabels"].items() <= pod["labels"].items()
    assert pod["annotations"]["checksum/settings"] != "none"
    dashboard = objects["ConfigMap/reconstruction-dashboard-reconstruction"]["metadata"]
    assert dashboard["labels"]["grafana_dashboard"] == "1"
    claim = objects["PersistentVolumeClaim/reconstruction-jobs"]["metadata"]
    assert claim["annotations"] == annotations | {"helm.sh/resource-policy": "keep"}


@pytest.mark.parametrize(
    ("values", "repositories"),
    [
        pytest.param(
            {"global": {"imageRegistry": "mirror.example.com/"}, "image": {"registry": "ours.example.com"}},
            {
                *("mirror.example.com/reconstruction-operator", "mirror.example.com/reconstruction-worker"),
                *("mirror.example.com/reconviagen", "mirror.example.com/library/redis"),
            },
            id="of all images",
        ),
        pytest.param(
            {"image": {"registry": "ours.example.com/team/"}},
            {
                *("ours.example.com/team/reconstruction-operator", "ours.example.com/team/reconstruction-worker"),
                *("pool.example.com/reconviagen", "docker.io/library/redis"),
            },
            id="of our images",
        ),
    ],
)
def test_a_registry_is_that_of_all_images_or_of_ours(
    render: Render, values: dict[str, Any], repositories: set[str]
) -> None:
    gpu = GPU["gpu"] | {"image": {"repository": "reconviagen", "registry": "pool.example.com"}}

    objects = render(values | {"workers": {"gpu": gpu}})

    assert {image.rpartition(":")[0] for image in images(objects)} == repositories
