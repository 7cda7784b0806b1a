"""`workers` and `models`: queues, live workers and models, as far as Kubernetes shows them.

The operator's metrics, read through the API server's proxy, have the number of live workers by queue. Without the right to read
them, only workers that run a job are visible, through the status of the job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from reconstruction_operator.kube import paths

from kubectl_recon.display.formats import Format, document
from kubectl_recon.display.screen import note, screen
from kubectl_recon.display.tables import Column, table
from kubectl_recon.errors import ForbiddenError
from kubectl_recon.installation import operator
from kubectl_recon.installation.metrics import Queue
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text, seconds_between
from kubectl_recon.kube.api import Connection

_URGENCIES: Final = ("-high", "-low")  # queues of priorities; the workers of the pool consume them too
_OTHERS: Final = "other"  # the operator's metrics sum up queues without a pool under this name


@dataclass(frozen=True)
class ModelUse:
    """The use of a model by the jobs that the user may see."""

    model: str
    queues: tuple[str, ...]
    running: int
    waiting: int
    succeeded: int
    failed: int
    simulated: int
    unavailable: int  # jobs that failed or wait because no worker of the queue has the model
    served: tuple[str, ...] = ()  # queues with live workers that have the model


@dataclass(frozen=True)
class Snapshot:
    """Jobs and operator, as far as the user may read them."""

    jobs: Sequence[Job]
    everywhere: bool  # whether the jobs are of all namespaces, not of one
    operator: operator.Operator


def workers(connection: Connection, how: Format | None) -> int:
    """Print the queues with their live workers, and what each worker runs. Exit code 0."""
    snapshot = _look(connection)
    queues = queues_of(snapshot)
    running = sorted(
        (job for job in snapshot.jobs if job.phase in ("Running", "Cancelling")), key=lambda job: job.worker
    )
    if how in (Format.JSON, Format.YAML):
        print(document(_document(snapshot, queues, running), how))  # noqa: T201  # the result
        return 0
    where, now = screen(), connection.api.now()
    columns: list[Column[Queue]] = [
        Column("QUEUE", lambda queue: queue.name),
        Column(
            "WORKERS",
            lambda queue: "?" if queue.workers is None else str(queue.workers),
            colour=lambda queue: "red" if queue.workers == 0 and queue.waiting else "",
        ),
        Column("RUNNING", lambda queue: str(queue.running)),
        Column("WAITING", lambda queue: str(queue.waiting)),
        Column("MODELS", lambda queue: ", ".join(queue.models), cut=True),
    ]
    visible = [queue for queue in queues if not queue.name.endswith(_URGENCIES) or queue.running or queue.waiting]
    for line in table(columns, visible, where) if visible else ["No queue has a worker or a job."]:
        where.print(line)
    if running:
        where.print()
        busy: list[Column[Job]] = [
            Column("WORKER", lambda job: job.worker, cut=True),
            Column("JOB", lambda job: f"{job.namespace}/{job.name}", cut=True),
            Column("MODEL", lambda job: job.model, drop=2),
            Column("QUEUE", lambda job: job.full_queue, drop=3),
            Column("DONE", lambda job: job.done),
            Column("FOR", lambda job: duration_text(seconds_between(job.condition("Running").since, now))),
            Column("STEP", lambda job: job.step, drop=1, cut=True),
        ]
        for line in table(busy, running, where):
            where.print(line)
    _limits(connection, snapshot)
    return 0


def models(connection: Connection, how: Format | None) -> int:
    """Print the models of jobs, and the outcomes of these jobs. Exit code 0."""
    snapshot = _look(connection)
    queues = snapshot.operator.metrics.queues if snapshot.operator.metrics is not None else ()
    uses = model_uses(snapshot.jobs, queues)
    if how in (Format.JSON, Format.YAML):
        print(document({"models": [asdict(use) for use in uses], "everywhere": snapshot.everywhere}, how))  # noqa: T201  # the result
        return 0
    where = screen()
    columns: list[Column[ModelUse]] = [
        Column("MODEL", lambda use: use.model),
        Column("RUNNING", lambda use: str(use.running)),
        Column("WAITING", lambda use: str(use.waiting)),
        Column("SUCCEEDED", lambda use: str(use.succeeded)),
        Column("FAILED", lambda use: str(use.failed)),
        Column("NOTE", _model_note, cut=True, colour=lambda use: "red" if use.unavailable else "yellow"),
        Column("JOBS IN QUEUES", lambda use: ", ".join(use.queues), drop=2, cut=True),
        Column("WORKERS IN QUEUES", lambda use: ", ".join(use.served), drop=1, cut=True),
    ]
    for line in table(columns, uses, where) if uses else ["No job uses a model, and no live worker announces one."]:
        where.print(line)
    if snapshot.operator.metrics is None:
        note(
            f"Only models of jobs are shown. The models of live workers are unknown: {snapshot.operator.metrics_refused}."
        )
    if not snapshot.everywhere:
        note(f"You may see only the jobs of namespace {connection.namespace}.")
    return 0


def queues_of(snapshot: Snapshot) -> list[Queue]:
    """Return the queues in the operator's metrics, and the other queues of jobs, whose number of workers is unknown."""
    measured = snapshot.operator.metrics.queues if snapshot.operator.metrics is not None else ()
    pools = [queue for queue in measured if queue.name != _OTHERS]
    names = {queue.name for queue in pools}
    return sorted(
        [*pools, *(queue for queue in _of_jobs(snapshot) if queue.name not in names)], key=lambda queue: queue.name
    )


