"""Metrics of the operator. docs/metrics.md is generated from this module.

All have the same prefix and use base units. No label holds the name of a job, or of a queue that no worker has served,
so the number of series is bounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, Histogram, Info

from reconstruction_operator.api.verdict import Verdict
from reconstruction_operator.contract.outcomes import REASONS

REGISTRY: Final = CollectorRegistry()
REGISTRY.register(prometheus_client.PROCESS_COLLECTOR)
REGISTRY.register(prometheus_client.PLATFORM_COLLECTOR)
REGISTRY.register(prometheus_client.GC_COLLECTOR)

_PREFIX = "reconstruction"
_FAST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_HUMAN_SECONDS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_counter = partial(prometheus_client.Counter, namespace=_PREFIX, registry=REGISTRY)
_gauge = partial(Gauge, namespace=_PREFIX, registry=REGISTRY)


OTHER_QUEUES: Final = "other"
_MAX_QUEUES: Final = 1_000  # workers choose the names, so their number is bounded


class QueueNames:
    """The queues with labels of their own.

    Tenants choose queue names, so queues that no worker has served are summed up as `other`.
    """

    def __init__(self, at_most: int = _MAX_QUEUES) -> None:
        self._at_most = at_most
        self._names: dict[str, None] = {}

    def __iter__(self) -> Iterator[str]:
        """Iterate over the queues with labels of their own."""
        return iter(self._names)

    def add(self, queues: Iterable[str]) -> None:
        """Give these queues labels of their own from now on, up to the limit."""
        for queue in queues:
            if len(self._names) < self._at_most:
                self._names[queue] = None

    def label(self, queue: str) -> str:
        """Return the queue's label: its name, or `other`."""
        return queue if queue in self._names else OTHER_QUEUES

    def total(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Return the counts by label."""
        totals = Counter[str]()
        for queue, number in counts.items():
            totals[self.label(queue)] += number
        return totals


QUEUES: Final = QueueNames()


def _histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
    return Histogram(name, text, labels, namespace=_PREFIX, registry=REGISTRY, buckets=buckets)


# --- The jobs ---------------------------------------------------------------------------------------------------------
JOBS = _gauge("jobs", "ReconstructionJobs that exist, by phase.", ("phase",))
CONTESTED = _gauge("contested_jobs", "Unfinished jobs of another installation of the operator, which this one ignores.")
_ENDS: Final = ("outcome", "reason", "verdict")
JOBS_FINISHED = _counter("jobs_finished", "Jobs that ended, by outcome, failure's reason (if any) and verdict.", _ENDS)
JOB_ATTEMPTS = _histogram("job_attempts", "Attempts that a job had used when it ended.", (), (1, 2, 3, 4, 5, 8, 13))
QUEUE_WAIT = _histogram(
    "queue_wait_seconds", "From an attempt's dispatch to its start by a worker, by queue.", ("queue",), _HUMAN_SECONDS
)
RUN_TIME = _histogram("run_seconds", "From a job's first start to its end, by outcome.", ("outcome",), _HUMAN_SECONDS)
CANCEL_TIME = _histogram(
    "cancel_seconds", "From a confirmed cancel until no run of the job is left.", (), (*_FAST_SECONDS, 20, 30, 60)
)
DISPATCH_ERRORS = _counter("dispatch_errors", "Batches of messages that the broker did not accept.")
LOST_WORKERS = _counter("lost_workers", "Attempts that were ended because their worker was lost.")
QUEUE_JOBS = _gauge(
    "queue_jobs",
    "Jobs that wait for a worker (Pending, Queued) or run on one (Running, Cancelling), by queue and phase.",
    ("queue", "phase"),
)

# --- The loop ---------------------------------------------------------------------------------------------------------
DIRTY = _gauge("dirty_jobs", "Work queue: jobs that may have changed, and are not reconciled yet.")
BATCH_TIME = _histogram("reconcile_seconds", "Time to observe, plan and act on one batch of jobs.", (), _FAST_SECONDS)
BATCH_JOBS = _histogram("reconcile_batch_jobs", "Jobs in one batch.", (), (1, 2, 5, 10, 20, 50, 100, 200, 500))
RECONCILE_ERRORS = _counter(
    "reconcile_errors", "Errors of the loop, by stage (redis, plan, act, loop); each is retried.", ("stage",)
)
ORPHANS = _gauge("orphan_records", "Orphaned records in Redis: the object is deleted, and the clean-up is unfinished.")
HELD_ORPHANS = _gauge("held_orphan_records", "Jobs that look deleted, and whose clean-up is held: too many at once.")
LOOP_LAG = _gauge("loop_lag_seconds", "Delay of the event loop when it was last measured.")

# --- The API server ---------------------------------------------------------------------------------------------------
API_WRITES = _counter(
    "api_writes",
    "Writes to the API server, by kind (finished, phase, progress, waiting, event, delete) and result.",
    ("kind", "result"),
)
WRITE_LAG = _histogram(
    "write_lag_seconds", "From a decision until its status is stored, by kind.", ("kind",), (*_FAST_SECONDS, 30, 60)
)
WRITES_PENDING = _gauge("pending_writes", "Status writes that wait in the queue.")
OLDEST_WRITE = _gauge(
    "oldest_pending_write_seconds",
    "Age of the oldest status write in the queue, except writes of jobs that wait for their turn.",
)
EVENTS_DROPPED = _counter("events_dropped", "Kubernetes Events dropped, by cause (full, refused).", ("why",))
NOTIFICATIONS = _counter(
    "notifications",
    "Tries to send a notification, by result (sent, failed, refused: by the settings or a redirection), and those "
    "that were dropped.",
    ("result",),
)
UNSENT = _gauge("unsent_notifications_jobs", "Jobs with notifications that are not sent yet.")
WATCH_AGE = _gauge("watch_age_seconds", "Time since the API server last answered a list or watch of this replica.")
OBJECTS_SKIPPED = _counter(
    "objects_skipped",
    "Objects in lists and watches of the API server that cannot be read, by kind of response. Their jobs keep their "
    "last known state.",
    ("response",),
)
LEADER = _gauge("leader", "1 while this replica holds the Lease and serves jobs.")
LEADER_CHANGES = _counter("leader_changes", "Times that this replica gained or lost the Lease, by change.", ("change",))

# --- Redis ------------------------------------------------------------------------------------------------------------
REDIS_UP = _gauge("redis_up", "1 while Redis answers.")
REDIS_EVICTS = _gauge("redis_evicts", "1 if Redis may evict keys (maxmemory-policy not noeviction): state may be lost.")
REDIS_EPOCHS = _counter("redis_epochs", "Times that Redis lost data or returned with older data (restart, fail-over).")
DISPATCH_PAUSED = _gauge("dispatch_paused", "1 while no job is dispatched because Redis is nearly full.")
WORKERS = _gauge("workers", "Live workers, by queue.", ("queue",))
QUEUE_LENGTH = _gauge("queue_length_messages", "Messages that wait in a queue.", ("queue",))

# Series with known labels exist from the start: `increase()` needs a first sample.
for _verdict in Verdict:
    _outcome = _verdict.value if _verdict in (Verdict.FAILED, Verdict.CANCELLED) else "Succeeded"
    for _reason in REASONS if _verdict is Verdict.FAILED else ("",):
        JOBS_FINISHED.labels(_outcome, _reason, _verdict.value)
for _result in ("sent", "failed", "refused", "dropped"):
    NOTIFICATIONS.labels(_result)
for _response in ("list", "watch"):
    OBJECTS_SKIPPED.labels(_response)
for _stage in ("redis", "plan", "act", "loop"):
    RECONCILE_ERRORS.labels(_stage)

BUILD = Info("build", "Version of the operator.", namespace=_PREFIX, registry=REGISTRY)
