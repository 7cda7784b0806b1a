"""Retention: how long the result of a deleted job stays in the trash."""

from __future__ import annotations

from reconstruction_operator.api.spec import RETAIN, Spec
from reconstruction_operator.planning.types import Timing


def seconds(spec: Spec, timing: Timing) -> int:
    """Return how long a result is kept, by the job's own policy or else by the operator's settings; 0: it is deleted at once."""
    policy = spec.deletion_policy or timing.deletion_policy
    return timing.retain_seconds_after_deletion if policy == RETAIN else 0
