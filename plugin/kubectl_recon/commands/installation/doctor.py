"""`doctor`: checks the health of the installation.

It prints each check, and the remedy if one fails. It is read-only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from reconstruction_operator.api import crd, identity
from reconstruction_operator.contract.installation import INSTALL, Installation
from reconstruction_operator.kube import paths

from kubectl_recon import __version__
from kubectl_recon.display.formats import Format, document
from kubectl_recon.display.screen import screen
from kubectl_recon.errors import ApiError, NotFoundError, ReconError, install
from kubectl_recon.installation import published
from kubectl_recon.installation.rights import may
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import visible

_SCHEMAS: Final = f"/openapi/v3/apis/{identity.API_VERSION}"  # which every user may read, unlike the CRD
_SKEW_SECONDS: Final = 30
_NUMBER: Final = re.compile(r"v?(\d+)\.(\d+)")
_COLOURS: Final = {"ok": "green", "bad": "red", "unknown": "yellow"}
_SHOWN: Final = 5
_REPORTED: Final[
    Mapping[str, tuple[str, ...]]
] = {  # problems that the operator publishes, by the check that shows them
    "Redis": ("RedisUnreachable", "RedisEvicts", "RedisNearlyFull"),
    "Loop": ("LoopLate", "WritesRefused", "WritesLate"),
    "Deletions": ("DeletionsHeld",),
    "Namespaces": ("NamespacesUnreadable",),
}


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
    jobs: list[Job]
    jobs_refused: str
    installation: Installation


def run(connection: Connection, how: Format | None) -> int:
    """Print the checks. Exit code 1 if one of them is bad."""
    checks = list(examine(connection))
    bad = any(check.state == "bad" for check in checks)
    if how in (Format.JSON, Format.YAML):
        print(document({"well": not bad, "checks": [asdict(check) for check in checks]}, how))  # noqa: T201  # the result
    else:
        where = screen()
        for check in checks:
            where.print(f"{where.styled(f'{check.state:<8}', _COLOURS[check.state])}{check.name}: {check.text}")
            if check.cure:
                where.print(f"{'':8}-> {check.cure}")
    return int(bad)


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
        jobs, refused = visible(connection)
    except NotFoundError:
        return  # no CRD: _crd has reported it
    except ApiError as error:  # a server in trouble: the other checks tell more
        jobs, refused = [], str(error)
    installation = published.read(connection.api, jobs)
    examined = Examined(connection, connection.api.now(), jobs, refused, installation)
    for name, check in _CHECKS.items():
        if (result := check(examined)) is not None:
            yield Check(name, *result)


def _server(version: dict[str, Any]) -> _Result:
    name = str(version.get("gitVersion", "?"))
    number = _minor(name)
    if number is not None and number < (1, 31):
        return _bad(f"Kubernetes {name} is too old", "use Kubernetes 1.31 or newer")
    return _ok(f"Kubernetes {name} answers")


def _crd(connection: Connection) -> _Result:
    cure = f"an administrator applies manifests/crd of the operator's version, or: {INSTALL}"
    try:
        listed = connection.api.get(paths.GROUP_PATH)
    except NotFoundError:
        return _bad("ReconstructionJobs are not installed in this cluster", cure)
    except ApiError as error:
        return _unknown(str(error))
    if not any(kind.get("name") == identity.PLURAL for kind in listed.get("resources") or []):
        return _bad(f"{identity.API_VERSION} has no {identity.PLURAL}", cure)
    try:
        schemas = connection.api.get(_SCHEMAS)["components"]["schemas"]
        served = next(schema for name, schema in schemas.items() if name.endswith(f".{identity.KIND}"))
    except (ApiError, KeyError, StopIteration) as error:
        return _unknown(f"{identity.API_VERSION} is served; its fields cannot be read: {error!r}")
    if missing := _fields(crd.schema()) - _fields(served):
        shown = ", ".join(sorted(missing)[:_SHOWN])
        return _bad(f"it is older than this program: {len(missing)} fields are missing, such as {shown}", cure)
    return _ok(f"{identity.API_VERSION} is served with all fields of this program")


def _fields(schema: Mapping[str, Any], path: str = "") -> set[str]:
    """Return the paths of all fields below spec and status."""
    fields = {path} if path.count(".") > 1 else set[str]()
    for name, part in schema.get("properties", {}).items():
        if path or name in ("spec", "status"):
            fields |= _fields(part, f"{path}.{name}")
    return fields | _fields(schema["items"], path) if "items" in schema else fields


def _rights(examined: Examined) -> _Result:
    """Check what the user may do with jobs in the namespace."""
    rights = {
        "see jobs": ("list", ""),
        "submit": ("create", ""),
        "cancel": ("patch", ""),
        "read Events": ("list", "events"),
    }
    allowed = {text: may(examined.connection, *right) for text, right in rights.items()}
    if None in allowed.values():
        return _unknown("the API server does not review rights")
    can, not_ = ([text for text in rights if allowed[text] is value] for value in (True, False))
    text = f"in namespace {examined.connection.namespace} you may {', '.join(can) or 'do nothing'}"
    if not not_:
        return _ok(text)
    text += f", but not {', '.join(not_)}"
    if "see jobs" not in not_:
        return _ok(text)
    return _bad(text, "ask for the ClusterRole reconstruction-editor, -viewer or -canceller")


def _operator(examined: Examined) -> _Result:
    installation = examined.installation
    if installation.missing or installation.away(examined.now):
        problem = installation.problems(examined.now)[0]
        return _bad(problem.text, problem.cure)
    return _ok(f"it reports, from namespace {installation.namespace}")


def _clock(examined: Examined) -> _Result:
    """Compare the clocks: the API server's by the date of its responses, the operator's by the renewal of its Lease."""
    ahead = examined.connection.api.clock_ahead_seconds
    if abs(ahead) > _SKEW_SECONDS:
        where = "ahead of" if ahead > 0 else "behind"
        text = f"this machine is {duration_text(int(abs(ahead)))} {where} the API server"
        return _bad(text, "set this machine's clock by NTP: the times shown are wrong")
    beat, written = examined.installation.info.beat, examined.installation.written
    early = (beat - written).total_seconds() if beat is not None and written is not None else 0.0
    if abs(early) > _SKEW_SECONDS:
        where = "behind" if early > 0 else "ahead of"
        text = f"the API server is {duration_text(int(abs(early)))} {where} the operator"
        return _bad(text, "an administrator sets the clocks of the nodes by NTP: deadlines are wrong")
    whose = (
        "this machine's and the API server's" if beat is None else "this machine's, the API server's and the operator's"
    )
    return _ok(f"{whose} agree")


def _reported(name: str) -> Callable[[Examined], _Result | None]:
    """Return the check of a part whose problems the operator publishes.

    It is skipped if the operator does not report.
    """

    def check(examined: Examined) -> _Result | None:
        installation = examined.installation
        if installation.missing or installation.away(examined.now):
            return None
        problem = next((problem for problem in installation.reported if problem.code in _REPORTED[name]), None)
        return _bad(problem.text, problem.cure) if problem else _ok("the operator reports no problem")

    return check


def _workers(examined: Examined) -> _Result:
    installation = examined.installation
    stuck = [job for job in examined.jobs if job.condition("Dispatched").reason in ("QueueUnserved", "NoWorker")]
    if stuck:
        queues = ", ".join(sorted({job.full_queue for job in stuck}))
        text = f"{len(stuck)} jobs wait in queues without a live worker: {queues}"
        return _bad(text, "start workers with these pools in WORKER_POOLS, or correct spec.queue")
    if not installation.info.complete:
        return _unknown("the operator has not published the live workers")
    if not installation.queues:
        return _bad("no live worker consumes any queue", "start a worker (chart value workers)")
    return _ok(", ".join(f"{queue}: {installation.workers(queue)}" for queue in installation.queues))


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
    version = examined.installation.info.version
    if not version:
        return _unknown("the operator has not published its version")
    if _minor(version) != _minor(__version__):
        text = f"this program is {__version__}, the operator {version}"
        return _bad(text, f"install the same minor version: {install('./plugin')}")
    return _ok(f"this program {__version__}, the operator {version}")


def _minor(version: str) -> tuple[int, int] | None:
    """Return major and minor number; None if the text is not a version."""
    match = _NUMBER.match(version)
    return (int(match[1]), int(match[2])) if match else None


_CHECKS: Final[dict[str, Callable[[Examined], _Result | None]]] = {
    "Your rights": _rights,
    "Operator": _operator,
    "Clocks": _clock,
    **{name: _reported(name) for name in _REPORTED},
    "Workers": _workers,
    "Installations": _installations,
    "Objects": _objects,
    "Versions": _version,
}
