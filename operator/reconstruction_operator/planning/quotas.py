"""Quotas: how many jobs of a namespace may wait or be in flight (NAMESPACE_MAX_*). Also which pools they may use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from reconstruction_operator.api.spec import Spec
from reconstruction_operator.contract import pools

Entries = tuple[tuple[str, int], ...]  # namespace, or * for all others, and number


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits by namespace; a namespace without an entry has no limit."""

    running: Entries = ()  # jobs that are sent to a worker, until they end
    waiting: Entries = ()  # jobs that wait to be sent
    high: Entries = ()  # those of `running` that have the priority high


NO_QUOTAS: Final = Quotas()


def limit_of(entries: Iterable[tuple[str, int]], namespace: str) -> int | None:
    """Return the namespace's number: its own entry, or else that of `*`; None: no limit."""
    limits = dict(entries)
    return limits.get(namespace, limits.get("*"))


class Refusal(NamedTuple):
    """Why a job is not accepted: a code of `contract.outcomes`, and a sentence."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the administrator allows the namespaces."""

    quotas: Quotas = NO_QUOTAS
    pools: tuple[tuple[str, str], ...] = ()  # pool and namespace

    def refusal(self, spec: Spec, namespace: str) -> Refusal | None:
        """Return why the namespace may not have such a job; None if it may."""
        for queue in (spec.queue, *spec.stage_queues.values()):
            foreign = pools.refusal(self.pools, queue, namespace)
            if foreign:
                return Refusal("QUEUE_REFUSED", foreign)
        if spec.priority == "high" and limit_of(self.quotas.high, namespace) == 0:
            return Refusal("PRIORITY_REFUSED", f"Namespace {namespace} may not use priority high (NAMESPACE_MAX_HIGH).")
        return None

    def too_many(self, namespace: str, waiting: int) -> Refusal | None:
        """Return why the namespace may not have another waiting job besides the `waiting` ones; None if it may."""
        most = limit_of(self.quotas.waiting, namespace)
        if most is None or waiting < most:
            return None
        text = f"{waiting} jobs of namespace {namespace} wait, and no more than {most} may (NAMESPACE_MAX_WAITING)."
        return Refusal("TOO_MANY_WAITING", text)
