"""Pools of workers: their queues, and the namespaces that may use them (POOL_NAMESPACES).

Operator and workers both enforce it.
"""

from __future__ import annotations

from collections.abc import Iterable

EVERY = "*"
PARTS_SUFFIX = "-parts"


def queue_name(pool: str, priority: str) -> str:
    """Return the Celery queue: `<pool>-high`, `<pool>` or `<pool>-low`."""
    return pool if priority == "normal" else f"{pool}-{priority}"


def parts_queue(pool: str) -> str:
    """Return the queue of the orders to help a run of that pool, which its workers consume after all others."""
    return f"{pool}{PARTS_SUFFIX}"


def of_jobs(queues: Iterable[str]) -> tuple[str, ...]:
    """Return those of the queues that hold jobs, not orders to help."""
    return tuple(queue for queue in queues if not queue.endswith(PARTS_SUFFIX))


def pool_of(queue: str) -> str:
    """Return the pool of a Celery queue. No pool's name ends like a queue's suffix (`api.spec`)."""
    return queue.removesuffix("-high").removesuffix("-low").removesuffix(PARTS_SUFFIX)


def refusal(entries: Iterable[tuple[str, str]], pool: str, namespace: str) -> str:
    """Return why jobs of the namespace may not use the pool; empty if they may. It does not name the other namespaces.

    The entries of the pool count, or else those of `*`. Without any, all namespaces may.
    """
    pairs = tuple(entries)
    allowed = [other for name, other in pairs if name == pool] or [other for name, other in pairs if name == EVERY]
    if not allowed or EVERY in allowed or namespace in allowed:
        return ""
    return (
        f"Namespace {namespace or '(none)'} may not use queue {pool}, which is for other namespaces (POOL_NAMESPACES)."
    )
