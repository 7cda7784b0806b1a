"""Dispatch: queues that a worker serves, and admission to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import redis
from reconstruction_operator.broker import celery_settings
from reconstruction_operator.broker.backlog import Backlog
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.admission import Admission
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning.quotas import Rules
from reconstruction_operator.planning.scheduling import DispatchWindow
from reconstruction_operator.state import calls, worker_calls

_HOUR_MS = 3_600_000


def read(facts: QueueFacts, *served: str, memory_share: float = 0.0, **messages: int) -> QueueFacts:
    """Store a reading: a worker for each of these queues, and these numbers of messages."""
    facts.update(
        dict.fromkeys(served, 1),
        Backlog(messages, {queue: 2_000 * number for queue, number in messages.items()}, memory_share),
    )
    return facts


def make_admission(cache: Cache, *served: str, rules: Rules | None = None, **window: Any) -> Admission:
    """Return an admission to empty queues that a worker serves, with a wide dispatch window unless given."""
    limits = DispatchWindow(**{"queue": 100, "namespace": 100, "total": 1_000, "total_bytes": 10_000_000, **window})
    return Admission(cache, read(QueueFacts(memory_share=0.75), *(served or ("celery",))), limits, rules or Rules())


def serve(client: redis.Redis, *pools: str, node: str = "idle@test") -> None:
    """Register a worker of these pools that takes no messages: what is sent to them stays there."""
    queues = celery_settings.pool_queues(pools)
    call = worker_calls.register_worker(Keys(prefix=""), node=node, queues=queues)
    calls.run(client, replace(call, args=(node, _HOUR_MS, call.args[2])))


def leave(client: redis.Redis, *, node: str = "idle@test") -> None:
    """Remove the registration of that worker."""
    calls.run(client, worker_calls.unregister_worker(Keys(prefix=""), node))
