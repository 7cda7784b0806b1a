"""Velero on a control plane, with its backups on an S3 server, for as long as a `with` block.

Its server runs as a plain process, which is enough for objects. It needs pods only for the content of volumes.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

from devcluster.errors import DevclusterError
from devcluster.programs import building
from devcluster.programs.go_modules import GoModule
from devcluster.servers.cluster import Cluster
from devcluster.servers.ports import free_ports
from devcluster.servers.processes import Process
from devcluster.servers.running import Running
from devcluster.servers.runs import RunFolder
from devcluster.servers.storage.s3 import S3
from devcluster.waiting import wait_until

_MODULE: Final = GoModule(
    "github.com/vmware-tanzu/velero", "v1.18.3", "h1:9uwN5yxTWQl9PsF5ljX4xiG+7VIq3I9mxOQ0DyyZ31A="
)
_NAMESPACE: Final = "velero"
_OBJECTS: Final = f"/apis/velero.io/v1/namespaces/{_NAMESPACE}"
_LOCATION: Final = "default"
_SECONDS: Final = 180.0  # a backup of ten objects takes seconds
_LABELS: Final = {"component": "velero"}
# A restore looks for the image of Velero's own Deployment, for the pods that it does not need here.
_DEPLOYMENT: Final = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "velero", "namespace": _NAMESPACE},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": _LABELS},
        "template": {
            "metadata": {"labels": _LABELS},
            "spec": {"containers": [{"name": "velero", "image": "velero/velero:v1.18.3"}]},
        },
    },
}
_FAILED: Final = ("Failed", "FailedValidation", "PartiallyFailed")


class Velero(Running):
    """A running Velero. What it has on the cluster stays there."""

    def __init__(self, cluster: Cluster, server: S3, bucket: str) -> None:
        self._cluster = cluster
        self._server = server
        self._bucket = bucket
        self._run: RunFolder | None = None
        self._process: Process | None = None

    def start(self) -> None:
        """Install its CRDs, start it, and wait until it has found the bucket."""
        server, plugin = building.built(building.VELERO), building.built(building.VELERO_PLUGIN)
        self._run = run = RunFolder.new("velero")
        try:
            self._install()
            (metrics,) = free_ports(1)
            command: list[str | Path] = [
                *(server / building.VELERO.name, "server", "--namespace", _NAMESPACE),
                *("--plugin-dir", plugin, "--kubeconfig", self._cluster.kubeconfig),
                *("--metrics-address", f"127.0.0.1:{metrics}"),
            ]
            environment = os.environ | self._server.environment()
            self._process = process = Process("velero", command, run=run, environment=environment)
            wait_until(
                self._has_its_bucket, "Velero to find its bucket", timeout_seconds=_SECONDS, seen=process.log_end
            )
        except BaseException:  # also on an interrupt
            self.stop()
            raise

    def stop(self) -> None:
        """End it; nothing to do where nothing runs."""
        process, self._process = self._process, None
        run, self._run = self._run, None
        try:
            if process is not None:
                process.kill()
        finally:
            if run is not None:
                run.close()

    def back_up(self, name: str, namespace: str) -> None:
        """Back up all objects of the namespace."""
        spec = {"includedNamespaces": [namespace], "storageLocation": _LOCATION, "snapshotVolumes": False}
        self._carry_out({"kind": "Backup", "metadata": {"name": name}, "spec": spec})

    def restore(self, manifest: dict[str, Any]) -> None:
        """Carry out a Restore."""
        self._carry_out(manifest)

    def _install(self) -> None:
        for version in ("v1", "v2alpha1"):
            self._cluster.kubectl("apply", "--server-side", "-f", _MODULE.folder() / "config/crd" / version / "bases")
        spec = {
            "provider": "aws",
            "objectStorage": {"bucket": self._bucket},
            "config": {"region": self._server.region, "s3ForcePathStyle": "true", "s3Url": self._server.url()},
        }
        for one in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}},
            _DEPLOYMENT,
            _object({"kind": "BackupStorageLocation", "metadata": {"name": _LOCATION}, "spec": spec}),
        ):
            self._cluster.kubectl("apply", "-f", "-", input=json.dumps(one))

    def _has_its_bucket(self) -> bool:
        self._running().check()
        found = self._cluster.api.get(f"{_OBJECTS}/backupstoragelocations/{_LOCATION}")
        return bool(found.get("status", {}).get("phase") == "Available")

    def _carry_out(self, manifest: dict[str, Any]) -> None:
        plural, name, last = f"{manifest['kind'].lower()}s", manifest["metadata"]["name"], {}
        self._cluster.api.post(f"{_OBJECTS}/{plural}", _object(manifest))

        def done() -> bool:
            nonlocal last
            self._running().check()
            last = self._cluster.api.get(f"{_OBJECTS}/{plural}/{name}").get("status", {})
            if last.get("phase") in _FAILED:
                raise DevclusterError(f"Velero could not carry out {name}: {last}\n{self._running().log_end()}")
            return bool(last.get("phase") == "Completed")

        wait_until(
            done,
            f"Velero to carry out {name}",
            timeout_seconds=_SECONDS,
            seen=lambda: f"{last}\n{self._running().log_end()}",
        )

    def _running(self) -> Process:
        if self._process is None:
            raise DevclusterError("this Velero has not been started")
        return self._process


def _object(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = manifest["metadata"] | {"namespace": _NAMESPACE}
    return {"apiVersion": "velero.io/v1"} | manifest | {"metadata": metadata}
