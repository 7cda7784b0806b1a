"""Release of the chart, and the actions of tests on it."""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devcluster import Cluster
from devcluster.errors import ApiError
from devcluster.harness.manifests import manifest
from devcluster.harness.system import GROUP
from devcluster.programs.helm import helm
from devcluster.waiting import wait_until
from tests.support.paths import CHART

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/reconstructionjobs.reconstruction.dev"
DELETED_SECONDS = 60.0
_STUCK_SECONDS = 2.0  # an ordinary deletion takes 0.3 s


def rendered(namespace: str, *options: str | Path, **values: Any) -> list[dict[str, Any]]:
    """Return the objects that `helm template` makes; `values` as in values.yaml."""
    command = ["template", "reconstruction", CHART, "--namespace", namespace, *options]
    text = helm(*command, "--values", "-", stdin=json.dumps(values)).stdout
    return [*filter(None, yaml.safe_load_all(text))]


def pods(objects: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield every pod as its controller would create it, without the accounts, which do not exist yet."""
    for workload in objects:
        if workload["kind"] not in ("Deployment", "StatefulSet", "Pod"):
            continue
        template = workload if workload["kind"] == "Pod" else workload["spec"]["template"]
        claims = [
            {"name": claim["metadata"]["name"], "persistentVolumeClaim": {"claimName": "any"}}
            for claim in workload["spec"].get("volumeClaimTemplates", [])
        ]
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": workload["metadata"]["name"], "labels": template["metadata"]["labels"]},
            "spec": template["spec"]
            | {"serviceAccountName": "default", "volumes": template["spec"].get("volumes", []) + claims},
        }


@dataclass(frozen=True)
class Release:
    """A release of the chart in a namespace that enforces the restricted standard.

    No pod starts, because there is no node.
    """

    cluster: Cluster
    namespace: str
    name: str = "reconstruction"

    def helm(self, command: str, *options: str | Path, **values: Any) -> str:
        """Run a helm command on the release, with `values` as in values.yaml, and return the output."""
        text = json.dumps(values) if values else None
        every = [*options, *(["--values", "-"] if values else []), "--namespace", self.namespace]
        return helm(command, self.name, *every, kubeconfig=self.cluster.kubeconfig, stdin=text).stdout

    def install(self, **values: Any) -> str:
        """Install or upgrade the release, wait for its CRD, and return the output."""
        text = self.helm("upgrade", CHART, "--install", **values)
        self.cluster.kubectl("wait", "--for=condition=Established", "crd/reconstructionjobs.reconstruction.dev")
        return text

    def manifest(self) -> str:
        """Return the installed manifests."""
        done = helm("get", "manifest", self.name, "--namespace", self.namespace, kubeconfig=self.cluster.kubeconfig)
        return done.stdout

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl in the release's namespace, and return the output."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, input=text).stdout

    def create_job(self, name: str = "job", **spec: Any) -> None:
        """Create a ReconstructionJob."""
        body = manifest(name, **{"modelType": "placeholder"} | spec)
        self.cluster.api.post(f"{GROUP}/namespaces/{self.namespace}/reconstructionjobs", body)

    def objects(self) -> set[str]:
        """Return all objects of the release in the namespace, as kind/name."""
        kinds = (
            "deployments,statefulsets,services,configmaps,secrets,serviceaccounts,roles,rolebindings,"
            "persistentvolumeclaims,poddisruptionbudgets"
        )
        selector = f"app.kubernetes.io/instance={self.name}"
        return set(self.kubectl("get", kinds, "-l", selector, "-o", "name").split())


def wait_until_deleted(cluster: Cluster, crd: str = CRD) -> None:
    """Wait until a CRD is deleted.

    About once in 50 times, the API server's finalizer stops with "storage is (re)initializing", if the deletion comes
    within a second of the last change of the CRD. It retries when the object changes.
    """
    touched = time.monotonic()

    def is_deleted() -> bool:
        nonlocal touched
        if time.monotonic() - touched > _STUCK_SECONDS:
            touched = time.monotonic()
            with contextlib.suppress(ApiError):  # deleted meanwhile
                cluster.api.patch(crd, {"metadata": {"annotations": {"touched": secrets.token_hex(4)}}})
        return not cluster.api.is_there(crd)

    wait_until(is_deleted, f"{crd} to be deleted", timeout_seconds=DELETED_SECONDS)
