"""`doctor`: checks the health of the installation. It prints each check, and the remedy if one fails. It is read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from reconstruction_operator.api import identity
from reconstruction_operator.kube import paths

from kubectl_recon import __version__
from kubectl_recon.commands.installation.versions import minor, operator_version
from kubectl_recon.display.formats import Format, document
from kubectl_recon.display.screen import screen
from kubectl_recon.errors import ApiError, ForbiddenError, NotFoundError, ReconError, install
from kubectl_recon.installation import operator
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text
from kubectl_recon.kube.api import Connection

_REVIEW: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_FIELDS: Final = ("suspend", "cancelRequested", "cancelConfirmed", "parameters", "queue")  # used by this program
_SKEW_SECONDS: Final = 30
_LAG_SECONDS: Final = 30.0
_COLOURS: Final = {"ok": "green", "bad": "red", "unknown": "yellow"}
_SHOWN: Final = 5
_HELM: Final = "helm upgrade --install reconstruction charts/reconstruction-operator -n reconstruction-system"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `cure`: the remedy, unless the state is ok."""

    name: str
    state: str  # ok | bad | unknown: not permitted
    text: str
    cure: str = ""


@dataclass(frozen=True)
class Examined:
    """The input of the checks."""

    connection: Connection
    now: datetime
    jobs: tuple[Job, ...]
    jobs_refused: str
    operator: operator.Operator


def run(connection: Connection, how: Format | None) -> int:
    """Print the checks. Exit code 1 if one of them is bad."""
    checks = list(examine(connection))
    if how in (Format.JSON, Format.YAML):
        well = all(check.state != "bad" for check in checks)
        print(document({"well": well, "checks": [asdict(check) for check in checks]}, how))  # noqa: T201  # the result
    else:
        where = screen()
        for check in checks:
            where.print(f"{where.styled(f'{check.state:<8}', _COLOURS[check.state])}{check.name}: {check.text}")
            if check.cure:
                where.print(f"{'':8}-> {check.cure}")
    return int(any(check.state == "bad" for check in checks))


def examine(connection: Connection) -> Iterator[Check]:
    """Yield the checks. Checks that depend on a failed one are skipped."""
    try:
        version = connection.api.get("/version")
    except ReconError as error:
        yield Check(
            "API server", "bad", str(error), "check the context (kubectl config current-context) and the network"
        )
        return
    yield _server(version)
    yield _crd(connection)
    try:
        bodies = connection.api.items(paths.jobs(None))
        jobs, refused = tuple(map(Job, bodies)), ""
    except NotFoundError:
        return  # no CRD: _crd has reported it
    except ApiError as error:
        jobs, refused = _own(connection), str(error)
    seen = Examined(connection, connection.api.now(), jobs, refused, operator.look(connection.api, jobs))
    for check in _CHECKS:
        if (found := check(seen)) is not None:
            yield found


def _own(connection: Connection) -> tuple[Job, ...]:
    try:
        bodies = connection.api.items(paths.jobs(connection.namespace))
    except ApiError:
        return ()
    return tuple(map(Job, bodies))


def _server(version: dict[str, Any]) -> Check:
    shown = str(version.get("gitVersion", "?"))
    number = minor(shown)
    if number is not None and number < (1, 31):
        return Check("API server", "bad", f"Kubernetes {shown} is too old", "use Kubernetes 1.31 or newer")
    return Check("API server", "ok", f"Kubernetes {shown} answers")


def _crd(connection: Connection) -> Check:
    cure = f"an administrator applies manifests/crd of the operator's version, or: {_HELM}"
    try:
        listed = connection.api.get(paths.GROUP_PATH)
    except NotFoundError:
        return Check("CRD", "bad", "ReconstructionJobs are not installed in this cluster", cure)
    except ApiError as error:
        return Check("CRD", "unknown", str(error))
    if not any(one.get("name") == identity.PLURAL for one in listed.get("resources") or []):
        return Check("CRD", "bad", f"{identity.API_VERSION} has no {identity.PLURAL}", cure)
    try:
        crd = connection.api.get(paths.CRD)
    except ForbiddenError:
        return Check("CRD", "ok", f"{identity.API_VERSION} is served (you may not read the CRD itself)")
    versions = [one for one in crd["spec"]["versions"] if one["name"] == identity.VERSION]
    spec = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] if versions else {}
    if missing := [name for name in _FIELDS if name not in spec]:
        return Check("CRD", "bad", f"it is older than this program: no spec.{', spec.'.join(missing)}", cure)
    return Check("CRD", "ok", f"{identity.API_VERSION} is served")


