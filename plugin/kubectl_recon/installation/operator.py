"""Operator state: the Lease, pods and metrics, read through the API server as far as the user's rights allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reconstruction_operator.kube import paths

from kubectl_recon.errors import ApiError, ForbiddenError, NotFoundError, ReconError
from kubectl_recon.installation import metrics
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text, parse_time, seconds_between
from kubectl_recon.kube.api import Api

NAMESPACE: Final = "reconstruction-system"
LEASE: Final = "reconstruction-operator"
_LEASES: Final = "coordination.k8s.io/v1"
_PODS: Final = "app.kubernetes.io/component=operator,app.kubernetes.io/part-of=reconstruction"
_PORT: Final = "8080"
_SPARE: Final = 3.0  # a Lease without a renewal for so many of its durations has expired


@dataclass(frozen=True, slots=True)
class Lease:
    """The Lease of the leading replica."""

    namespace: str
    name: str
    holder: str
    renewed: datetime | None
    duration_seconds: int

    def vacancy(self, now: datetime) -> str:
        """Return the finding that no replica leads; empty if one has renewed the Lease. The clocks may differ by some seconds."""
        age = seconds_between(self.renewed, now)
        if age is None:
            return "no replica leads; the Lease was never renewed"
        if not self.holder or age > self.duration_seconds * _SPARE:
            return f"no replica leads; the Lease was renewed {duration_text(age)} ago"
        return ""


@dataclass(frozen=True, slots=True)
class Operator:
    """What the user may read of the operator. A `…_refused` text is the reason why a part is missing."""

    namespace: str
    lease: Lease | None = None
    lease_refused: str = ""
    metrics: metrics.Metrics | None = None
    metrics_refused: str = ""  # or another reason why there are none
    pods: tuple[Any, ...] = ()

    @property
    def lease_known(self) -> bool:
        """Whether the user may read the Lease. Only then is a missing Lease a finding."""
        return not self.lease_refused


def where(jobs: Sequence[Job]) -> tuple[str, str]:
    """Return namespace and name of the operator's Lease: from the newest job that has it in its status, or the defaults."""
    for job in sorted(jobs, key=lambda job: str(job.metadata.get("creationTimestamp")), reverse=True):
        namespace, slash, name = job.lease.partition("/")
        if slash and name:
            return namespace, name
    return NAMESPACE, LEASE


def look(api: Api, jobs: Sequence[Job], *, with_metrics: bool = True) -> Operator:
    """Read what the user may read. Raises only UnreachableError."""
    namespace, name = where(jobs)
    lease, lease_refused = _lease(api, namespace, name)
    if not with_metrics:
        return Operator(namespace, lease, lease_refused)
    measured, refused, pods = _metrics(api, namespace)
    return Operator(namespace, lease, lease_refused, measured, refused, tuple(pods))


def _lease(api: Api, namespace: str, name: str) -> tuple[Lease | None, str]:
    try:
        body = api.get(paths.named(_LEASES, namespace, "leases", name))
    except NotFoundError:
        return None, ""
    except ApiError as error:
        return None, str(error)
    spec = body.get("spec") or {}
    holder, renewed = str(spec.get("holderIdentity") or ""), parse_time(spec.get("renewTime"))
    return Lease(namespace, name, holder, renewed, int(spec.get("leaseDurationSeconds") or 0)), ""


def _metrics(api: Api, namespace: str) -> tuple[metrics.Metrics | None, str, list[Any]]:
    """Return the metrics of the leader or else of any replica, the reason why there are none, and the pods."""
    try:
        pods = api.items(paths.core(namespace, "pods"), labelSelector=_PODS)
    except ApiError as error:
        return None, f"you may not list pods in namespace {namespace}: {error}", []
    refused = f"there is no pod of the operator in namespace {namespace}"
    best: metrics.Metrics | None = None
    for pod in pods:
        name = f"{pod['metadata']['name']}:{_port(pod)}"
        try:
            measured = metrics.parse(api.text(paths.core(namespace, "pods", name) + "/proxy/metrics"))
        except ForbiddenError as error:
            return None, f"you may not read the operator's metrics (get pods/proxy): {error}", pods
        except (ReconError, ValueError) as error:
            refused = f"the metrics of {name} cannot be read: {error}"
            continue
        if measured.leader:
            return measured, "", pods
        best = best or measured
    return best, "" if best else refused, pods


def _port(pod: Any) -> str:
    for container in pod.get("spec", {}).get("containers", []):
        for port in container.get("ports") or []:
            if port.get("name") == "http":
                return str(port["containerPort"])
    return _PORT
