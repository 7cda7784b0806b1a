"""Pools of workers: their queues, and the namespaces that may use them (POOL_NAMESPACES). Operator and workers both enforce it."""

from __future__ import annotations

from collections.abc import Iterable

EVERY = "*"


def queue_name(pool: str, priority: str) -> str:
    """Return the Celery queue: `<pool>-high`, `<pool>` or `<pool>-low`."""
    return pool if priority == "normal" else f"{pool}-{priority}"


def pool_of(queue: str) -> str:
    """Return the pool of a Celery queue. No pool's name ends like a priority (`api.spec`)."""
    return queue.removesuffix("-high").removesuffix("-low")


def namespaces_of(entries: Iterable[tuple[str, str]], pool: str) -> tuple[str, ...] | None:
    """Return the namespaces that may use the pool: those of its own entries, or else of `*`; None: all may."""
    pairs = tuple(entries)
    named = tuple(namespace for name, namespace in pairs if name == pool)
    namespaces = named or tuple(namespace for name, namespace in pairs if name == EVERY)
    return None if not namespaces or EVERY in namespaces else namespaces


def refusal(entries: Iterable[tuple[str, str]], pool: str, namespace: str) -> str:
    """Return why jobs of the namespace may not use the pool; empty if they may. It does not name the other namespaces."""
    allowed = namespaces_of(entries, pool)
    if allowed is None or namespace in allowed:
        return ""
    return (
        f"Namespace {namespace or '(none)'} may not use queue {pool}, which is for other namespaces (POOL_NAMESPACES)."
    )
