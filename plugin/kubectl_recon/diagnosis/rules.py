"""Rule table: the first rule that matches gives the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from kubectl_recon.diagnosis import finished, running, stopping, unmanaged, waiting
from kubectl_recon.diagnosis.facts import Answer, Facts

Rule = Callable[[Facts], Answer | None]

RULES: Final[tuple[Rule, ...]] = (
    unmanaged.foreign,
    finished.succeeded,
    finished.cancelled,
    finished.failed,
    unmanaged.contested,
    unmanaged.not_seen,
    stopping.cancelling,
    unmanaged.behind,
    stopping.suspended,
    waiting.redis_full,
    waiting.quarantined,
    waiting.quota,
    waiting.backing_off,
    waiting.redis_lost,
    waiting.unserved,
    waiting.model_unserved,
    waiting.abandoned,
    waiting.in_line,
    waiting.queued,
    waiting.pending,
    running.awaiting_worker,
    running.stopping,
    running.silent,
    running.too_late,
    running.announced,
    running.retried,
    running.well,
)


def answer(facts: Facts) -> Answer:
    """Return the answer of the first rule that matches, or a default."""
    for rule in RULES:
        if matched := rule(facts):
            return matched
    return Answer(
        "unknown",
        f"{facts.job.name} is {facts.job.phase or 'new'}: {facts.job.message or 'its status has no message'}.",
        actions=(f"see the whole job: kubectl describe recon {facts.job.name} -n {facts.job.namespace}",),
    )
