"""Inheritance: the job was handed over by another installation, or that installation ended. Its Redis may be another one.

This does not apply to jobs from another shard of this installation: all shards share one Redis, so a missing record was never sent.
"""

from __future__ import annotations

from reconstruction_operator.planning.case import Case, Decision
from reconstruction_operator.planning.rules import restarting
from reconstruction_operator.planning.types import Management


def decide(case: Case) -> Decision | None:
    """The other installation had sent the attempt, and our Redis does not know it: another attempt supersedes it."""
    sent = case.stored.dispatch_time is not None or case.stored.worker is not None
    if case.job.management is not Management.INHERITED or case.wanted or not sent:
        return None
    return restarting.another(case, case.stored, due=None, cause="HANDED_OVER")