def _rights(seen: Examined) -> Check:
    """Check what the user may do with jobs in the namespace."""
    wanted = {
        "see jobs": ("list", ""),
        "submit": ("create", ""),
        "cancel": ("patch", ""),
        "read Events": ("list", "events"),
    }
    may: list[str] = []
    not_: list[str] = []
    for text, (verb, other) in wanted.items():
        attributes = {"namespace": seen.connection.namespace, "verb": verb}
        attributes |= {"resource": other} if other else {"group": identity.GROUP, "resource": identity.PLURAL}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            allowed = seen.connection.api.post(_REVIEW, body)["status"]["allowed"]
        except ApiError as error:
            return Check("Your rights", "unknown", str(error))
        (may if allowed else not_).append(text)
    text = f"in namespace {seen.connection.namespace} you may {', '.join(may) or 'do nothing'}"
    if not not_:
        return Check("Your rights", "ok", text)
    return Check(
        "Your rights",
        "bad" if "see jobs" in not_ else "ok",
        f"{text}, but not {', '.join(not_)}",
        "ask for the ClusterRole reconstruction-editor, -viewer or -canceller" if "see jobs" in not_ else "",
    )


def _operator(seen: Examined) -> Check:
    lease = seen.operator.lease
    namespace = seen.operator.namespace
    cure = f"kubectl get pods -n {namespace}; kubectl logs -n {namespace} deployment/reconstruction-operator"
    if not seen.operator.lease_known:
        return Check("Operator", "unknown", f"you may not see its Lease: {seen.operator.lease_refused}")
    if lease is None:
        return Check(
            "Operator", "bad", f"there is no Lease of an operator in namespace {namespace}", f"install it: {_HELM}"
        )
    if vacancy := lease.vacancy(seen.now):
        return Check("Operator", "bad", vacancy, cure)
    return Check("Operator", "ok", f"{lease.holder} leads in namespace {namespace}")


def _clock(seen: Examined) -> Check:
    """Compare the clocks: the API server's by the date of its responses, the operator's by the renewal of its Lease."""
    ahead = seen.connection.api.clock_ahead_seconds
    if abs(ahead) > _SKEW_SECONDS:
        where = "ahead of" if ahead > 0 else "behind"
        text = f"this machine is {duration_text(int(abs(ahead)))} {where} the API server"
        return Check("Clocks", "bad", text, "set this machine's clock by NTP: the times shown are wrong")
    lease = seen.operator.lease
    renewed = lease.renewed if lease is not None else None
    early = (renewed - seen.now).total_seconds() if renewed is not None else 0.0
    if early > _SKEW_SECONDS:
        text = f"the API server is {duration_text(int(early))} behind the operator"
        return Check("Clocks", "bad", text, "set the clocks of the nodes by NTP: deadlines are wrong")
    whose = (
        "this machine's and the API server's"
        if renewed is None
        else "this machine's, the API server's and the operator's"
    )
    return Check("Clocks", "ok", f"{whose} agree")


def _pods(seen: Examined) -> Check | None:
    bad = [
        (str(pod["metadata"]["name"]), one)
        for pod in seen.operator.pods
        for one in pod.get("status", {}).get("containerStatuses") or []
        if not one.get("ready")
    ]
    if not seen.operator.pods:
        return None
    if not bad:
        return Check("Operator's pods", "ok", f"{len(seen.operator.pods)} are ready")
    name, status = bad[0]
    waiting = (status.get("state") or {}).get("waiting") or {}
    text = f"{name} is not ready: {waiting.get('reason', 'starting')}"
    return Check("Operator's pods", "bad", text, f"kubectl describe pod {name} -n {seen.operator.namespace}")


