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


_Result = tuple[str, str, str]  # state, text and cure of a check


def _ok(text: str) -> _Result:
    return "ok", text, ""


def _bad(text: str, cure: str) -> _Result:
    return "bad", text, cure


def _unknown(text: str) -> _Result:
    return "unknown", text, ""


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
        cure = "check the context (kubectl config current-context) and the network"
        yield Check("API server", *_bad(str(error), cure))
        return
    yield Check("API server", *_server(version))
    yield Check("CRD", *_crd(connection))
    try:
        bodies = connection.api.items(paths.jobs(None))
        jobs, refused = tuple(map(Job, bodies)), ""
    except NotFoundError:
        return  # no CRD: _crd has reported it
    except ApiError as error:
        jobs, refused = _own(connection), str(error)
    examined = Examined(connection, connection.api.now(), jobs, refused, operator.look(connection.api, jobs))
    for name, check in _CHECKS.items():
        if (result := check(examined)) is not None:
            yield Check(name, *result)


def _own(connection: Connection) -> tuple[Job, ...]:
    try:
        bodies = connection.api.items(paths.jobs(connection.namespace))
    except ApiError:
        return ()
    return tuple(map(Job, bodies))


def _server(version: dict[str, Any]) -> _Result:
    name = str(version.get("gitVersion", "?"))
    number = minor(name)
    if number is not None and number < (1, 31):
        return _bad(f"Kubernetes {name} is too old", "use Kubernetes 1.31 or newer")
    return _ok(f"Kubernetes {name} answers")


def _crd(connection: Connection) -> _Result:
    cure = f"an administrator applies manifests/crd of the operator's version, or: {_HELM}"
    try:
        listed = connection.api.get(paths.GROUP_PATH)
    except NotFoundError:
        return _bad("ReconstructionJobs are not installed in this cluster", cure)
    except ApiError as error:
        return _unknown(str(error))
    if not any(kind.get("name") == identity.PLURAL for kind in listed.get("resources") or []):
        return _bad(f"{identity.API_VERSION} has no {identity.PLURAL}", cure)
    try:
        crd = connection.api.get(paths.CRD)
    except ForbiddenError:
        return _ok(f"{identity.API_VERSION} is served (you may not read the CRD itself)")
    versions = [version for version in crd["spec"]["versions"] if version["name"] == identity.VERSION]
    spec = versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] if versions else {}
    if missing := [name for name in _FIELDS if name not in spec]:
        return _bad(f"it is older than this program: no spec.{', spec.'.join(missing)}", cure)
    return _ok(f"{identity.API_VERSION} is served")


def _rights(examined: Examined) -> _Result:
    """Check what the user may do with jobs in the namespace."""
    rights = {
        "see jobs": ("list", ""),
        "submit": ("create", ""),
        "cancel": ("patch", ""),
        "read Events": ("list", "events"),
    }
    may: list[str] = []
    not_: list[str] = []
    for text, (verb, other) in rights.items():
        attributes = {"namespace": examined.connection.namespace, "verb": verb}
        attributes |= {"resource": other} if other else {"group": identity.GROUP, "resource": identity.PLURAL}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            allowed = examined.connection.api.post(_REVIEW, body)["status"]["allowed"]
        except ApiError as error:
            return _unknown(str(error))
        (may if allowed else not_).append(text)
    text = f"in namespace {examined.connection.namespace} you may {', '.join(may) or 'do nothing'}"
    if not not_:
        return _ok(text)
    text += f", but not {', '.join(not_)}"
    if "see jobs" not in not_:
        return _ok(text)
    return _bad(text, "ask for the ClusterRole reconstruction-editor, -viewer or -canceller")


def _operator(examined: Examined) -> _Result:
    lease = examined.operator.lease
    namespace = examined.operator.namespace
    cure = f"kubectl get pods -n {namespace}; kubectl logs -n {namespace} deployment/reconstruction-operator"
    if not examined.operator.lease_known:
        return _unknown(f"you may not see its Lease: {examined.operator.lease_refused}")
    if lease is None:
        return _bad(f"there is no Lease of an operator in namespace {namespace}", f"install it: {_HELM}")
    if vacancy := lease.vacancy(examined.now):
        return _bad(vacancy, cure)
    return _ok(f"{lease.holder} leads in namespace {namespace}")


def _clock(examined: Examined) -> _Result:
    """Compare the clocks: the API server's by the date of its responses, the operator's by the renewal of its Lease."""
    ahead = examined.connection.api.clock_ahead_seconds
    if abs(ahead) > _SKEW_SECONDS:
        where = "ahead of" if ahead > 0 else "behind"
        text = f"this machine is {duration_text(int(abs(ahead)))} {where} the API server"
        return _bad(text, "set this machine's clock by NTP: the times shown are wrong")
    lease = examined.operator.lease
    renewed = lease.renewed if lease is not None else None
    early = (renewed - examined.now).total_seconds() if renewed is not None else 0.0
    if early > _SKEW_SECONDS:
        text = f"the API server is {duration_text(int(early))} behind the operator"
        return _bad(text, "set the clocks of the nodes by NTP: deadlines are wrong")
    whose = (
        "this machine's and the API server's"
        if renewed is None
        else "this machine's, the API server's and the operator's"
    )
    return _ok(f"{whose} agree")


