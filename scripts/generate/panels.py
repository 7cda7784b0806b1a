"""Panels of the Grafana dashboard: what each shows, and its query.

Grafana's own JSON is mostly layout, which dashboard.py adds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from scripts.generate.queries import metric, of_leader, quantile, rate

_SHARD: Final = "reconstruction_dev_shard"  # a label that the pods of shards have; without shards no series has it
_GREEN, _AMBER, _RED, _BLUE = "green", "orange", "red", "blue"


@dataclass(frozen=True)
class Panel:
    """One panel.

    - `queries`: what a series is called -> its PromQL.
    - `steps`: (from this value on, colour), after the first colour.
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
    "Is it well": (
        _stat(
            "A leader exists",
            "Whether one of the operator's replicas holds the Lease and works, in each shard.",
            f"min(max by (job, namespace, {_SHARD}) ({metric('leader')}))",
            words=_YES,
        ),
        _stat("Redis answers", "As the leading replica sees it.", f"max({of_leader('redis_up')})", words=_YES),
        _stat(
            "API server answered",
            "Time since the API server last answered the leader's watch, which is renewed every minute.",
            f"max({of_leader('watch_age_seconds')})",
            unit="s",
            steps=((90, _AMBER), (300, _RED)),
        ),
        _stat(
            "Status is late by",
            "How long the oldest status write waits: what dashboards show of a job is that old.",
            f"max({of_leader('oldest_pending_write_seconds')})",
            unit="s",
            steps=((10, _AMBER), (60, _RED)),
        ),
        _stat(
            "Alerts",
            "Alerts of this operator that fire, as far as this Prometheus has its rules.",
            'count(ALERTS{alertname=~"Reconstruction.*", alertstate="firing"}) or vector(0)',
            steps=((1, _RED),),
        ),
        _stat(
            "Failed, last hour",
            "Share of the jobs that ended within the last hour and failed, for any reason.",
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
            "Queues in which messages wait and to which no live worker listens.",
            f"count({of_leader('queue_length_messages')} > 0"
            f" unless on (namespace, queue) {of_leader('workers')} > 0) or vector(0)",
            steps=((1, _RED),),
        ),
    ),
    "Throughput": (
        Panel(
            "Jobs by phase",
            "All ReconstructionJobs that exist. Each replica counts those of its shard: the highest is shown, and the sum of the shards'.",
            {"{{phase}}": f"sum by (phase) (max by (phase, job, namespace, {_SHARD}) ({metric('jobs')}))"},
            stacked=True,
        ),
        Panel(
            "Jobs finished per hour",
            "At the pace of the moment, by outcome.",
            {"{{outcome}}": f"3600 * sum by (outcome) ({rate('jobs_finished_total')})"},
            stacked=True,
        ),
        Panel(
            "Photos read per minute",
            "By the workers that are scraped, by model.",
            {"{{model}}": f"60 * sum by (model) ({rate('worker_images_total')})"},
        ),
    ),
    "Waiting": (
        Panel(
            "Jobs that wait or run, by queue",
            "Pending and Queued jobs wait; Running and Cancelling ones have a worker. Workers are scaled by their sum.",
            {
                "{{queue}} {{phase}}": (
                    f"sum by (queue, phase) "
                    f"(max by (queue, phase, job, namespace, {_SHARD}) ({metric('queue_jobs', _QUEUE)}))"
                )
            },
            stacked=True,
        ),
        Panel(
            "Wait for a worker",
            "From an attempt's dispatch to its start. Half of all attempts wait less than the first, one in ten longer than the second.",
            {
                "{{queue}} half": quantile(0.5, "queue_wait_seconds", "queue", _QUEUE),
                "{{queue}} 9 in 10": quantile(0.9, "queue_wait_seconds", "queue", _QUEUE),
            },
            unit="s",
        ),
        Panel(
            "Messages and workers",
            "Messages in Redis and workers that listen, by queue. Of the jobs that wait only a bounded part has a message.",
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
                "{{outcome}} half": quantile(0.5, "run_seconds", "outcome"),
                "{{outcome}} 9 in 10": quantile(0.9, "run_seconds", "outcome"),
            },
            unit="s",
        ),
        Panel(
            "Time in each step",
            "Mean, as the workers measured it, of steps that were completed.",
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
            "Mean number of attempts that jobs had used when they ended: 1 where nothing is tried again.",
            {"attempts": f"sum({rate('job_attempts_sum')}) / sum({rate('job_attempts_count')})"},
        ),
    ),
    "Cancels": (
        Panel(
            "Time to cancel",
            "From the confirmation to the end of everything that ran.",
            {"half": quantile(0.5, "cancel_seconds"), "9 in 10": quantile(0.9, "cancel_seconds")},
            unit="s",
            width=12,
        ),
        Panel(
            "Cancelled and cancelling",
            "Jobs that were cancelled per hour, and those whose cancel is under way.",
            {
                "cancelled per hour": f"3600 * sum({rate('jobs_finished_total', _CANCELLED)})",
                "cancelling now": f"sum(max by (job, namespace, {_SHARD}) ({metric('jobs', _CANCELLING)}))",
            },
            width=12,
        ),
    ),
    "Failures": (
        Panel(
            "Failed jobs per hour, by reason",
            "Reasons are explained in docs/reasons.md: most are about the photos, some about the machines.",
            {"{{reason}}": f"3600 * sum by (reason) ({rate('jobs_finished_total', _FAILED)}) > 0"},
            stacked=True,
        ),
        Panel(
            "Attempts that ended, by reason",
            "Per hour and as the workers saw it, with those that were tried again. Empty: they succeeded.",
            {"{{outcome}} {{reason}}": f"3600 * sum by (outcome, reason) ({rate('worker_attempts_total')})"},
            stacked=True,
        ),
        Panel(
            "What went wrong around them",
            "In the last hour: workers that went silent, restarts of Redis, batches that the broker did not take, failures of the loop.",
            {
                "lost workers": f"sum(increase({metric('lost_workers_total')}[1h]))",
                "Redis forgot": f"sum(increase({metric('redis_epochs_total')}[1h]))",
                "dispatch errors": f"sum(increase({metric('dispatch_errors_total')}[1h]))",
                "failures of the loop": f"sum(increase({metric('reconcile_errors_total')}[1h]))",
            },
        ),
    ),
    "Workers": (
        Panel(
            "Slots and what runs",
            "Of the workers that are scraped.",
            {
                "slots": f"sum({metric('worker_slots')})",
                "running": f"sum({metric('worker_running_attempts')})",
                "draining workers": f"sum({metric('worker_draining')})",
            },
        ),
        Panel(
            "Most memory of a model",
            "Highest since the worker's start, of all processes of one run together: what a pod's limit must leave room for.",
            {"{{model}}": f"max by (model) ({metric('worker_model_highest_memory_bytes')})"},
            unit="bytes",
        ),
        Panel(
            "Heartbeats that failed",
            "Per minute and worker: Redis did not answer a worker in the middle of a job.",
            {"{{instance}}": f"60 * {rate('worker_heartbeat_failures_total')}"},
        ),
        Panel(
            "Read and written",
            "Photos that were read and results that were published, bytes per second.",
            {
                "photos": f"sum({rate('worker_input_bytes_total')})",
                "results": f"sum({rate('worker_output_bytes_total')})",
            },
            unit="Bps",
            width=12,
        ),
        Panel(
            "Workers that have each model",
            "A job whose model no worker of its queue has fails with BACKEND_UNAVAILABLE.",
            {"{{model}}": f"sum by (model) ({metric('worker_model_available')})"},
            width=12,
        ),
    ),
    "The operator": (
        Panel(
            "Writes to the API server",
            "Per second, by kind, and the budget that the API server gets at present. At the budget progress waits.",
            {
                "{{kind}}": f"sum by (kind) ({rate('api_writes_total')})",
                "budget": f"sum({of_leader('write_budget')})",
            },
            unit="wps",
        ),
        Panel(
            "From a decision to its status",
            "Nine in ten statuses are stored within this time, by kind.",
            {"{{kind}}": quantile(0.9, "write_lag_seconds", "kind")},
            unit="s",
        ),
        Panel(
            "A round of the loop",
            "Time to observe, plan and act on one batch of jobs; and how late the event loop is.",
            {"9 in 10 rounds": quantile(0.9, "reconcile_seconds"), "lag": f"max({metric('loop_lag_seconds')})"},
            unit="s",
        ),
        Panel(
            "Memory",
            "Resident, of each replica.",
            {"{{instance}}": (f"process_resident_memory_bytes and on (job, namespace, instance) {metric('leader')}")},
            unit="bytes",
            width=12,
        ),
        Panel(
            "CPU",
            "Cores, of each replica.",
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
