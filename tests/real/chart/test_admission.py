"""Admission: a real API server accepts every promised shape of the chart in a restricted namespace,
without a warning.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from devcluster import Cluster
from tests.real.chart.release import pods, rendered
from tests.support.paths import CHART

WATCHED = "chart-team"  # the namespace that one of the shapes watches
SHAPES = ["", *sorted(path.name for path in (CHART / "ci").iterdir())]


@dataclass(frozen=True)
class Restricted:
    """A namespace that enforces the restricted standard. Tests share it, since they only send dry runs."""

    cluster: Cluster
    namespace: str


@pytest.fixture(scope="module")
def restricted(chart_cluster: Cluster) -> Iterator[Restricted]:
    namespace = f"chart-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    chart_cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}})
    chart_cluster.api.post("/api/v1/namespaces", {"metadata": {"name": WATCHED}})
    yield Restricted(chart_cluster, namespace)
    chart_cluster.kubectl("delete", "namespace", namespace, WATCHED, "--wait=false")


def of_shape(namespace: str, shape: str) -> list[dict[str, Any]]:
    return rendered(namespace, *(["--values", CHART / "ci" / shape] if shape else []))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_valid(restricted: Restricted, shape: str) -> None:
    cluster = restricted.cluster
    # The pod of `helm test` names an account that helm creates just before it.
    objects = [each for each in of_shape(restricted.namespace, shape) if each["kind"] != "Pod"]

    done = cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(objects)
    )

    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(objects)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_pods_of_a_shape_meet_the_restricted_standard(restricted: Restricted, shape: str) -> None:
    cluster = restricted.cluster
    classes = "/apis/node.k8s.io/v1/runtimeclasses"
    if not cluster.api.is_there(f"{classes}/nvidia"):  # the cluster provides it, not the chart
        cluster.api.post(classes, {"metadata": {"name": "nvidia"}, "handler": "nvidia"})

    every = [*pods(of_shape(restricted.namespace, shape))]
    text = yaml.safe_dump_all(every)
    done = cluster.kubectl("-n", restricted.namespace, "create", "--dry-run=server", "-f", "-", input=text)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(every)


CLAIM = {"spec": {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}}}


@pytest.mark.parametrize(
    ("source", "refusal"),
    [
        pytest.param({"existingClaim": "photos"}, "", id="a claim"),
        pytest.param({"volume": {"csi": {"driver": "nfs.csi.k8s.io"}}}, "", id="csi"),
        pytest.param({"volume": {"ephemeral": {"volumeClaimTemplate": CLAIM}}}, "", id="ephemeral"),
        pytest.param({"volume": {"hostPath": {"path": "/photos"}}}, 'restricted volume type "hostPath"', id="hostPath"),
        pytest.param({"volume": {"nfs": {"server": "nas", "path": "/"}}}, 'restricted volume type "nfs"', id="nfs"),
    ],
)
def test_photos_come_from_volumes_that_the_restricted_standard_allows(
    restricted: Restricted, source: dict[str, Any], refusal: str
) -> None:
    objects = rendered(restricted.namespace, photos=[{"name": "archive", "mountPath": "/photos"} | source])
    (worker,) = [pod for pod in pods(objects) if "worker" in pod["metadata"]["name"]]

    command = ["-n", restricted.namespace, "create", "--dry-run=server", "-f", "-"]
    done = restricted.cluster.kubectl(*command, input=json.dumps(worker), check=False)

    assert (done.returncode == 0) is (refusal == "")
    assert refusal in done.stderr