def _pods(examined: Examined) -> _Result | None:
    bad = [
        (str(pod["metadata"]["name"]), status)
        for pod in examined.operator.pods
        for status in pod.get("status", {}).get("containerStatuses") or []
        if not status.get("ready")
    ]
    if not examined.operator.pods:
        return None
    if not bad:
        return _ok(f"{len(examined.operator.pods)} are ready")
    name, status = bad[0]
    waiting = (status.get("state") or {}).get("waiting") or {}
    text = f"{name} is not ready: {waiting.get('reason', 'starting')}"
    return _bad(text, f"kubectl describe pod {name} -n {examined.operator.namespace}")


def _redis(examined: Examined) -> _Result:
    metrics = examined.operator.metrics
    if metrics is None:
        return _unknown(f"the operator's metrics are unavailable: {examined.operator.metrics_refused}")
    if not metrics.redis_up:
        return _bad("the operator cannot reach it", "check its pod, its address (REDIS_HOST) and its password")
    if metrics.redis_evicts:
        return _bad("it may evict keys, and so lose the state of jobs", "set maxmemory-policy noeviction")
    if metrics.dispatch_paused:
        return _bad("it is nearly full, so no job is sent to workers", "give it more memory (maxmemory)")
    return _ok("the operator can reach it")


def _workers(examined: Examined) -> _Result:
    metrics = examined.operator.metrics
    stuck = [job for job in examined.jobs if job.condition("Dispatched").reason in ("QueueUnserved", "NoWorker")]
    if stuck:
        queues = ", ".join(sorted({job.full_queue for job in stuck}))
        text = f"{len(stuck)} jobs wait in queues without a live worker: {queues}"
        return _bad(text, "start workers with these pools in WORKER_POOLS, or correct spec.queue")
    if metrics is None:
        return _unknown("no job lacks a worker; only the operator's metrics have the number of live workers")
    served = [queue for queue in metrics.queues if queue.workers]
    if not served:
        return _bad("no live worker consumes any queue", "start a worker (chart value workers)")
    return _ok(", ".join(f"{queue.name}: {queue.workers}" for queue in served))


def _writes(examined: Examined) -> _Result | None:
    metrics = examined.operator.metrics
    if metrics is None:
        return None
    if metrics.oldest_write_seconds > _LAG_SECONDS:
        text = f"the oldest of {metrics.pending_writes} pending writes waits for {metrics.oldest_write_seconds:.0f} s"
        return _bad(text, "check the load of the API server, and its FlowSchema for the operator")
    return _ok(f"{metrics.pending_writes} pending writes")


def _deletions(examined: Examined) -> _Result | None:
    metrics = examined.operator.metrics
    if metrics is None or not metrics.deletions_held:
        return None
    text = "files of deleted jobs are kept, because too many are missing at once: was etcd restored?"
    return _bad(text, "find out why (docs/runbooks), then raise ORPHANS_AT_ONCE")


def _installations(examined: Examined) -> _Result:
    contested = [job for job in examined.jobs if job.condition("Contested").is_true]
    leases = {job.lease for job in examined.jobs} - {""}
    if contested:
        text = f"{len(contested)} jobs are watched by two installations ({', '.join(sorted(leases))})"
        return _bad(text, "let only one of them watch each namespace (WATCH_NAMESPACES)")
    names = ", ".join(sorted(leases)) or "none manages a job yet"
    return _ok(names + (" (of the jobs that you may see)" if examined.jobs_refused else ""))


def _objects(examined: Examined) -> _Result | None:
    cut = examined.connection.api.cut
    if not cut:
        return None
    text = f"{len(cut)} jobs are nested too deep to be read whole: {', '.join(sorted(cut)[:_SHOWN])}"
    return _bad(text, "look at their metadata and spec with kubectl, and delete them if they are an attack")


def _version(examined: Examined) -> _Result:
    version = operator_version(examined.operator)
    if not version:
        return _unknown("the operator's version is not visible to you")
    if minor(version) != minor(__version__):
        text = f"this program is {__version__}, the operator {version}"
        return _bad(text, f"install the same minor version: {install('./plugin')}")
    return _ok(f"this program {__version__}, the operator {version}")


_CHECKS: Final[dict[str, Callable[[Examined], _Result | None]]] = {
    "Your rights": _rights,
    "Operator": _operator,
    "Clocks": _clock,
    "Operator's pods": _pods,
    "Redis": _redis,
    "Workers": _workers,
    "Write lag": _writes,
    "Deletions": _deletions,
    "Installations": _installations,
    "Objects": _objects,
    "Versions": _version,
}
