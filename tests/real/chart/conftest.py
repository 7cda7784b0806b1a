"""The chart on a real API server: a cluster of its own, since CRDs come and go here."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devcluster import Cluster
from devcluster.programs.helm import helm
from tests.support.paths import CHECKOUT

CHART = CHECKOUT / "charts" / "reconstruction-operator"


@dataclass(frozen=True)
class Release:
    """One release of the chart in a namespace that enforces the restricted standard. Nothing waits: there is no node."""

    cluster: Cluster
    namespace: str
    name: str = "reconstruction"

    def helm(self, command: str, *options: str | Path, **values: Any) -> str:
        """Run one command of helm on it; `values` as in values.yaml. Returns what it printed."""
        given = ["--values", "-"] if values else []
        done = helm(
            command,
            self.name,
            *options,
            *given,
            "--namespace",
            self.namespace,
            kubeconfig=self.cluster.kubeconfig,
            stdin=json.dumps(values) if values else None,
        )
        return done.stdout

    def install(self, **values: Any) -> str:
        """Install it, or upgrade it, and wait for its CRD."""
        text = self.helm("upgrade", CHART, "--install", **values)
        self.cluster.kubectl("wait", "--for=condition=Established", "crd/reconstructionjobs.reconstruction.dev")
        return text

    def manifest(self) -> str:
        """All objects as they were installed."""
        done = helm("get", "manifest", self.name, "--namespace", self.namespace, kubeconfig=self.cluster.kubeconfig)
        return done.stdout

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl in its namespace; returns what it printed."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, input=text).stdout

    def create_job(self, name: str = "job", **spec: Any) -> None:
        """Make a job."""
        body = {
            "apiVersion": "reconstruction.dev/v1alpha1",
            "kind": "ReconstructionJob",
            "metadata": {"name": name},
            "spec": {"modelType": "placeholder", "input": {"uri": "file:///photos/banana"}} | spec,
        }
        self.kubectl("create", "-f", "-", text=json.dumps(body))

    def objects(self) -> set[str]:
        """All that helm made in the namespace, as kind/name."""
        kinds = "deployments,statefulsets,services,configmaps,secrets,serviceaccounts,roles,rolebindings,persistentvolumeclaims,poddisruptionbudgets"
        selector = f"app.kubernetes.io/instance={self.name}"
        return set(self.kubectl("get", kinds, "-l", selector, "-o", "name").split())


@pytest.fixture(scope="session")
def chart_cluster(control_plane_programs: None) -> Iterator[Cluster]:
    # Claims are held by a finalizer that a controller of nodes' volumes takes away; without nodes there is none.
    with Cluster(apiserver_arguments=["--disable-admission-plugins=StorageObjectInUseProtection"]) as running:
        yield running


@pytest.fixture
def release(chart_cluster: Cluster) -> Iterator[Release]:
    """A namespace for one release. After the test the cluster is as before, or the test fails."""
    namespace = f"chart-{secrets.token_hex(3)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    chart_cluster.api.post("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}})
    one = Release(chart_cluster, namespace)
    yield one
    installed = helm("list", "--namespace", namespace, "--short", kubeconfig=chart_cluster.kubeconfig).stdout.split()
    if one.name in installed:
        one.helm("uninstall")
    # kubectl waits until they are gone.
    chart_cluster.kubectl("delete", "crd", "reconstructionjobs.reconstruction.dev", "--ignore-not-found")
    chart_cluster.kubectl("delete", "namespace", namespace)
