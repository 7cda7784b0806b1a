"""Admission: a real API server accepts every promised shape of the chart in a restricted namespace, without a warning."""

import json
from typing import Any

import pytest
import yaml

from tests.real.chart.release import Release, pods, rendered
from tests.support.paths import CHART

SHAPES = ["", *sorted(path.name for path in (CHART / "ci").iterdir())]


def of_shape(namespace: str, shape: str) -> list[dict[str, Any]]:
    return rendered(namespace, *(["--values", CHART / "ci" / shape] if shape else []))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_valid(release: Release, shape: str) -> None:
    cluster = release.cluster
    if not cluster.api.is_there("/api/v1/namespaces/chart-team"):  # one of the shapes watches it
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": "chart-team"}})
    # The pod of `helm test` names an account that helm creates just before it.
    objects = [one for one in of_shape(release.namespace, shape) if one["kind"] != "Pod"]

    done = cluster.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", input=yaml.safe_dump_all(objects)
    )

    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(objects)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_pods_of_a_shape_meet_the_restricted_standard(release: Release, shape: str) -> None:
    cluster = release.cluster
    classes = "/apis/node.k8s.io/v1/runtimeclasses"
    if not cluster.api.is_there(f"{classes}/nvidia"):  # the cluster provides it, not the chart
        cluster.api.post(classes, {"metadata": {"name": "nvidia"}, "handler": "nvidia"})

    for pod in pods(of_shape(release.namespace, shape)):
        text = json.dumps(pod)
        done = cluster.kubectl("-n", release.namespace, "create", "--dry-run=server", "-f", "-", input=text)
        assert done.stderr == "", pod["metadata"]["name"]


def test_a_pod_that_may_gain_privileges_is_rejected(release: Release) -> None:
    pod = next(pods(of_shape(release.namespace, "")))
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True

    done = release.cluster.kubectl(
        "-n", release.namespace, "create", "--dry-run=server", "-f", "-", input=json.dumps(pod), check=False
    )

    assert "allowPrivilegeEscalation != false" in done.stderr


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
    release: Release, source: dict[str, Any], refusal: str
) -> None:
    objects = rendered(release.namespace, photos=[{"name": "archive", "mountPath": "/photos"} | source])
    (worker,) = [pod for pod in pods(objects) if "worker" in pod["metadata"]["name"]]

    command = ["-n", release.namespace, "create", "--dry-run=server", "-f", "-"]
    done = release.cluster.kubectl(*command, input=json.dumps(worker), check=False)

    assert (done.returncode == 0) is (refusal == "")
    assert refusal in done.stderr
