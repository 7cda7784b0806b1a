"""Inheritance: another installation handed the job over, or ended. It may have used another Redis.

This does not apply to jobs from another shard of this installation: all shards share one Redis, so a job without a record was never sent.
"""

from __future__ import annotations

from reconstruction_operator.planning.case import Case, Decision
from reconstruction_operator.planning.rules import restarting
from reconstruction_operator.planning.types import Management


def decide(case: Case) -> Decision | None:
    """Supersede an attempt that the other installation sent, if our Redis has no record of it."""
    sent = case.stored.dispatch_time is not None or case.stored.worker is not None
    if case.job.management is not Management.INHERITED or case.wanted or not sent:
        return None
    return restarting.another(case, case.stored, due=None, cause="HANDED_OVER")