def _redis(seen: Examined) -> Check:
    metrics = seen.operator.metrics
    if metrics is None:
        return Check("Redis", "unknown", f"the operator's metrics are unavailable: {seen.operator.metrics_refused}")
    if not metrics.redis_up:
        return Check(
            "Redis", "bad", "the operator cannot reach it", "check its pod, its address (REDIS_HOST) and its password"
        )
    if metrics.redis_evicts:
        return Check(
            "Redis", "bad", "it may evict keys, and so lose the state of jobs", "set maxmemory-policy noeviction"
        )
    if metrics.dispatch_paused:
        return Check(
            "Redis", "bad", "it is nearly full, so no job is sent to workers", "give it more memory (maxmemory)"
        )
    return Check("Redis", "ok", "the operator can reach it")


def _workers(seen: Examined) -> Check:
    metrics = seen.operator.metrics
    stuck = [one for one in seen.jobs if one.condition("Dispatched").reason in ("QueueUnserved", "NoWorker")]
    if stuck:
        queues = ", ".join(sorted({job.full_queue for job in stuck}))
        text = f"{len(stuck)} jobs wait in queues without a live worker: {queues}"
        return Check("Workers", "bad", text, "start workers with these pools in WORKER_POOLS, or correct spec.queue")
    if metrics is None:
        return Check(
            "Workers", "unknown", "no job lacks a worker; only the operator's metrics have the number of live workers"
        )
    served = [queue for queue in metrics.queues if queue.workers]
    if not served:
        return Check("Workers", "bad", "no live worker consumes any queue", "start a worker (chart value workers)")
    return Check("Workers", "ok", ", ".join(f"{queue.name}: {queue.workers}" for queue in served))


def _writes(seen: Examined) -> Check | None:
    metrics = seen.operator.metrics
    if metrics is None:
        return None
    if metrics.oldest_write_seconds > _LAG_SECONDS:
        text = f"the oldest of {metrics.pending_writes} pending writes waits for {metrics.oldest_write_seconds:.0f} s"
        return Check("Write lag", "bad", text, "check the load of the API server, and its FlowSchema for the operator")
    return Check("Write lag", "ok", f"{metrics.pending_writes} pending writes")


def _deletions(seen: Examined) -> Check | None:
    metrics = seen.operator.metrics
    if metrics is None or not metrics.deletions_held:
        return None
    text = "files of deleted jobs are kept, because too many are missing at once: was etcd restored?"
    return Check("Deletions", "bad", text, "find out why (docs/runbooks), then raise ORPHANS_AT_ONCE")


def _installations(seen: Examined) -> Check:
    contested = [job for job in seen.jobs if job.condition("Contested").is_true]
    leases = {str((job.status.get("installation") or {}).get("lease") or "") for job in seen.jobs} - {""}
    if contested:
        text = f"{len(contested)} jobs are watched by two installations ({', '.join(sorted(leases))})"
        return Check("Installations", "bad", text, "let only one of them watch each namespace (WATCH_NAMESPACES)")
    shown = ", ".join(sorted(leases)) or "none manages a job yet"
    return Check("Installations", "ok", shown + (" (of the jobs that you may see)" if seen.jobs_refused else ""))


def _objects(seen: Examined) -> Check | None:
    cut = seen.connection.api.cut
    if not cut:
        return None
    text = f"{len(cut)} jobs are nested too deep to be read whole: {', '.join(sorted(cut)[:_SHOWN])}"
    return Check(
        "Objects", "bad", text, "look at their metadata and spec with kubectl, and delete them if they are an attack"
    )


def _version(seen: Examined) -> Check:
    found = operator_version(seen.operator)
    if not found:
        return Check("Versions", "unknown", "the operator's version is not visible to you")
    if minor(found) != minor(__version__):
        text = f"this program is {__version__}, the operator {found}"
        return Check("Versions", "bad", text, f"install the same minor version: {install('./plugin')}")
    return Check("Versions", "ok", f"this program {__version__}, the operator {found}")


_CHECKS: Final[tuple[Callable[[Examined], Check | None], ...]] = (
    _rights,
    _operator,
    _clock,
    _pods,
    _redis,
    _workers,
    _writes,
    _deletions,
    _installations,
    _objects,
    _version,
)
