"""Operator metrics, read through the API server's proxy to a pod: users have no access to Redis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

_PREFIX: Final = "reconstruction_"


@dataclass(frozen=True)
class Queue:
    """A Celery queue, as the leader reports it. None: the operator reports no number."""

    name: str
    workers: int | None = None  # live workers that consume it
    messages: int | None = None  # messages that wait in it
    waiting: int = 0  # jobs that do not run yet
    running: int = 0  # jobs that run
    held: int = 0  # jobs that wait in the API server for room in the queue
    models: tuple[str, ...] = ()  # models that its live workers announce


@dataclass(frozen=True)
class Metrics:
    """Metrics of one replica of the operator."""

    leader: bool = False
    version: str = ""
    redis_up: bool | None = None
    redis_evicts: bool = False
    dispatch_paused: bool = False
    deletions_held: bool = False
    pending_writes: int = 0
    oldest_write_seconds: float = 0.0
    queues: tuple[Queue, ...] = ()

    def queue(self, name: str) -> Queue | None:
        """Return the queue of that name; None if the operator reports none."""
        return next((queue for queue in self.queues if queue.name == name), None)


def parse(text: str) -> Metrics:
    """Parse metrics in Prometheus' text format. Unknown metrics are ignored. Raises ValueError for other texts."""
    values: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith(_PREFIX) and abs(sample.value) < float("inf"):  # neither NaN nor infinite
                values[sample.name.removeprefix(_PREFIX)].append((dict(sample.labels), float(sample.value)))
    if "leader" not in values:
        raise ValueError("these are not the metrics of a reconstruction operator")

    def value(name: str) -> float | None:
        return values[name][0][1] if values.get(name) else None

    return Metrics(
        leader=value("leader") == 1,
        version=next((labels.get("version", "") for labels, _ in values.get("build_info", [])), ""),
        redis_up=None if value("redis_up") is None else value("redis_up") == 1,
        redis_evicts=value("redis_evicts") == 1,
        dispatch_paused=value("dispatch_paused") == 1,
        deletions_held=bool(value("held_orphan_records")),
        pending_writes=int(value("pending_writes") or 0),
        oldest_write_seconds=value("oldest_pending_write_seconds") or 0.0,
        queues=tuple(_queues(values)),
    )


def _queues(values: Mapping[str, list[tuple[dict[str, str], float]]]) -> Iterable[Queue]:
    def by_queue(name: str) -> dict[str, int]:
        return {labels["queue"]: int(value) for labels, value in values.get(name, []) if "queue" in labels}

    workers, messages, held = by_queue("workers"), by_queue("queue_length_messages"), by_queue("waiting_for_room_jobs")
    models: dict[str, set[str]] = defaultdict(set)
    for labels, value in values.get("worker_models", []):
        if value:
            models[labels.get("queue", "")].add(labels.get("model", ""))
    waiting: dict[str, int] = defaultdict(int)
    running: dict[str, int] = defaultdict(int)
    for labels, value in values.get("queue_jobs", []):
        counts = waiting if labels.get("phase") in ("Pending", "Queued") else running
        counts[labels.get("queue", "")] += int(value)
    for name in sorted({*workers, *messages, *held, *waiting, *running} - {""}):
        having = tuple(sorted(models[name]))
        yield Queue(
            name, workers.get(name), messages.get(name), waiting[name], running[name], held.get(name, 0), having
        )
