"""Fixtures of the chart on a separate cluster, since these tests create and delete the CRD."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster import Cluster
from devcluster.programs.helm import helm
from devcluster.waiting import wait_until
from tests.real.chart.release import DELETED_SECONDS, Release, wait_until_deleted
from tests.support.paths import CHECKOUT

_HERE = Path(__file__).parent
_PREFIX = "chart-"


class ChartCluster:
    """Starts the control plane for the first test of this folder, and stops it after the last one."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None

    def start(self) -> Cluster:
        if self._cluster is None:
            # This plugin's finalizer would keep claims, because no volume controller runs to remove it.
            self._cluster = Cluster(apiserver_arguments=["--disable-admission-plugins=StorageObjectInUseProtection"])
            self._cluster.start()
        return self._cluster

    def stop(self) -> None:
        """Stop the cluster, if it runs. Raises if a namespace of a release remains."""
        cluster, self._cluster = self._cluster, None
        if cluster is None:
            return

        def left() -> list[str]:
            names = (each["metadata"]["name"] for each in cluster.api.get("/api/v1/namespaces")["items"])
            return [name for name in names if name.startswith(_PREFIX)]

        try:
            wait_until(
                lambda: not left(), "the releases' namespaces to be deleted", timeout_seconds=DELETED_SECONDS, seen=left
            )
        finally:
            cluster.stop()


_CLUSTER = ChartCluster()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    if nextitem is None or _HERE not in nextitem.path.parents:
        _CLUSTER.stop()


@pytest.fixture(scope="module")
def chart_cluster(control_plane_programs: None) -> Cluster:
    """A control plane for all tests of the folder. The last test fails if a namespace of a release remains."""
    return _CLUSTER.start()


@contextlib.contextmanager
def _release(cluster: Cluster) -> Iterator[Release]:
    namespace = f"{_PREFIX}{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}})
    release = Release(cluster, namespace)
    yield release
    installed = helm("list", "--namespace", namespace, "--short", kubeconfig=cluster.kubeconfig).stdout.split()
    if release.name in installed:
        release.helm("uninstall")
    crds = CHECKOUT / "manifests" / "crd"
    cluster.kubectl("delete", "-f", crds, "--ignore-not-found", "--wait=false")
    wait_until_deleted(cluster)
    # A deletion takes 5 s, and the next test uses another namespace.
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def release(chart_cluster: Cluster) -> Iterator[Release]:
    """A namespace for one release.

    Afterwards release and CRD are deleted, and the deletion of the namespace has begun.
    """
    with _release(chart_cluster) as installed:
        yield installed


@pytest.fixture(scope="module")
def shared_release(chart_cluster: Cluster) -> Iterator[Release]:
    """The same for all tests of a file, since install and uninstall take some seconds."""
    with _release(chart_cluster) as installed:
        yield installed