def _of_jobs(snapshot: Snapshot) -> list[Queue]:
    """Return the queues of unfinished jobs. The status of a job may show that no worker consumes its queue."""
    running = Counter(job.full_queue for job in snapshot.jobs if job.phase in ("Running", "Cancelling"))
    waiting = Counter(job.full_queue for job in snapshot.jobs if job.phase in ("Pending", "Queued"))
    unserved = {
        job.full_queue for job in snapshot.jobs if job.condition("Dispatched").reason in ("QueueUnserved", "NoWorker")
    }
    return [
        Queue(name, 0 if name in unserved and not running[name] else None, None, waiting[name], running[name])
        for name in sorted({*running, *waiting})
    ]


def model_uses(jobs: Sequence[Job], queues: Sequence[Queue]) -> list[ModelUse]:
    """Return the models of the jobs, the most used first, and then the other models of live workers."""
    pools = [queue for queue in queues if not queue.name.endswith(_URGENCIES)]
    names = [name for name, _ in Counter(job.model for job in jobs).most_common()]
    others = sorted({model for queue in pools for model in queue.models} - {*names})
    return [
        _use(name, [job for job in jobs if job.model == name], [queue.name for queue in pools if name in queue.models])
        for name in (*names, *others)
    ]


def _use(name: str, jobs: Sequence[Job], served: Sequence[str]) -> ModelUse:
    phases, lacking = Counter(job.phase for job in jobs), ("BACKEND_UNAVAILABLE", "ModelUnserved")
    return ModelUse(
        name,
        tuple(sorted({job.queue for job in jobs})),
        phases["Running"] + phases["Cancelling"],
        phases["Pending"] + phases["Queued"] + phases[""],
        phases["Succeeded"],
        phases["Failed"],
        sum(1 for job in jobs if job.simulated),
        sum(job.failure_reason in lacking or job.condition("Dispatched").reason in lacking for job in jobs),
        tuple(served),
    )


def _model_note(use: ModelUse) -> str:
    if use.unavailable:
        return f"not installed for {use.unavailable} jobs"
    return f"{use.simulated} results simulated" if use.simulated else ""


def _look(connection: Connection) -> Snapshot:
    jobs, everywhere = _jobs(connection)
    return Snapshot(jobs, everywhere, operator.look(connection.api, jobs))


def _jobs(connection: Connection) -> tuple[list[Job], bool]:
    """Return the jobs of all namespaces, or of the connection's namespace if the user may not list all; and whether all were listed."""
    try:
        bodies = connection.api.items(paths.jobs(None))
    except ForbiddenError:
        bodies = connection.api.items(paths.jobs(connection.namespace))
        return [Job(body) for body in bodies], False
    return [Job(body) for body in bodies], True


def _document(snapshot: Snapshot, queues: Sequence[Queue], running: Sequence[Job]) -> dict[str, Any]:
    return {
        "queues": [asdict(queue) for queue in queues],
        "running": [
            {
                "worker": job.worker,
                "namespace": job.namespace,
                "job": job.name,
                "model": job.model,
                "queue": job.full_queue,
                "percent": job.percent,
                "step": job.step,
            }
            for job in running
        ],
        "everywhere": snapshot.everywhere,
        "metrics": snapshot.operator.metrics is not None,
        "metricsRefused": snapshot.operator.metrics_refused,
    }


def _limits(connection: Connection, snapshot: Snapshot) -> None:
    """Print what the user may not see, and why."""
    if snapshot.operator.metrics is None:
        note(
            f"Live workers are not counted: {snapshot.operator.metrics_refused}. Only workers that run a job visible to you are shown."
        )
    if not snapshot.everywhere:
        note(f"You may see only the jobs of namespace {connection.namespace}.")
