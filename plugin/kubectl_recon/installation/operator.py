"""The operator as seen through the API server: its Lease, its pods, its metrics. Each as far as the user's rights go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kubectl_recon.errors import ApiError, ForbiddenError, NotFoundError, ReconError
from kubectl_recon.installation import metrics
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import parse_time, seconds_between
from kubectl_recon.kube import resources
from kubectl_recon.kube.api import Api

NAMESPACE: Final = "reconstruction-system"
LEASE: Final = "reconstruction-operator"
_LEASES: Final = "coordination.k8s.io/v1"
_PODS: Final = "app.kubernetes.io/component=operator,app.kubernetes.io/part-of=reconstruction"
_PORT: Final = "8080"
_SPARE: Final = 3.0  # durations of a Lease without a renewal, after which its holder is surely away


@dataclass(frozen=True, slots=True)
class Lease:
    """The Lease by which one replica leads."""

    namespace: str
    name: str
    holder: str
    renewed: datetime | None
    duration_seconds: int

    def age_seconds(self, now: datetime) -> int | None:
        """Time since its last renewal."""
        return seconds_between(self.renewed, now)

    def is_held(self, now: datetime) -> bool:
        """Whether a replica leads: it renewed the Lease lately. The clocks of both machines may differ by some seconds."""
        age = self.age_seconds(now)
        return bool(self.holder) and age is not None and age <= self.duration_seconds * _SPARE


@dataclass(frozen=True, slots=True)
class Operator:
    """What could be read of the operator. A `…_refused` text names what was not permitted."""

    namespace: str
    lease: Lease | None = None
    lease_refused: str = ""
    metrics: metrics.Metrics | None = None
    metrics_refused: str = ""  # or why there are none
    pods: tuple[Any, ...] = ()

    @property
    def lease_known(self) -> bool:
        """Whether the user may read the Lease: only then is a missing one a finding."""
        return not self.lease_refused


def where(jobs: Sequence[Job]) -> tuple[str, str]:
    """Namespace and name of the operator's Lease, as the newest status of a job has it, or by default."""
    for job in sorted(jobs, key=lambda job: str(job.metadata.get("creationTimestamp")), reverse=True):
        namespace, slash, name = str((job.status.get("installation") or {}).get("lease") or "").partition("/")
        if slash and name:
            return namespace, name
    return NAMESPACE, LEASE


def look(api: Api, jobs: Sequence[Job], *, with_metrics: bool = True) -> Operator:
    """Read what the user may read. Raises UnreachableError alone."""
    namespace, name = where(jobs)
    lease, lease_refused = _lease(api, namespace, name)
    if not with_metrics:
        return Operator(namespace, lease, lease_refused)
    found, refused, pods = _metrics(api, namespace)
    return Operator(namespace, lease, lease_refused, found, refused, tuple(pods))


def _lease(api: Api, namespace: str, name: str) -> tuple[Lease | None, str]:
    try:
        body = api.get(resources.named(_LEASES, namespace, "leases", name))
    except NotFoundError:
        return None, ""
    except ApiError as error:
        return None, str(error)
    spec = body.get("spec") or {}
    holder, renewed = str(spec.get("holderIdentity") or ""), parse_time(spec.get("renewTime"))
    return Lease(namespace, name, holder, renewed, int(spec.get("leaseDurationSeconds") or 0)), ""


def _metrics(api: Api, namespace: str) -> tuple[metrics.Metrics | None, str, list[Any]]:
    """Metrics of the leader, or of any replica; without them why, and the pods."""
    try:
        pods, _ = api.items(resources.core(namespace, "pods"), labelSelector=_PODS)
    except ApiError as error:
        return None, f"you may not list pods in namespace {namespace}: {error}", []
    refused = f"there is no pod of the operator in namespace {namespace}"
    best: metrics.Metrics | None = None
    for pod in pods:
        name = f"{pod['metadata']['name']}:{_port(pod)}"
        try:
            found = metrics.parse(api.text(resources.core(namespace, "pods", name) + "/proxy/metrics"))
        except ForbiddenError as error:
            return None, f"you may not read the operator's metrics (get pods/proxy): {error}", pods
        except (ReconError, ValueError) as error:
            refused = f"the metrics of {name} cannot be read: {error}"
            continue
        if found.leader:
            return found, "", pods
        best = best or found
    return best, "" if best else refused, pods


def _port(pod: Any) -> str:
    for container in pod.get("spec", {}).get("containers", []):
        for port in container.get("ports") or []:
            if port.get("name") == "http":
                return str(port["containerPort"])
    return _PORT
