"""Panels of the Grafana dashboard: titles, descriptions and queries.

dashboard.py adds the layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from scripts.generate.queries import metric, of_leader, quantile, rate

_GREEN, _AMBER, _RED, _BLUE = "green", "orange", "red", "blue"


@dataclass(frozen=True)
class Panel:
    """One panel.

    - `queries`: legend -> PromQL.
    - `steps`: (lowest value, colour), after `first_colour`.
    - `words`: value -> (text, colour).
    """

    title: str
    text: str
    queries: Mapping[str, str]
    unit: str = "short"
    width: int = 8
    height: int = 7
    kind: str = "timeseries"
    stacked: bool = False
    steps: Sequence[tuple[float, str]] = ()
    first_colour: str = _GREEN
    words: dict[str, tuple[str, str]] = field(default_factory=dict)


def _stat(title: str, text: str, expression: str, **options: Any) -> Panel:
    return Panel(title, text, {"": expression}, kind="stat", width=3, height=4, **options)


_QUEUE: Final = 'queue=~"$queue"'
_FAILED: Final = 'outcome="Failed"'
_CANCELLED: Final = 'outcome="Cancelled"'
_CANCELLING: Final = 'phase="Cancelling"'
_YES: Final = {"1": ("yes", _GREEN), "0": ("no", _RED)}

ROWS: Final[Mapping[str, Sequence[Panel]]] = {
    "Health": (
        _stat(
            "Leader elected",
            "Whether a replica of the operator holds the Lease and works.",
            f"min(max by (job, namespace) ({metric('leader')}))",
            words=_YES,
        ),
        _stat("Redis reachable", "As the leading replica observes it.", f"max({of_leader('redis_up')})", words=_YES),
        _stat(
            "API server last answered",
            "Time since the API server last answered the leader's watch, which is renewed every minute.",
            f"max({of_leader('watch_age_seconds')})",
            unit="s",
            steps=((90, _AMBER), (300, _RED)),
        ),
        _stat(
            "Status delay",
            "How long the oldest status write waits: the age of what dashboards show of a job.",
            f"max({of_leader('oldest_pending_write_seconds')})",
            unit="s",
            steps=((10, _AMBER), (60, _RED)),
        ),
        _stat(
            "Alerts",
            "Firing alerts of this operator, if this Prometheus has its rules.",
            'count(ALERTS{alertname=~"Reconstruction.*", alertstate="firing"}) or vector(0)',
            steps=((1, _RED),),
        ),
        _stat(
            "Failed, last hour",
            "Share of failed jobs among those that finished in the last hour.",
            f"sum(increase({metric('jobs_finished_total', _FAILED)}[1h]))"
            f" / clamp_min(sum(increase({metric('jobs_finished_total')}[1h])), 1)",
            unit="percentunit",
            steps=((0.1, _AMBER), (0.5, _RED)),
        ),
        _stat(
            "Workers busy",
            "Share of the workers' slots that run a job.",
            f"sum({metric('worker_running_attempts')}) / sum({metric('worker_slots')})",
            unit="percentunit",
            first_colour=_BLUE,
        ),
        _stat(
            "Queues without workers",
            "Queues with waiting messages and without a live worker.",
            f"count({of_leader('queue_length_messages')} > 0"
            f" unless on (namespace, queue) {of_leader('workers')} > 0) or vector(0)",
            steps=((1, _RED),),
        ),
    ),
    "Throughput": (
        Panel(
            "Jobs by phase",
            "All existing ReconstructionJobs. Each replica counts them; shown is the highest count.",
            {"{{phase}}": f"sum by (phase) (max by (phase, job, namespace) ({metric('jobs')}))"},
            stacked=True,
        ),
        Panel(
            "Jobs finished per hour",
            "At the current rate, by outcome.",
            {"{{outcome}}": f"3600 * sum by (outcome) ({rate('jobs_finished_total')})"},
            stacked=True,
        ),
        Panel(
            "Photos read per minute",
            "By the scraped workers, by model.",
            {"{{model}}": f"60 * sum by (model) ({rate('worker_images_total')})"},
        ),
    ),
    "Waiting": (
        Panel(
            "Waiting and running jobs, by queue",
            "Pending and Queued jobs wait; Running and Cancelling jobs have a worker. Autoscaling of workers uses the sum.",
            {
                "{{queue}} {{phase}}": (
                    f"sum by (queue, phase) (max by (queue, phase, job, namespace) ({metric('queue_jobs', _QUEUE)}))"
                )
            },
            stacked=True,
        ),
        Panel(
            "Wait for a worker",
            "From an attempt's dispatch to its start: the median, and the time that nine in ten attempts do not exceed.",
            {
                "{{queue}} median": quantile(0.5, "queue_wait_seconds", "queue", _QUEUE),
                "{{queue}} 9 in 10": quantile(0.9, "queue_wait_seconds", "queue", _QUEUE),
            },
            unit="s",
        ),
        Panel(
            "Messages and workers",
            "Messages in Redis and listening workers, by queue. Only a limited number of the waiting jobs has a message.",
            {
                "{{queue}} messages": f"max by (queue) ({of_leader('queue_length_messages', _QUEUE)})",
                "{{queue}} workers": f"max by (queue) ({of_leader('workers', _QUEUE)})",
            },
        ),
    ),
    "Durations": (
        Panel(
            "Run time of jobs",
            "From the first start to the end, by outcome.",
            {
                "{{outcome}} median": quantile(0.5, "run_seconds", "outcome"),
                "{{outcome}} 9 in 10": quantile(0.9, "run_seconds", "outcome"),
            },
            unit="s",
        ),
        Panel(
            "Time in each step",
            "Mean over completed steps, as the workers measured it.",
            {
                "{{step}}": (
                    f"sum by (step) ({rate('worker_step_seconds_sum')})"
                    f" / sum by (step) ({rate('worker_step_seconds_count')})"
                )
            },
            unit="s",
            stacked=True,
        ),
        Panel(
            "Attempts of a job",
            "Mean number of attempts of finished jobs: 1 without retries.",
            {"attempts": f"sum({rate('job_attempts_sum')}) / sum({rate('job_attempts_count')})"},
        ),
    ),
    "Cancels": (
        Panel(
            "Time to cancel",
            "From the confirmation until everything has stopped.",
            {"median": quantile(0.5, "cancel_seconds"), "9 in 10": quantile(0.9, "cancel_seconds")},
            unit="s",
            width=12,
        ),
        Panel(
            "Cancelled and cancelling",
            "Jobs cancelled per hour, and jobs that are being cancelled.",
            {
                "cancelled per hour": f"3600 * sum({rate('jobs_finished_total', _CANCELLED)})",
                "cancelling now": f"sum(max by (job, namespace) ({metric('jobs', _CANCELLING)}))",
            },
            width=12,
        ),
    ),
    "Failures": (
        Panel(
            "Failed jobs per hour, by reason",
            "docs/reasons.md explains the reasons: most are about the photos, some about the machines.",
            {"{{reason}}": f"3600 * sum by (reason) ({rate('jobs_finished_total', _FAILED)}) > 0"},
            stacked=True,
        ),
        Panel(
            "Finished attempts, by reason",
            "Per hour, as the workers reported them, retried ones included. An empty reason means success.",
            {"{{outcome}} {{reason}}": f"3600 * sum by (outcome, reason) ({rate('worker_attempts_total')})"},
            stacked=True,
        ),
        Panel(
            "Infrastructure errors",
            "In the last hour: lost workers, losses of data in Redis, batches that the broker did not accept, errors of the loop.",
            {
                "lost workers": f"sum(increase({metric('lost_workers_total')}[1h]))",
                "Redis lost data": f"sum(increase({metric('redis_epochs_total')}[1h]))",
                "dispatch errors": f"sum(increase({metric('dispatch_errors_total')}[1h]))",
                "errors of the loop": f"sum(increase({metric('reconcile_errors_total')}[1h]))",
            },
        ),
    ),
    "Workers": (
        Panel(
            "Slots and running attempts",
            "Of the scraped workers.",
            {
                "slots": f"sum({metric('worker_slots')})",
                "running": f"sum({metric('worker_running_attempts')})",
                "draining workers": f"sum({metric('worker_draining')})",
            },
        ),
        Panel(
            "Peak memory of a model",
            "Highest since the worker's start, over all processes of one run: a pod's limit must allow it.",
            {"{{model}}": f"max by (model) ({metric('worker_model_highest_memory_bytes')})"},
            unit="bytes",
        ),
        Panel(
            "Failed heartbeats",
            "Per minute and worker: Redis did not answer a worker during a job.",
            {"{{instance}}": f"60 * {rate('worker_heartbeat_failures_total')}"},
        ),
        Panel(
            "Read and written",
            "Photos read and results published, in bytes per second.",
            {
                "photos": f"sum({rate('worker_input_bytes_total')})",
                "results": f"sum({rate('worker_output_bytes_total')})",
            },
            unit="Bps",
            width=12,
        ),
        Panel(
            "Workers by model",
            "Without a worker of its queue that has its model, a job fails with BACKEND_UNAVAILABLE.",
            {"{{model}}": f"sum by (model) ({metric('worker_model_available')})"},
            width=12,
        ),
    ),
    "The operator": (
        Panel(
            "Writes to the API server",
            "Per second, by kind.",
            {"{{kind}}": f"sum by (kind) ({rate('api_writes_total')})"},
            unit="wps",
        ),
        Panel(
            "From a decision to its status",
            "The time within which nine in ten statuses are stored, by kind.",
            {"{{kind}}": quantile(0.9, "write_lag_seconds", "kind")},
            unit="s",
        ),
        Panel(
            "A round of the loop",
            "Duration of one batch (observe, plan, act), and the lag of the event loop.",
            {"9 in 10 rounds": quantile(0.9, "reconcile_seconds"), "lag": f"max({metric('loop_lag_seconds')})"},
            unit="s",
        ),
        Panel(
            "Memory",
            "Resident memory of each replica.",
            {"{{instance}}": (f"process_resident_memory_bytes and on (job, namespace, instance) {metric('leader')}")},
            unit="bytes",
            width=12,
        ),
        Panel(
            "CPU",
            "Cores used by each replica.",
            {
                "{{instance}}": (
                    "rate(process_cpu_seconds_total[$__rate_interval]) and on (job, namespace, instance)"
                    f" {metric('leader')}"
                )
            },
            width=12,
        ),
    ),
}
