"""Settings: one table. Each setting is read from the environment variable of its name.

To add a setting, add a field to `Settings` with its type, default, meaning, and further arguments of `section`.
docs/settings.md and the chart's schema are generated from `TABLE`.

`config.settings` holds the values in use, and `config.REDIS_STATE_DB` is short for `config.settings.REDIS_STATE_DB`.
The environment is read at the first access, so that a program can set other values before it (`config.use`).
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from reconstruction_operator import readers
from reconstruction_operator.readers import Grants, Names, Numbers, Pools, StageQueues
from reconstruction_operator.setting import BOTH, OPERATOR, WORKER, Setting, named, section

__all__ = ("BOTH", "CANCEL_TTL_SECONDS", "OPERATOR", "TABLE", "WORKER", "Setting", "Settings", "settings", "use")

CANCEL_TTL_SECONDS: Final = 3600  # of both cancel flags; part of the contract, not a setting

_ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104  # the kubelet and Prometheus connect from outside the pod
_MAX_PORT: Final = 65535

_redis = section("Redis: broker and results in DB 0, job state in DB 1", BOTH)
_redis_url = partial(_redis, unit="URL", read=readers.redis_url)
_traces = section("Traces", BOTH)
_protocol = section("The protocol", BOTH)
_storage = section("Object storage", WORKER, child=True)
_worker = section("The worker", WORKER, child=True)
_operator = section("The operator", OPERATOR)
_notifications = section("Notifications", OPERATOR)
_quota = partial(_operator, unit="NAMESPACE=NUMBER,…", read=readers.quotas)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The value of each setting. A field has the name of its environment variable."""

    CELERY_BROKER_URL: str = _redis_url("redis://localhost:6379/0", "broker, in which tasks wait")
    CELERY_RESULT_BACKEND: str = _redis_url(
        "redis://localhost:6379/0", "Celery's result backend, to which workers report progress"
    )
    REDIS_STATE_DB: str = _redis_url("redis://localhost:6379/1", "state of jobs: cancel flags, claims, ends")
    REDIS_KEY_PREFIX: str = _redis("", "prefix of every key, so that installations can share one Redis", unit="TEXT")
    REDIS_SENTINEL_MASTER: str = _redis("mymaster", "master that sentinel:// URLs ask for", unit="NAME")
    REDIS_SENTINEL_PASSWORD: str = _redis("", "password of the sentinels themselves", unit="TEXT")
    REDIS_TIMEOUT_SECONDS: float = _redis(3.0, "timeout of connecting to Redis, and of each reply", least=0.1)
    VISIBILITY_TIMEOUT_SECONDS: int = _redis(
        86400, "time after which Celery delivers an unacknowledged message again; must exceed the longest job", least=60
    )
    RESULT_EXPIRES_SECONDS: int = _redis(86400, "time after which Celery's results expire", least=60)

    OTEL_EXPORTER_OTLP_ENDPOINT: str = _traces(
        "",
        "collector of OTLP over HTTP, such as http://collector:4318; empty: no traces",
        unit="URL",
        read=readers.address,
    )
    OTEL_EXPORTER_OTLP_HEADERS: Names = _traces((), "headers sent to the collector", unit="NAME=VALUE,…")

    ALIVE_TTL_SECONDS: float = _protocol(10.0, "time after which a task's heartbeat expires", least=1.0, whose=WORKER)
    BEAT_SECONDS: float = _protocol(1.0, "interval of heartbeats, and of checks for a cancel", least=0.05, whose=WORKER)
    LOST_AFTER_SECONDS: float = _protocol(
        3.0,
        "time after a heartbeat has expired, after which its worker is lost and the job retried",
        least=0.5,
        whose=OPERATOR,
    )
    EPOCH_GRACE_SECONDS: float = _protocol(
        15.0, "time for live workers to register again after Redis lost its data", least=0.5, whose=OPERATOR
    )
    PROTOCOL_RETENTION_SECONDS: int = _protocol(
        604800, "time for which Redis keeps the details of ends, and what belongs to no job", least=3600
    )

    POOL_NAMESPACES: Pools = _protocol(
        (),
        "allowlist of namespaces by pool; * for all other pools, or for all namespaces; a pool without "
        "an entry is open to all",
        unit="POOL=NAMESPACE,…",
        read=readers.pools,
    )

    STORAGE_SCHEMES: Names = _storage(
        (),
        "kinds of object storage that jobs may name: s3, gs, az; the operator rejects the others at once; empty: none",
        whose=BOTH,
        read=readers.schemes,
    )
    STORAGE_STALL_SECONDS: float = _storage(
        60.0,
        "time without a byte from object storage after which a transfer has stalled; ten times that for uploads",
        least=1.0,
    )
    STORAGE_CA_FILE: str = _storage(
        "",
        "certificates of a private authority for object storage, in PEM, in addition to the system's",
        unit="FILE",
    )
    STORAGE_TRANSFERS: int = _storage(
        8, "objects that one job transfers at the same time", unit="NUMBER", least=1, most=64
    )

    JOBS_DIR: str = _worker("/jobs", "job folders: input, attempts and output of each job", unit="FOLDER")
    WORKER_POOLS: Names = _worker(
        ("celery",), "pools; the worker consumes <pool>-high, <pool>, <pool>-low and <pool>-parts of each"
    )
    WORKER_THREADS: int = _worker(0, "threads of a model process; 0: one for each CPU that it may use", unit="NUMBER")
    WORKER_PARTS: int = _worker(
        1,
        "workers that may make the long stages of a job together, if its spec.parts does not say; 1: its own alone",
        least=1,
        most=64,
    )
    WORKER_TTL_SECONDS: float = _worker(30.0, "time after which a worker's registration expires", least=1.0)
    DRAIN_SECONDS: float = _worker(20.0, "time for running jobs to end after SIGTERM")
    RECONSTRUCTION_SIMULATE: str = _worker(
        "unavailable",
        "a job whose model is not installed is simulated (unavailable), or fails (never)",
        choices=("unavailable", "never"),
    )
    PLACEHOLDER_STEP_SECONDS: float = _worker(2.0, "duration of each of the placeholder's six steps")
    MODEL_MEMORY_BYTES: int = _worker(0, "limit of a model process's resident memory; 0: no limit")
    STAGES_MAX_BYTES: int = _worker(
        17179869184,
        "limit of the finished stages that one job keeps for its next attempt, and of all that finished "
        "jobs keep for others; "
        "0: every attempt starts from the beginning",
    )
    KEEP_STAGES_SECONDS: int = _worker(
        86400,
        "time that a successful job's stages are kept, from which jobs with the same photos continue; 0: not kept",
    )
    INPUT_ROOTS: Names = _worker(
        ("/photos",),
        "folders of file:// inputs; with /photos=/mnt/nas, URIs name /photos and the worker reads /mnt/nas",
        unit="FOLDERS",
    )
    OUTPUT_ROOTS: Names = _worker((), "folders of file:// outputs; empty: none", unit="FOLDERS")
    INPUT_HTTPS_HOSTS: Names = _worker(
        (),
        "allowlist of hosts of https:// inputs, at public or private addresses; empty: all hosts at public addresses",
    )
    NAMESPACE_INPUTS: Grants = _worker(
        (),
        "allowlist of inputs by namespace: a folder, s3://bucket/folder/ or https://host/folder; * for all namespaces, "
        "{namespace} in the place; empty: no limit by namespace",
        unit="NAMESPACE=PLACE,…",
        read=partial(readers.grants, https=True),
    )
    NAMESPACE_OUTPUTS: Grants = _worker(
        (), "allowlist of outputs by namespace, as NAMESPACE_INPUTS", unit="NAMESPACE=PLACE,…", read=readers.grants
    )
    NAMESPACE_VOLUME_BYTES: Numbers = _worker(
        (),
        "limit of what a namespace's jobs take on the job volume, with retained results and kept stages; "
        "* for all other namespaces; empty or 0: no limit",
        unit="NAMESPACE=BYTES,…",
        read=readers.quotas,
    )
    NAMESPACE_IDENTITY: str = _worker(
        "uid",
        "what a namespace is known by when a job takes over results or stages of an earlier one: uid, so that nothing "
        "is left to a "
        "later namespace of the same name; or name, for restores from a backup, which give namespaces new uids",
        choices=("uid", "name"),
    )
    INPUT_MAX_BYTES: int = _worker(
        8589934592, "limit of one input, packed and unpacked, and of what is rewritten of it", least=1
    )
    INPUT_MAX_FILES: int = _worker(2000, "limit of the entries of one folder or archive", unit="NUMBER", least=1)
    IMAGE_MAX_PIXELS: int = _worker(150000000, "limit of one photo", least=1)
    IMAGE_MAX_SIDE: int = _worker(30000, "limit of the longer side of one photo", unit="PIXELS", least=1)
    DOWNLOAD_TIMEOUT_SECONDS: float = _worker(
        30.0, "timeout of connecting to the server of an https:// input, and of each read", least=0.1
    )
    WORKER_REMOTE_CONTROL: str = _worker(
        "off",
        "on: every account that may publish in the broker can command the workers by Celery's remote control, for "
        "example to shut down",
        choices=("off", "on"),
    )
    WORKER_METRICS_PORT: int = _worker(0, "port of a worker's /metrics; 0: none", most=_MAX_PORT)
    WORKER_PROBE_PORT: int = _worker(0, "port of a worker's /healthz; 0: none", most=_MAX_PORT)
    WORKER_METRICS_HOST: str = _worker(
        _ANY_ADDRESS,
        "address of a worker's two ports; the kubelet and Prometheus connect from outside the pod",
        unit="ADDRESS",
    )

    INSTALL_ID: str = _operator(
        "",
        "name of this installation in its jobs' status and in Redis; empty: derived from the cluster and the Lease",
        unit="TEXT",
    )
    OPERATOR_NAMESPACE: str = _operator("reconstruction-system", "namespace of the Lease", unit="NAME")
    WATCH_NAMESPACES: Names = _operator((), "namespaces to watch; empty: all")
    GALLERY_ADDRESS: str = _operator(
        "", "the gallery's URL, or service/NAME in the operator's namespace; published to all users", unit="ADDRESS"
    )
    LEASE_NAME: str = _operator("reconstruction-operator", "Lease that the replicas of one installation share")
    LEASE_SECONDS: float = _operator(10.0, "time without a renewal after which a leader is deposed", least=2.0)
    SWEEP_SECONDS: float = _operator(30.0, "interval of sweeps, which read all unfinished jobs from Redis", least=0.5)
    LIST_SECONDS: float = _operator(600.0, "interval of full lists of the jobs from the API server", least=1.0)
    ORPHANS_AT_ONCE: int = _operator(
        20, "limit of deleted jobs that one list may find; if it finds more, their files are kept", unit="NUMBER"
    )
    ORPHANS_SHARE: float = _operator(
        0.1, "the same limit as a share of all records, up to 1; the larger limit counts", unit="NUMBER", most=1.0
    )
    DELETION_POLICY: str = _operator(
        "Retain",
        "what becomes of the results in job folders when jobs without a spec.deletionPolicy are deleted",
        choices=("Retain", "Delete"),
    )
    RETAIN_SECONDS_AFTER_DELETION: int = _operator(
        604800,
        "time for which a result stays in the trash of the job volume, with the policy Retain",
        unit="SECONDS",
        least=1,
    )
    BATCH_SECONDS: float = _operator(
        0.02, "minimum time between two rounds of the loop; a change after a pause is planned at once"
    )
    PROGRESS_SECONDS: float = _operator(1.0, "debounce of a job's progress in its status")
    DISPATCH_WINDOW: int = _operator(100, "limit of the messages that wait in one queue", unit="NUMBER", least=1)
    DISPATCH_NAMESPACE_WINDOW: int = _operator(
        25, "limit of one namespace's messages in one queue, so that other namespaces get turns", unit="NUMBER", least=1
    )
    DISPATCH_TOTAL_WINDOW: int = _operator(
        1000, "limit of the messages that wait in all queues", unit="NUMBER", least=1
    )
    DISPATCH_TOTAL_BYTES: int = _operator(33554432, "the same limit as memory of Redis", least=1048576)
    DISPATCH_MEMORY_SHARE: float = _operator(
        0.75,
        "share of Redis's maxmemory above which no job is dispatched; the rest is reserved for "
        "cancels, stops and deletions",
        least=0.05,
        most=1.0,
    )
    NAMESPACE_MAX_RUNNING: Numbers = _quota(
        (),
        "limit of the jobs of a namespace that workers run or that are sent to them; * for all other namespaces; "
        "empty: no limit",
    )
    NAMESPACE_MAX_HIGH: Numbers = _quota((), "the same for jobs of priority high; 0: the priority is rejected")
    NAMESPACE_MAX_WAITING: Numbers = _quota((), "limit of the waiting jobs of a namespace; further jobs are rejected")
    RESEND_SECONDS: float = _operator(
        15.0,
        "interval of checks for lost messages; time after which a missing message is sent again",
        least=0.5,
    )
    POOL_STAGE_QUEUES: StageQueues = _operator(
        (),
        "queues of stages, by the pool of a job whose spec.stageQueues names none; queues that are not open to its "
        "namespace, and stages that its model lacks, do not count",
        unit="POOL/STAGE=QUEUE,…",
        read=readers.stage_queues,
    )
    STAGE_QUEUE_PATIENCE_SECONDS: float = _operator(
        300.0,
        "time for which a stage waits for a free worker of a queue that is not the job's own; then it runs on that",
        least=1.0,
    )
    PREFLIGHT_SECONDS: float = _operator(
        2.0, "time for which a job waits until a worker checks its input in advance; 0: never"
    )
    NOTIFICATIONS: Grants = _notifications(
        (),
        "address to which an event is sent when a job ends or needs a person, by namespace; * for all other "
        "namespaces; empty: none",
        unit="NAMESPACE=URL,…",
        read=readers.notified,
    )
    NOTIFICATION_HOSTS: Names = _notifications(
        (), "allowlist of the hosts of these addresses, at public or private addresses; others are refused"
    )
    NOTIFICATION_KEYS: str = _notifications(
        "",
        "folder with the keys that sign the events: a file for each namespace with an address of its own, and OTHERS; "
        "empty: they are not signed",
        unit="FOLDER",
    )
    NOTIFICATION_WAIT_SECONDS: float = _notifications(
        3600.0, "time after which a job that waits for a worker needs a person; 0: never"
    )
    NOTIFICATION_RETRY_SECONDS: float = _notifications(
        86400.0, "time for which an event is sent again until the receiver accepts it", least=1.0
    )
    BACKOFF_SECONDS: float = _operator(10.0, "backoff before the second attempt; doubles for each further one")
    BACKOFF_MAX_SECONDS: float = _operator(600.0, "limit of the backoff")
    METRICS_POOLS: Names = _operator(
        ("celery",), "pools whose queues have metrics before a worker has served them; other unserved queues are summed"
    )
    PROBE_HOST: str = _operator(
        _ANY_ADDRESS,
        "address of the operator's two ports; the kubelet and Prometheus connect from outside the pod",
        unit="ADDRESS",
    )
    PROBE_PORT: int = _operator(8081, "port of /healthz and /readyz; 0: any free port", most=_MAX_PORT)
    METRICS_PORT: int = _operator(8080, "port of /metrics; 0: any free port", most=_MAX_PORT)
    LOG_FORMAT: str = _operator(
        "json",
        "format of the logs of operator and workers: json for machines, text for people",
        choices=("json", "text"),
        whose=BOTH,
    )
    LOG_LEVEL: str = _operator(
        "INFO", "minimum level of logged messages", choices=("DEBUG", "INFO", "WARNING", "ERROR")
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings in `environ`; an empty variable means the default.

        Raises readers.InvalidSettingError if a variable has a value that its setting does not accept.
        """
        return cls(**{row.name: row.read(row.name, environ[row.name]) for row in TABLE if environ.get(row.name)})


TABLE: Final = tuple(named(one) for one in dataclasses.fields(Settings))

settings: Settings  # the values in use; absent until the first access


def use(values: Settings) -> None:
    """Set the values in use."""
    globals()["settings"] = values


def for_child() -> dict[str, Any]:
    """Return the values in use that the worker's child processes take over.

    The addresses of Redis hold passwords, and stay here.
    """
    values = sys.modules[__name__].settings
    return {row.name: getattr(values, row.name) for row in TABLE if row.child}


def use_in_child(values: Mapping[str, Any]) -> None:
    """Use these values, which `for_child` returned in the worker."""
    use(dataclasses.replace(sys.modules[__name__].settings, **values))


def __getattr__(name: str) -> Any:
    """Read `settings` at the first access; return the value of a setting by its name."""
    if name == "settings":
        use(Settings.from_environment(os.environ))
    elif name not in Settings.__dataclass_fields__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    this = sys.modules[__name__]
    return this.settings if name == "settings" else getattr(this.settings, name)
