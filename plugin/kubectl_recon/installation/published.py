"""Published state: what the operator of each installation tells every user (`reconstruction_operator.contract.info`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from reconstruction_operator.api import codec
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.info import NAME, NAMESPACE, InstallationInfo
from reconstruction_operator.contract.pools import pool_of
from reconstruction_operator.kube import paths

from kubectl_recon.errors import ApiError, ForbiddenError, NotFoundError, UnreachableError
from kubectl_recon.gallery.reaching import Way
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text, parse_time, seconds_between
from kubectl_recon.kube.api import Api

USUAL_NAMESPACE: Final = "reconstruction-system"
PROBLEMS: Final[Mapping[str, str]] = {
    "RedisUnreachable": "the operator cannot reach Redis, so nothing is sent to workers, stopped or reported",
    "RedisEvicts": "Redis may evict keys, and so lose the state of jobs",
    "RedisNearlyFull": "Redis is nearly full, so no job is sent to workers",
    "LoopLate": "the loop of the operator makes no progress",
    "WritesRefused": "the API server refuses the operator's writes of statuses: its role is incomplete, or an admission rule forbids them",
    "WritesLate": "the operator writes statuses late: it or the API server is overloaded",
    "DeletionsHeld": "files of deleted jobs are kept, because too many jobs are missing at once",
}
_SILENT_SECONDS: Final = 12  # more than two beats
_REMOVED_SECONDS: Final = 86_400  # later the installation counts as removed: its gallery would get the user's token
_NONE: Final = f"no operator has published its state here in the last day, or its chart does not let you read it (ConfigMap {NAME} in {NAMESPACE})"


@dataclass(frozen=True)
class Installation:
    """An installation. `written`: when the API server stored its state. `missing`: why there is none; then `info` is empty."""

    info: InstallationInfo = field(default_factory=InstallationInfo)
    written: datetime | None = None
    missing: str = ""

    @property
    def namespace(self) -> str:
        """The namespace of the operator, its workers and the gallery."""
        return self.info.lease.partition("/")[0] or USUAL_NAMESPACE

    def away(self, now: datetime) -> str:
        """Return that the operator does not report; empty if it does, or if it publishes nothing."""
        age = seconds_between(self.written, now)
        if age is None or age <= _SILENT_SECONDS:
            return ""
        return f"the operator last reported {duration_text(age)} ago, and reports every 5 s: it is down or overloaded"

    @property
    def problems(self) -> list[str]:
        """The problems that the operator reports, as sentences."""
        return [PROBLEMS.get(name, name) for name in self.info.problems]

    def workers(self, queue: str) -> int | None:
        """Return how many live workers consume the queue; None if that is unknown."""
        if not self.info.complete:
            return None
        return sum(group.number for group in self.info.workers if queue in group.queues)

    @property
    def queues(self) -> list[str]:
        """The queues with live workers."""
        return sorted({queue for group in self.info.workers for queue in group.queues})

    @property
    def served(self) -> list[str]:
        """The names for spec.queue that have live workers."""
        return sorted({pool_of(queue) for queue in self.queues})

    def models(self, queue: str) -> list[Mapping[str, ModelInfo]]:
        """Return the models of each group of live workers of the queue; an empty group announces none."""
        return [
            {name: codec.decode(ModelInfo, info) for name, info in (group.models or {}).items()}
            for group in self.info.workers
            if queue in group.queues
        ]


def read(api: Api, jobs: Sequence[Job] = ()) -> Installation:
    """Return the installation that manages these jobs, or else one that could. Raises UnreachableError."""
    try:
        body = api.get(paths.core(NAMESPACE, "configmaps", NAME))
    except UnreachableError:
        raise
    except ApiError as error:
        return Installation(missing=_NONE if isinstance(error, NotFoundError | ForbiddenError) else str(error))
    leases = [job.lease for job in sorted(jobs, key=lambda job: str(job.created)) if job.lease]
    latest = api.now().timestamp() - _REMOVED_SECONDS
    every = [entry for entry in _installations(body) if _age(entry.written) > latest]
    every = sorted(every, key=lambda entry: (entry.info.narrowed, -_age(entry.written)))
    managing = (entry for entry in every if leases and entry.info.lease == leases[-1])
    return next(managing, next(iter(every), Installation(missing=_NONE)))


def gallery(api: Api, jobs: Sequence[Job], way: Way) -> Way:
    """Return the way to the gallery of the installation that manages these jobs. An address that the user gave comes first."""
    if way.url:
        return way
    installation = read(api, jobs)
    address = installation.info.gallery
    if address.startswith("service/"):
        return replace(way, service=address, namespace=installation.namespace)
    parts = urlsplit(address)
    # The user's token is sent there.
    return replace(way, url=address) if parts.scheme == "https" or parts.hostname == "127.0.0.1" else way


def _age(written: datetime | None) -> float:
    return written.timestamp() if written else 0.0


def _installations(body: Mapping[str, Any]) -> list[Installation]:
    """Return the installations of the ConfigMap. By managedFields the times are those of the API server's clock."""
    times = {
        entry.get("manager"): parse_time(entry.get("time")) for entry in body["metadata"].get("managedFields") or []
    }
    found = []
    for key, text in (body.get("data") or {}).items():
        try:
            info = codec.decode(InstallationInfo, json.loads(text))
        except (ValueError, RecursionError):
            continue
        found.append(Installation(info, times.get(key) or info.beat))
    return found
