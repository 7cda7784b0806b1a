"""Diagnosis of waiting jobs: for a worker, a turn, the next attempt, or Redis."""

from __future__ import annotations

from difflib import get_close_matches

from kubectl_recon.diagnosis.facts import Answer, Facts
from kubectl_recon.display.tables import names
from kubectl_recon.jobs.attention import place, waits_since


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
            f"find out why that worker died, often for lack of memory: kubectl recon logs {facts.job.name}",
        ),
    )


def quota(facts: Facts) -> Answer:
    """Explain a job that waits for the quota of its namespace."""
    job = facts.job
    running = [
        neighbour
        for neighbour in facts.neighbours
        if neighbour.namespace == job.namespace and neighbour.phase in ("Queued", "Running")
    ]
    return Answer(
        "namespace-quota",
        f"Namespace {job.namespace} has as many jobs in flight as it may, so this one waits until one of them finishes.",
        details=(f"in flight here: {names([neighbour.name for neighbour in running])}",) if running else (),
        actions=("wait, or ask the administrator (NAMESPACE_MAX_RUNNING, NAMESPACE_MAX_HIGH)",),
        more={"inFlight": len(running)},
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
            actions=("ask an administrator to check Redis: memory, eviction, volume, restarts (kubectl recon doctor)",),
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
        "HandedOver": ("handed-over", "Another installation has taken over the job"),
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
    job = facts.job
    served = facts.served_queues
    meant = get_close_matches(job.queue, served, n=1)
    start = f"start a worker for it: {job.queue} in WORKER_POOLS, in the chart a pool of workers with that queue"
    patch = f'{{"spec":{{"queue":"{(meant or served or ["QUEUE"])[0]}"}}}}'
    correct = f"correct the queue: kubectl patch recon {job.name} --type=merge -p '{patch}'"
    return Answer(
        "queue-unserved",
        f"No live worker consumes its queue, {job.full_queue}, so it has not been sent there."
        + (f" Did you mean {meant[0]}?" if meant and meant[0] != job.queue else ""),
        details=(f"queues with workers: {', '.join(served)}",) if served else (),
        actions=(correct, f"or {start}") if meant else (start, f"or {correct}"),
        more={"queue": job.full_queue, "servedQueues": served},
    )


def model_unserved(facts: Facts) -> Answer:
    """Explain a job that was not sent because no worker of its queue has the model."""
    job = facts.job
    return Answer(
        "model-unserved",
        f"No live worker of queue {job.queue} has the model {job.model}, so it has not been sent there.",
        details=(job.message,),
        actions=(
            f"start a worker that has {job.model}; it runs the job at once",
            "or set the queue of such a worker in spec.queue, which is mutable until the job is sent",
            f"or cancel it, and submit it with another --model: kubectl recon cancel {job.name}",
        ),
        more={"model": job.model, "queue": job.full_queue},
    )


def abandoned(facts: Facts) -> Answer:
    """Explain a job that was sent to a queue that has since lost its workers."""
    job = facts.job
    return Answer(
        "queue-abandoned",
        f"It was sent to queue {job.full_queue}, but no live worker consumes that queue now.",
        details=(*_sent(facts), "the queue can no longer be changed"),
        actions=(
            f"start a worker with {job.queue} in WORKER_POOLS; it runs the job at once",
            f"or cancel it, and submit it to another queue: kubectl recon cancel {job.name}",
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
        f"It is in queue {job.full_queue}, and every worker of that queue is busy with other jobs.",
        details=(*_sent(facts), *_line(facts)),
        actions=_more_workers(facts),
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
    """Describe the queue, by the metrics or else by the jobs that the user may see."""
    job, queue = facts.job, facts.queue
    waits = f"waits for {facts.ago(waits_since(job))}"
    if queue is not None:
        workers = f"{queue.workers} workers" if queue.workers is not None else "workers"
        return (waits, f"queue {queue.name}: {queue.running} jobs run on {workers}, {queue.waiting} wait")
    same = [neighbour for neighbour in facts.neighbours if neighbour.full_queue == job.full_queue]
    running = [neighbour for neighbour in same if neighbour.phase in ("Running", "Cancelling")]
    waiting = [neighbour for neighbour in same if neighbour.phase in ("Pending", "Queued")]
    ahead = [other for other in waiting if other.created and job.created and other.created < job.created]
    where = "" if facts.neighbours_everywhere else f" in namespace {job.namespace}, the only one that you may see"
    return (waits, f"queue {job.full_queue}{where}: {len(running)} jobs run, {len(ahead)} older ones wait")


def _numbers(facts: Facts) -> dict[str, int | None]:
    queue = facts.queue
    return {} if queue is None else {"workers": queue.workers, "running": queue.running, "waiting": queue.waiting}


def _more_workers(facts: Facts) -> tuple[str, ...]:
    job = facts.job
    actions = [f"wait: kubectl recon watch {job.name}", "or add workers to the queue"]
    if job.phase == "Pending" and job.priority != "high":
        patch = '{"spec":{"priority":"high"}}'
        actions.append(f"or raise its priority: kubectl patch recon {job.name} --type=merge -p '{patch}'")
    return tuple(actions)
