"""Published installations, as all their readers judge them: what is wrong, in a sentence, and what to do.

`kubectl recon`, the gallery and the demo read what operators publish (`contract.info`). Whether an operator still
reports is decided by the API server's clock, which stamps each write.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from reconstruction_operator.api import codec, display
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.info import KEY, MANAGER, InstallationInfo
from reconstruction_operator.contract.pools import pool_of

USUAL_NAMESPACE: Final = "reconstruction-system"
INSTALL: Final = "helm upgrade --install reconstruction charts/reconstruction-operator -n reconstruction-system"
NOT_PUBLISHED: Final = "no operator has published its state here in the last day"
_SILENT_SECONDS: Final = 12  # more than two beats
_REMOVED_SECONDS: Final = 86_400  # later the installation counts as removed: its gallery would get the user's token


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of an installation. `text`: a clause for users; `cure`: what to do, for those who can."""

    code: str
    text: str
    cure: str

    @property
    def sentence(self) -> str:
        """The text as a sentence."""
        return f"{self.text[:1].upper()}{self.text[1:]}."


PROBLEMS: Final[Mapping[str, Problem]] = {
    problem.code: problem
    for problem in (
        Problem(
            "RedisUnreachable",
            "the operator cannot reach Redis, so nothing is sent to workers, stopped or reported",
            "an administrator checks its pod, its address (CELERY_BROKER_URL, REDIS_STATE_DB) and its password",
        ),
        Problem(
            "RedisEvicts",
            "Redis may evict keys, and so lose the state of jobs",
            "an administrator sets maxmemory-policy noeviction",
        ),
        Problem(
            "RedisNearlyFull",
            "Redis is nearly full, so no job is sent to workers",
            "an administrator gives it more memory (maxmemory)",
        ),
        Problem("LoopLate", "the loop of the operator makes no progress", "an administrator reads the operator's log"),
        Problem(
            "WritesRefused",
            "the API server refuses the operator's writes of statuses: its role is incomplete, or an admission rule "
            "forbids them",
            "an administrator applies the chart again, and reads the operator's log",
        ),
        Problem(
            "WritesLate",
            "the operator writes statuses late: it or the API server is overloaded",
            "an administrator checks the load of the API server, and its FlowSchema for the operator",
        ),
        Problem(
            "DeletionsHeld",
            "files of deleted jobs are kept, because too many jobs are missing at once",
            "an administrator finds out why (docs/runbooks), and deletes them by reconstruction-operator brake release "
            "NAMESPACE, in the operator's pod",
        ),
        Problem(
            "NamespacesUnreadable",
            "the operator may not read its namespaces, so jobs take over no results and stages of earlier ones",
            "an administrator applies the chart again, or sets NAMESPACE_IDENTITY to name",
        ),
    )
}
"""What operators report, by its code (`InstallationInfo.problems`)."""


@dataclass(frozen=True)
class Installation:
    """An installation.

    `written`: when the API server stored its state. `missing`: why there is none; then `info` is empty.
    """

    info: InstallationInfo = field(default_factory=InstallationInfo)
    written: datetime | None = None
    missing: str = ""

    @property
    def namespace(self) -> str:
        """The namespace of the operator, its workers and the gallery."""
        return self.info.lease.partition("/")[0] or USUAL_NAMESPACE

    def removed(self, now: datetime) -> bool:
        """Return whether the operator has not reported for so long that it counts as removed."""
        return self.written is None or (now - self.written).total_seconds() >= _REMOVED_SECONDS

    def away(self, now: datetime) -> str:
        """Return that the operator does not report; empty if it does, or if it publishes nothing."""
        if self.written is None or (age := int((now - self.written).total_seconds())) <= _SILENT_SECONDS:
            return ""
        ago = display.duration_text(age)
        return f"the operator last reported {ago} ago, and reports every 5 s: it is down or overloaded"

    @property
    def reported(self) -> list[Problem]:
        """The problems that the operator reports."""
        return [
            PROBLEMS.get(code) or Problem(code, code, "an administrator reads the operator's log")
            for code in self.info.problems
        ]

    def problems(self, now: datetime) -> list[Problem]:
        """Return all problems; of an operator that does not report, nothing else is known."""
        if self.missing:
            return [Problem("NotPublished", self.missing, f"an administrator installs or upgrades it: {INSTALL}")]
        if away := self.away(now):
            log = f"kubectl logs -n {self.namespace} deployment/reconstruction-operator"
            return [Problem("OperatorAway", away, f"an administrator reads its log: {log}")]
        return self.reported

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


def published(bodies: Iterable[Mapping[str, Any]], now: datetime) -> list[Installation]:
    """Return the installations in ConfigMaps with the label of `contract.info` that are not removed.

    A ConfigMap that does not have its installation's name is left out: its operator may not speak for another one.
    Texts get a placeholder for each unprintable character: what one operator publishes, the terminals of all users
    show.
    """
    installations = []
    for body in bodies:
        metadata = body.get("metadata") or {}
        try:
            info = codec.decode(InstallationInfo, _printable(json.loads((body.get("data") or {}).get(KEY, ""))))
        except (ValueError, RecursionError):
            continue
        if info.lease and metadata.get("name") == info.name:
            fields = metadata.get("managedFields") or ()
            written = next((_time(entry.get("time")) for entry in fields if entry.get("manager") == MANAGER), None)
            installations.append(Installation(info, written or info.beat))
    return [installation for installation in installations if not installation.removed(now)]


def problems(installations: Iterable[Installation], namespace: str, now: datetime) -> list[Problem]:
    """Return the problems of the installations in the operator's namespace, each once."""
    own = [installation for installation in installations if installation.namespace == namespace]
    every = [problem for installation in own for problem in installation.problems(now)]
    return list(dict.fromkeys(every)) if own else Installation(missing=NOT_PUBLISHED).problems(now)


def _printable(value: Any) -> Any:
    match value:
        case str():
            return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value)
        case list():
            return [_printable(one) for one in value]
        case dict():
            return {_printable(key): _printable(one) for key, one in value.items()}
    return value


def _time(text: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)
