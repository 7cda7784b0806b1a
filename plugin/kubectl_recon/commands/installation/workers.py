"""`workers` and `models`: queues, live workers and models, as the operator publishes them, and the jobs that the user
may see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from reconstruction_operator.api.verdict import Verdict
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.installation import Installation

from kubectl_recon.display.formats import Format, document
from kubectl_recon.display.screen import note, screen
from kubectl_recon.display.tables import Column, table
from kubectl_recon.installation import published
from kubectl_recon.jobs.job import Job
from kubectl_recon.jobs.times import duration_text, seconds_between
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import visible

_SHOWN: Final = ("worker", "namespace", "model", "percent", "step")  # of a running job
_URGENCIES: Final = ("-high", "-low")  # queues of priorities; the workers of the pool consume them too


@dataclass(frozen=True)
class Queue:
    """A Celery queue. `workers`: None if they are unknown. `waiting`, `running`: jobs that the user may see."""

    name: str
    workers: int | None = None
    waiting: int = 0
    running: int = 0
    models: tuple[str, ...] = ()  # that its live workers announce


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
    versions: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()  # names


@dataclass(frozen=True)
class Snapshot:
    """The jobs that the user may see, and the installation."""

    jobs: Sequence[Job]
    limit: str  # why the jobs are not of all namespaces; empty if they are
    installation: Installation


def workers(connection: Connection, how: Format | None) -> int:
    """Print the queues with their live workers, and what each worker runs. Exit code 0."""
    snapshot = _read_snapshot(connection)
    queues = queues_of(snapshot)
    running = sorted(
        (job for job in snapshot.jobs if job.phase in ("Running", "Cancelling")), key=lambda job: job.worker
    )
    if how in (Format.JSON, Format.YAML):
        print(document(_document(snapshot, queues, running), how))  # noqa: T201  # the result
        return 0
    where = screen()
    now = connection.api.now()
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
            Column("PARTS", lambda job: job.parts, drop=4),
            Column("FOR", lambda job: duration_text(seconds_between(job.condition("Running").since, now))),
            Column("STEP", lambda job: job.step, drop=1, cut=True),
        ]
        for line in table(busy, running, where):
            where.print(line)
    _limits(connection, snapshot)
    return 0


def models(connection: Connection, how: Format | None) -> int:
    """Print the models of jobs, and the outcomes of these jobs. Exit code 0."""
    snapshot = _read_snapshot(connection)
    uses = model_uses(snapshot.jobs, snapshot.installation)
    if how in (Format.JSON, Format.YAML):
        print(document({"models": [asdict(use) for use in uses], "everywhere": not snapshot.limit}, how))  # noqa: T201  # the result
        return 0
    where = screen()
    columns: list[Column[ModelUse]] = [
        Column("MODEL", lambda use: use.model),
        Column("VERSION", lambda use: ", ".join(use.versions)),
        Column("RUNNING", lambda use: str(use.running)),
        Column("WAITING", lambda use: str(use.waiting)),
        Column("SUCCEEDED", lambda use: str(use.succeeded)),
        Column("FAILED", lambda use: str(use.failed)),
        Column("NOTE", _model_note, cut=True, colour=lambda use: "red" if use.unavailable else "yellow"),
        Column("JOBS IN QUEUES", lambda use: ", ".join(use.queues), drop=2, cut=True),
        Column("WORKERS IN QUEUES", lambda use: ", ".join(use.served), drop=1, cut=True),
        Column("PARAMETERS", lambda use: ", ".join(use.parameters), drop=3, cut=True),
    ]
    for line in table(columns, uses, where) if uses else ["No job uses a model, and no live worker announces one."]:
        where.print(line)
    _limits(connection, snapshot)
    return 0


def queues_of(snapshot: Snapshot) -> list[Queue]:
    """Return the queues with live workers or unfinished jobs."""
    installation, jobs = snapshot.installation, snapshot.jobs
    running = Counter(job.full_queue for job in jobs if job.phase in ("Running", "Cancelling"))
    waiting = Counter(job.full_queue for job in jobs if job.phase in ("", "Pending", "Queued"))
    return [
        Queue(
            name,
            installation.workers(name),
            waiting[name],
            running[name],
            tuple(sorted({model for models in installation.models(name) for model in models})),
        )
        for name in sorted({*running, *waiting, *installation.queues})
    ]


def model_uses(jobs: Sequence[Job], installation: Installation) -> list[ModelUse]:
    """Return the models of the jobs, the most used first, and then the other models of live workers."""
    served: dict[str, dict[str, list[ModelInfo]]] = {}  # by model and queue
    for queue in installation.served:
        for models in installation.models(queue):
            for name, info in models.items():
                served.setdefault(name, {}).setdefault(queue, []).append(info)
    names = [name for name, _ in Counter(job.model for job in jobs).most_common()]
    return [
        _use(name, [job for job in jobs if job.model == name], served.get(name, {}))
        for name in (*names, *sorted({*served} - {*names}))
    ]


def _use(name: str, jobs: Sequence[Job], served: Mapping[str, Sequence[ModelInfo]]) -> ModelUse:
    phases, lacking = Counter(job.phase for job in jobs), ("BACKEND_UNAVAILABLE", "ModelUnserved")
    infos = [info for of_queue in served.values() for info in of_queue]
    return ModelUse(
        name,
        tuple(sorted({job.queue for job in jobs})),
        phases["Running"] + phases["Cancelling"],
        phases["Pending"] + phases["Queued"] + phases[""],
        phases["Succeeded"],
        phases["Failed"],
        sum(job.verdict == Verdict.SIMULATED for job in jobs),
        sum(job.failure_reason in lacking or job.condition("Dispatched").reason in lacking for job in jobs),
        tuple(served),
        tuple(sorted({info.version for info in infos} - {""})),
        tuple(sorted({key for info in infos for key in (info.parameters or {}).get("properties", {})})),
    )


def _model_note(use: ModelUse) -> str:
    if use.unavailable:
        return f"not installed for {use.unavailable} jobs"
    return f"{use.simulated} results simulated" if use.simulated else ""


def _read_snapshot(connection: Connection) -> Snapshot:
    jobs, limit = visible(connection)
    return Snapshot(jobs, limit, published.read(connection.api, jobs))


def _document(snapshot: Snapshot, queues: Sequence[Queue], running: Sequence[Job]) -> dict[str, Any]:
    return {
        "queues": [asdict(queue) for queue in queues],
        "running": [
            {name: getattr(job, name) for name in _SHOWN} | {"job": job.name, "queue": job.full_queue}
            for job in running
        ],
        "everywhere": not snapshot.limit,
        "unknown": snapshot.installation.missing,
    }


def _limits(connection: Connection, snapshot: Snapshot) -> None:
    """Print what is unknown or outdated, and why."""
    if text := snapshot.installation.missing or snapshot.installation.away(connection.api.now()):
        note(f"Live workers and their models are unknown or outdated: {text}.")
    if snapshot.limit:
        note(snapshot.limit)
