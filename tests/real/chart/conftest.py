"""Fixtures of the chart on a real API server: a cluster apart, since these tests create and delete the CRD."""

import secrets
from collections.abc import Iterator

import pytest

from devcluster import Cluster
from devcluster.programs.helm import helm
from tests.real.chart.release import Release
from tests.support.paths import CHECKOUT


@pytest.fixture(scope="session")
def chart_cluster(control_plane_programs: None) -> Iterator[Cluster]:
    # A finalizer keeps claims until a volume controller removes it; without nodes there is no such controller.
    with Cluster(apiserver_arguments=["--disable-admission-plugins=StorageObjectInUseProtection"]) as running:
        yield running


@pytest.fixture
def release(chart_cluster: Cluster) -> Iterator[Release]:
    """A namespace for one release. The test fails if the cluster is not as before afterwards."""
    namespace = f"chart-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    chart_cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}})
    one = Release(chart_cluster, namespace)
    yield one
    installed = helm("list", "--namespace", namespace, "--short", kubeconfig=chart_cluster.kubeconfig).stdout.split()
    if one.name in installed:
        one.helm("uninstall")
    # kubectl waits until both are deleted.
    chart_cluster.kubectl("delete", "-f", CHECKOUT / "manifests" / "crd", "--ignore-not-found")
    chart_cluster.kubectl("delete", "namespace", namespace)
