"""What workers would refuse, by the published state: a job is checked before a byte of its photos is uploaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from reconstruction_operator.api import codec
from reconstruction_operator.api.spec import Spec
from reconstruction_operator.contract.installation import Installation
from reconstruction_operator.contract.pools import queue_name
from reconstruction_operator.planning import parameters, validation


def problem(installation: Installation, spec: Mapping[str, Any]) -> str:
    """Return why a job with this spec would fail, or wait for a worker that does not exist; empty if nothing is known
    against it.
    """
    info, job = installation.info, codec.decode(Spec, spec)
    if installation.missing:
        return ""
    if problems := validation.problems(job, info.schemes):
        return problems[0].rstrip(".")
    if not info.complete or "RedisUnreachable" in info.problems:
        return ""
    pools = {*info.pools, *installation.served}
    if job.queue not in pools:
        return f"there are no workers for queue {job.queue}{_meant(job.queue, pools)}"
    groups = installation.models(queue_name(job.queue, job.priority))
    if not all(groups):
        return ""  # the announcement of a worker cannot be read
    have = [models[job.model_type] for models in groups if job.model_type in models]
    if groups and not have:
        others = [
            queue for queue in installation.served if any(job.model_type in of for of in installation.models(queue))
        ]
        elsewhere = f": it is in queue {', '.join(others)} (--queue)" if others else ""
        known = {name for models in groups for name in models}
        return f"no worker of queue {job.queue} has model {job.model_type}{elsewhere or _meant(job.model_type, known)}"
    refused = [parameters.problem(model.parameters or {}, job.parameters) for model in have]
    return f"{job.model_type}: {refused[0]}" if refused and all(refused) else ""


def _meant(name: str, known: Collection[str]) -> str:
    meant = get_close_matches(name, known, 1)
    return (f": did you mean {meant[0]}? There are " if meant else ": there are ") + (
        ", ".join(sorted(known)) or "none"
    )
