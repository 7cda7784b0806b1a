"""System: operators and workers on a cluster and a Redis, run as a user runs them, on the shipped manifests."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from devcluster import commands
from devcluster.files import CHECKOUT
from devcluster.harness.product import Product
from devcluster.servers.cluster import Cluster
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.redis import Redis
from devcluster.waiting import wait_until

REPOSITORY = CHECKOUT
OPERATOR_NAMESPACE = "reconstruction-system"
OPERATOR_ACCOUNT = "reconstruction-operator"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/reconstruction-operator"
GROUP = "/apis/reconstruction.dev/v1alpha1"
JOBS = f"{GROUP}/reconstructionjobs"

QUICK_SETTINGS = {
    "PLACEHOLDER_STEP_SECONDS": "0.4",
    "INPUT_ROOTS": f"{REPOSITORY}/examples/photos,{REPOSITORY}/tests/data/photos",
    "RECONSTRUCTION_SIMULATE": "never",
    "BACKOFF_SECONDS": "1",
    "SWEEP_SECONDS": "3",
    "LIST_SECONDS": "10",
    "ALIVE_TTL_SECONDS": "3",
    "BEAT_SECONDS": "0.5",
    "LOST_AFTER_SECONDS": "2",
    "EPOCH_GRACE_SECONDS": "4",
    "RESEND_SECONDS": "3",
    "DRAIN_SECONDS": "1",
    "LEASE_SECONDS": "4",
    "WORKER_TTL_SECONDS": "5",
}
"""Settings with seconds in place of the minutes of a cluster."""


class System(Product):
    """Operators and workers on a cluster. `settings` are environment variables of all of them."""

    def __init__(self, cluster: Cluster, redis: Redis, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(redis, settings=settings)
        self.cluster = cluster
        self.probe_ports: dict[str, int] = {}
        self.metrics_ports: dict[str, int] = {}
        self._kubeconfig: Path | None = None

    def install(self) -> None:
        """Apply the shipped manifests: the CRD, the namespace, and the operator's account with its role.

        Delete the Lease of an earlier system, which would have to expire first, and its jobs, which this system's
        operator would run.
        """
        apply = ("apply", "--server-side", "--force-conflicts", "--validate=false", "-f", "-")  # reads no schemas
        self.cluster.kubectl(*apply, input=_manifests(self.cluster.kubectl_program))
        # Not `kubectl wait`: it fails if the CRD is so new that it has no conditions yet.
        wait_until(lambda: self.cluster.api.is_there(JOBS), "the API server to serve ReconstructionJobs")
        self._remove_earlier()
        self._kubeconfig = self.cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)

    def _remove_earlier(self) -> None:
        api = self.cluster.api
        if api.is_there(LEASE):
            api.delete(LEASE)
        for namespace in {job["metadata"]["namespace"] for job in api.get(JOBS)["items"]}:
            api.delete(f"{GROUP}/namespaces/{namespace}/reconstructionjobs")
        wait_until(lambda: api.get(JOBS)["items"] == [], "the end of an earlier system's jobs")

    def start_operator(self, name: str = "operator", **settings: str) -> Process:
        """Start one replica of the operator as the account that `install` made. Its probes are on `probe_ports[name]`,
        its metrics on `metrics_ports[name]`.

        With a setting `KUBECONFIG` it works on that cluster, as the user of that file.
        """
        if self._kubeconfig is None and "KUBECONFIG" not in settings:
            self._kubeconfig = self.cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
        if name not in self.probe_ports:
            self.probe_ports[name], self.metrics_ports[name] = free_ports(2)
        addresses = {
            "KUBECONFIG": str(self._kubeconfig),
            "OPERATOR_NAMESPACE": OPERATOR_NAMESPACE,
            "PROBE_HOST": "127.0.0.1",
            "PROBE_PORT": str(self.probe_ports[name]),
            "METRICS_PORT": str(self.metrics_ports[name]),
        }
        command: list[str | Path] = [Path(sys.executable).with_name("reconstruction-operator"), "run"]
        return self._launch(name, command, self.environment(**(addresses | settings)))


@cache
def _manifests(kubectl: Path) -> str:
    """Return the CRD, and what `kubectl apply -k manifests/install` applies."""
    install = commands.run([kubectl, "kustomize", REPOSITORY / "manifests" / "install"]).stdout
    crd = (file.read_text() for file in sorted((REPOSITORY / "manifests" / "crd").glob("*.yaml")))
    return "\n---\n".join((*crd, install))
