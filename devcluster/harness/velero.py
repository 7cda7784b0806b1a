"""Velero on a control plane, with its backups on an S3 server, for as long as a `with` block.

Its server runs as a plain process, which is enough for objects. It needs pods only for the content of volumes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from devcluster.errors import DevclusterError
from devcluster.programs import building
from devcluster.programs.go_modules import GoModule
from devcluster.servers.cluster import Cluster
from devcluster.servers.server import LOOPBACK, Server
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
# A restore reads the image of Velero's own Deployment, for pods that are not needed here.
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


class Velero(Server):
    """A running Velero, ready once it has found the bucket. Its objects on the cluster stay there."""

    name = building.VELERO.name

    def __init__(self, cluster: Cluster, server: S3, bucket: str) -> None:
        self._cluster = cluster
        self._server = server
        self._bucket = bucket

    def back_up(self, name: str, namespace: str) -> None:
        """Back up all objects of a namespace."""
        spec = {"includedNamespaces": [namespace], "storageLocation": _LOCATION, "snapshotVolumes": False}
        self._carry_out({"kind": "Backup", "metadata": {"name": name}, "spec": spec})

    def restore(self, manifest: dict[str, Any]) -> None:
        """Carry out a Restore."""
        self._carry_out(manifest)

    def _start(self) -> None:
        self._install()
        super()._start()

    def _command(self) -> Sequence[str | Path]:
        return [
            *(building.built(building.VELERO) / self.name, "server", "--namespace", _NAMESPACE),
            *("--plugin-dir", building.built(building.VELERO_PLUGIN), "--kubeconfig", self._cluster.kubeconfig),
            *("--metrics-address", f"{LOOPBACK}:{self.port}"),
        ]

    def _environment(self) -> Mapping[str, str]:
        return self._server.environment()

    def _answers(self) -> bool:
        location = self._cluster.api.get(f"{_OBJECTS}/backupstoragelocations/{_LOCATION}")
        return bool(location.get("status", {}).get("phase") == "Available")

    def _install(self) -> None:
        for version in ("v1", "v2alpha1"):
            self._cluster.kubectl("apply", "--server-side", "-f", _MODULE.folder() / "config/crd" / version / "bases")
        spec = {
            "provider": "aws",
            "objectStorage": {"bucket": self._bucket},
            "config": {"region": self._server.region, "s3ForcePathStyle": "true", "s3Url": self._server.url()},
        }
        for body in (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}},
            _DEPLOYMENT,
            _object({"kind": "BackupStorageLocation", "metadata": {"name": _LOCATION}, "spec": spec}),
        ):
            self._cluster.kubectl("apply", "-f", "-", input=json.dumps(body))

    def _carry_out(self, manifest: dict[str, Any]) -> None:
        plural, name, last = f"{manifest['kind'].lower()}s", manifest["metadata"]["name"], {}
        self._cluster.api.post(f"{_OBJECTS}/{plural}", _object(manifest))

        def done() -> bool:
            nonlocal last
            self.check()
            last = self._cluster.api.get(f"{_OBJECTS}/{plural}/{name}").get("status", {})
            if last.get("phase") in _FAILED:
                raise DevclusterError(f"Velero could not carry out {name}: {last}\n{self.log_ends()}")
            return bool(last.get("phase") == "Completed")

        wait_until(
            done, f"Velero to carry out {name}", timeout_seconds=_SECONDS, seen=lambda: f"{last}\n{self.log_ends()}"
        )


def _object(manifest: dict[str, Any]) -> dict[str, Any]:
    metadata = manifest["metadata"] | {"namespace": _NAMESPACE}
    return {"apiVersion": "velero.io/v1"} | manifest | {"metadata": metadata}
