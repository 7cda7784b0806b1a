"""Diagnosis of waiting jobs.

What a job waits for is decided by the operator's table alone (`planning.status.waiting`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Final

from reconstruction_operator.contract.pools import pool_of
from reconstruction_operator.planning.status.waiting import Kind

from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.jobs.attention import place, waits_since
from kubectl_recon.jobs.job import Job


def explained(facts: Facts) -> Answer:
    """Explain a job that waits, by the reason of its condition Dispatched."""
    kind = facts.reason("Dispatched")
    if kind not in ANSWERS:
        kind = Kind.ROOM if facts.job.phase == "Pending" else Kind.WORKER
    if facts.job.phase == "Queued" and facts.job.leg_queue:
        return between_legs(facts)
    if kind == Kind.ROOM and "RedisNearlyFull" in facts.installation.info.problems:
        kind = Kind.REDIS_FULL  # only the first jobs of a queue are told
    return ANSWERS[Kind(kind)](facts)


def redis_full(facts: Facts) -> Answer:
    """Explain a job that waits because Redis is nearly full."""
    return Answer(
        "redis-nearly-full",
        "Redis is nearly full, so no job is sent to workers until it has room. Running jobs continue.",
        details=(facts.job.message,),
        actions=("ask an administrator to give Redis more memory, or to raise DISPATCH_MEMORY_SHARE",),
    )


def quarantined(facts: Facts) -> Answer:
    """Explain a job that lost its worker together with other jobs."""
    return Answer(
        "quarantined",
        "A worker died while it ran this job and others, so they are retried one at a time.",
        details=(f"the last attempt: {facts.job.failure_message or facts.job.failure_reason or 'lost its worker'}",),
        actions=(
            "wait: the job will be retried",
            (
                "an administrator can read why that worker died, often for lack of memory: kubectl recon logs "
                f"{facts.job.name}"
            ),
        ),
    )


def quota(facts: Facts) -> Answer:
    """Explain a job that waits for the quota of its namespace."""
    return Answer(
        "namespace-quota",
        f"Namespace {facts.job.namespace} has as many jobs in flight as it may, so this one waits until "
        "one of them finishes.",
        actions=("wait, or ask the administrator (NAMESPACE_MAX_RUNNING, NAMESPACE_MAX_HIGH)",),
    )


def backing_off(facts: Facts) -> Answer:
    """Explain a job that waits for the time of its next attempt."""
    job = facts.job
    when = job.time("nextAttemptTime")
    left = f" at {when:%H:%M:%S} UTC" if when else " soon"
    if job.status.get("redisLosses"):
        return Answer(
            "redis-forgets",
            f"Redis lost its last {job.status['redisLosses']} attempts, so the next one is delayed; it starts{left}.",
            actions=("ask an administrator to check Redis: memory, eviction, volume, restarts",),
        )
    return Answer(
        "backing-off",
        f"Attempt {max(1, job.attempt - 1)} failed with {job.failure_reason}; attempt {job.attempt} starts{left}.",
        details=(job.failure_message,) if job.failure_message else (),
        actions=(
            "wait, if the cause is temporary",
            f"or cancel it, and correct the cause in a new job: kubectl recon cancel {job.name}",
        ),
        more={"failures": job.failures, "attempt": job.attempt},
    )


def redis_lost(facts: Facts) -> Answer | None:
    """Explain a job whose last attempt ended without a failure of its own; the next attempt follows."""
    texts = {
        "RedisLost": ("redis-lost", "Redis lost the last attempt"),
        "Drained": ("worker-drained", "The last attempt's worker was shut down"),
        "Superseded": ("superseded", "The last attempt was superseded"),
    }
    job = facts.job
    if job.phase not in ("Pending", "Queued") or facts.reason("Running") not in texts:
        return None
    situation, text = texts[facts.reason("Running")]
    return Answer(
        situation,
        f"{text}; attempt {job.attempt} follows, and no failure is counted.",
        details=(job.message,),
        actions=(f"wait: kubectl recon watch {job.name}",),
        well=True,
    )


def unserved(facts: Facts) -> Answer:
    """Explain a job that was not sent because no live worker consumes its queue."""
    job, served = facts.job, facts.installation.served
    meant = get_close_matches(job.queue, served, n=1)
    start = (
        f"ask an administrator to start a worker for it: {job.queue} in WORKER_POOLS, in the chart a "
        "pool with that queue"
    )
    correct = [_move(job, queue) for queue in (meant or served)[:1]]
    return Answer(
        "queue-unserved",
        f"No live worker consumes its queue, {job.full_queue}, so it has not been sent there."
        + (f" Did you mean {meant[0]}?" if meant and meant[0] != job.queue else ""),
        details=(f"queues with workers: {', '.join(served)}",) if served else (),
        actions=(*correct, start) if meant else (start, *correct),
        more={"queue": job.full_queue, "servedQueues": served},
    )


def model_unserved(facts: Facts) -> Answer:
    """Explain a job that was not sent because no worker of its queue has the model."""
    job, installation = facts.job, facts.installation
    have = [queue for queue in installation.served if any(job.model in models for models in installation.models(queue))]
    every = {model for queue in installation.served for models in installation.models(queue) for model in models}
    meant = [] if have else get_close_matches(job.model, every, n=1)
    return Answer(
        "model-unserved",
        f"No live worker of queue {job.queue} has the model {job.model}, so it has not been sent there."
        + (f" Did you mean {meant[0]}?" if meant else ""),
        details=(job.message,),
        actions=(
            *(_move(job, queue) for queue in have[:1]),
            f"ask an administrator to start a worker that has {job.model}; it runs the job at once",
            f"cancel it, and submit it with another --model: kubectl recon cancel {job.name}",
        ),
        more={"model": job.model, "queue": job.full_queue},
    )


def _move(job: Job, queue: str) -> str:
    patch = f'{{"spec":{{"queue":"{queue}"}}}}'
    return f"change the queue: kubectl patch recon {job.name} --type=merge -p '{patch}'"


def abandoned(facts: Facts) -> Answer:
    """Explain a job that was sent to a queue that has since lost its workers."""
    job = facts.job
    others = [queue for queue in facts.installation.served if queue != job.queue]
    move = f"or cancel it, and submit it to {' or '.join(others)}: kubectl recon cancel {job.name}"
    return Answer(
        "queue-abandoned",
        f"It was sent to queue {job.full_queue}, but no live worker consumes that queue now.",
        details=(*_sent(facts), "the queue can no longer be changed"),
        actions=(
            f"ask an administrator to start a worker with {job.queue} in WORKER_POOLS; it runs the job at once",
            *([move] if others else ()),
        ),
    )


def in_line(facts: Facts) -> Answer | None:
    """Explain a job that waits in the API server for room in its queue."""
    job = facts.job
    number = place(job)
    if number is None:
        return None
    return Answer(
        "in-line",
        f"It is in line for queue {job.full_queue}, at place {number} or better; all workers are busy.",
        details=_line(facts),
        actions=_more_workers(facts),
        well=True,
        more={"place": number, "queue": job.full_queue, **_numbers(facts)},
    )


def queued(facts: Facts) -> Answer:
    """Explain a job whose message is in its queue."""
    job = facts.job
    return Answer(
        "queued",
        f"It is in queue {job.full_queue}, and no worker has taken it yet: all of that queue are busy, "
        "or stopped a moment ago.",
        details=(*_sent(facts), *_line(facts)),
        actions=_more_workers(facts),
        well=True,
        more={"queue": job.full_queue, **_numbers(facts)},
    )


def between_legs(facts: Facts) -> Answer:
    """Explain a running attempt whose next stage waits for a worker of its queue."""
    job = facts.job
    served = facts.installation.workers(job.full_queue)
    start = f"ask an administrator for a worker with {pool_of(job.full_queue)} in WORKER_POOLS"
    return Answer(
        "between-legs",
        f"{job.done} are done, and its next stage waits for a worker of queue {job.full_queue}.",
        details=(job.message, *_line(facts)),
        actions=(f"wait: kubectl recon watch {job.name}", *((start,) if served == 0 else ())),
        well=True,
        more={"queue": job.full_queue, **_numbers(facts)},
    )


def pending(facts: Facts) -> Answer:
    """Explain any other job that was not sent yet."""
    job = facts.job
    return Answer(
        "pending",
        f"It waits to be sent to queue {job.full_queue}.",
        details=(job.message, *_line(facts)),
        actions=(f"check again in a moment: kubectl recon why {job.name}",),
        well=True,
        more={"queue": job.full_queue, **_numbers(facts)},
    )


def _sent(facts: Facts) -> tuple[str, ...]:
    sent = facts.job.time("dispatchTime")
    return (f"sent {facts.ago(sent)} ago",) if sent else ()


def _line(facts: Facts) -> tuple[str, ...]:
    """Describe the wait and the queue."""
    waits = f"waits for {facts.ago(waits_since(facts.job))}"
    workers = facts.installation.workers(facts.job.full_queue)
    return (waits,) if workers is None else (waits, f"queue {facts.job.full_queue} has {workers} live workers")


def _numbers(facts: Facts) -> dict[str, int | None]:
    return {"workers": facts.installation.workers(facts.job.full_queue)}


def _more_workers(facts: Facts) -> tuple[str, ...]:
    job = facts.job
    actions = [f"wait: kubectl recon watch {job.name}", "or ask an administrator for more workers"]
    if job.phase == "Pending" and job.priority != "high":
        patch = '{"spec":{"priority":"high"}}'
        actions.append(f"or raise its priority: kubectl patch recon {job.name} --type=merge -p '{patch}'")
    return tuple(actions)


def _before_dispatch(facts: Facts) -> Answer:
    return redis_lost(facts) or in_line(facts) or pending(facts)


def _after_dispatch(facts: Facts) -> Answer:
    return redis_lost(facts) or queued(facts)


ANSWERS: Final[Mapping[Kind, Callable[[Facts], Answer]]] = {
    Kind.BACKOFF: backing_off,
    Kind.QUEUE_UNSERVED: unserved,
    Kind.NO_WORKER: abandoned,
    Kind.MODEL_UNSERVED: model_unserved,
    Kind.REDIS_FULL: redis_full,
    Kind.QUARANTINE: quarantined,
    Kind.QUOTA: quota,
    Kind.ROOM: _before_dispatch,
    Kind.WORKER: _after_dispatch,
}
"""The answer to each kind of wait, besides a suspension (`stopping.suspended`)."""
