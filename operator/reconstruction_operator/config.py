"""Settings: one table. Each setting is read from the environment variable of its name.

To add a setting, add a field to `Settings`: its type, default, unit, meaning, reader. Flags and `--help`,
docs/settings.md and the chart's schema are generated from `TABLE`.

`config.settings` holds the values in use, and `config.REDIS_STATE_DB` is short for `config.settings.REDIS_STATE_DB`. The
environment is read at the first access, so that a program can set other values before (`config.use`).
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

CANCEL_TTL_SECONDS: Final = 3600  # of both cancel flags; part of the contract, not a setting


class InvalidSettingError(ValueError):
    """An environment variable has a value that its setting does not accept."""


Reader = Callable[[str, str], Any]  # from a variable's name and text to the value; raises InvalidSettingError


def _text(_name: str, text: str) -> str:
    return text


def _number(minimum: float = 0.0) -> Reader:
    def read(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise InvalidSettingError(f"{name}={text!r} is not a number") from None
        if not minimum <= value < float("inf"):
            raise InvalidSettingError(f"{name}={text!r} must be at least {minimum:g}")
        return value

    return read


def _integer(minimum: int = 0) -> Reader:
    number = _number(minimum)

    def read(name: str, text: str) -> int:
        value: float = number(name, text)
        if value != int(value):
            raise InvalidSettingError(f"{name}={value:g} must be a whole number")
        return int(value)

    return read


@dataclasses.dataclass(frozen=True)
class _Choice:
    """Reads one of a few words."""

    allowed: tuple[str, ...]

    def __call__(self, name: str, text: str) -> str:
        if text not in self.allowed:
            raise InvalidSettingError(f"{name}={text!r} must be one of {', '.join(self.allowed)}")
        return text


def _address(name: str, text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise InvalidSettingError(f"{name} must begin with http:// or https://")
    return text


def _names(_name: str, text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


_NAMESPACE = re.compile(r"\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_FOLDER = re.compile(r"/[^\x00-\x1f\x7f]+")
_HTTPS_FOLDER = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\x00-\x20\x7f?#]*)?")


def _grants(*, https: bool = False) -> Reader:
    def read(name: str, text: str) -> tuple[tuple[str, str], ...]:
        entries = []
        for entry in _names(name, text):
            namespace, _, prefix = entry.partition("=")
            plain = prefix.replace("{namespace}", "x")
            if not _NAMESPACE.fullmatch(namespace):
                raise InvalidSettingError(f"{name}: {entry!r} does not begin with a namespace, or *, and =")
            if not (_FOLDER.fullmatch(plain) or (https and _HTTPS_FOLDER.fullmatch(plain))):
                places = "a folder (/photos/maps)" + (" or an address (https://host/maps)" if https else "")
                raise InvalidSettingError(f"{name}: {entry!r} does not end in {places}")
            if ".." in plain.split("/") or "{" in plain or "}" in plain:
                raise InvalidSettingError(f"{name}: {entry!r} holds '..', or braces that are not {{namespace}}")
            entries.append((namespace, prefix))
        return tuple(entries)

    return read


class Setting(NamedTuple):
    """One row of the table."""

    name: str  # of the environment variable
    default: str  # as the variable would hold it
    unit: str  # URL, SECONDS, BYTES, NAMES, ...; the placeholder in `--help`
    meaning: str
    read: Reader
    section: str
    whose: str  # OPERATOR, WORKER or BOTH
    secret: bool  # has no flag: every user of a machine can read its command lines

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it accepts, if it accepts only some."""
        return self.read.allowed if isinstance(self.read, _Choice) else ()


BOTH: Final = "operator and worker"
OPERATOR: Final = "operator"
WORKER: Final = "worker"


def _section(title: str, whose: str) -> Callable[..., Any]:
    """What makes the fields of a section. A field's name is added in `TABLE`."""

    def field(
        default: str, unit: str, meaning: str, read: Reader = _text, *, whose: str = whose, secret: bool = False
    ) -> Any:
        row = Setting("", default, unit, meaning, read, title, whose, secret)
        return dataclasses.field(default=read("default", default), metadata={"row": row})

    return field


_redis = _section("Redis: broker and results in DB 0, job state in DB 1", BOTH)
_traces = _section("Traces", BOTH)
_protocol = _section("The protocol", BOTH)
_worker = _section("The worker", WORKER)
_operator = _section("The operator", OPERATOR)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The value of each setting. A field has the name of its environment variable."""

    CELERY_BROKER_URL: str = _redis("redis://localhost:6379/0", "URL", "broker, in which tasks wait")
    CELERY_RESULT_BACKEND: str = _redis(
        "redis://localhost:6379/0", "URL", "Celery's result backend, to which workers report progress"
    )
    REDIS_STATE_DB: str = _redis("redis://localhost:6379/1", "URL", "state of jobs: cancel flags, claims, ends")
    REDIS_KEY_PREFIX: str = _redis("", "TEXT", "prefix of every key, so that installations can share one Redis")
    REDIS_SENTINEL_MASTER: str = _redis("mymaster", "NAME", "master that sentinel:// URLs ask for")
    REDIS_SENTINEL_PASSWORD: str = _redis("", "TEXT", "password of the sentinels themselves", secret=True)
    REDIS_TIMEOUT_SECONDS: float = _redis(
        "3.0", "SECONDS", "timeout of connecting to Redis, and of each reply", _number(0.1)
    )
    VISIBILITY_TIMEOUT_SECONDS: int = _redis(
        "86400",
        "SECONDS",
        "time after which Celery delivers an unacknowledged message again; must exceed the longest job",
        _integer(60),
    )
    RESULT_EXPIRES_SECONDS: int = _redis("86400", "SECONDS", "time after which Celery's results expire", _integer(60))

    OTEL_EXPORTER_OTLP_ENDPOINT: str = _traces(
        "", "URL", "collector that accepts OTLP over HTTP, such as http://collector:4318; empty: no traces", _address
    )
    OTEL_EXPORTER_OTLP_HEADERS: tuple[str, ...] = _traces(
        "", "NAME=VALUE,…", "headers sent to the collector", _names, secret=True
    )

    ALIVE_TTL_SECONDS: float = _protocol(
        "10.0", "SECONDS", "time after which a worker's heartbeat for a task expires", _number(1.0), whose=WORKER
    )
    BEAT_SECONDS: float = _protocol(
        "1.0",
        "SECONDS",
        "interval of heartbeats; a worker notices a cancel within this time",
        _number(0.05),
        whose=WORKER,
    )
    LOST_AFTER_SECONDS: float = _protocol(
        "10.0",
        "SECONDS",
        "time without a heartbeat after which a worker is lost, and its job retried",
        _number(0.5),
        whose=OPERATOR,
    )
    EPOCH_GRACE_SECONDS: float = _protocol(
        "15.0",
        "SECONDS",
        "time for live workers to register again after Redis lost its data",
        _number(0.5),
        whose=OPERATOR,
    )
    PROTOCOL_RETENTION_SECONDS: int = _protocol(
        "604800", "SECONDS", "time for which Redis keeps claims and ends", _integer(3600)
    )

    JOBS_DIR: str = _worker("/jobs", "FOLDER", "job folders: input, attempts and output of each job")
    WORKER_POOLS: tuple[str, ...] = _worker(
        "celery", "NAMES", "pools; the worker consumes <pool>-high, <pool> and <pool>-low of each", _names
    )
    WORKER_THREADS: int = _worker(
        "0", "NUMBER", "threads of a model process; 0: as many as the CPUs that it may use", _integer()
    )
    WORKER_TTL_SECONDS: float = _worker(
        "30.0", "SECONDS", "time after which a worker's registration expires", _number(1.0)
    )
    DRAIN_SECONDS: float = _worker("20.0", "SECONDS", "time that a running job has to end after SIGTERM", _number())
    RECONSTRUCTION_SIMULATE: str = _worker(
        "unavailable",
        "CHOICE",
        "what happens to a job whose model is not installed: it is simulated (unavailable), or it fails (never)",
        _Choice(("unavailable", "never")),
    )
    PLACEHOLDER_STEP_SECONDS: float = _worker(
        "2.0", "SECONDS", "duration of each of the placeholder's six steps", _number()
    )
    MODEL_MEMORY_BYTES: int = _worker(
        "0", "BYTES", "limit of a model process's resident memory; 0: no limit", _integer()
    )
    INPUT_ROOTS: tuple[str, ...] = _worker(
        "/photos",
        "FOLDERS",
        "folders that file:// inputs may lie in; /photos=/mnt/nas reads from /mnt/nas what URIs call /photos",
        _names,
    )
    OUTPUT_ROOTS: tuple[str, ...] = _worker(
        "", "FOLDERS", "folders that file:// outputs may lie in; empty: none are allowed", _names
    )
    INPUT_HTTPS_HOSTS: tuple[str, ...] = _worker(
        "",
        "NAMES",
        "allowlist of hosts of https:// inputs, at public or private addresses; empty: all hosts at public addresses",
        _names,
    )
    NAMESPACE_INPUTS: tuple[tuple[str, str], ...] = _worker(
        "",
        "NAMESPACE=PLACE,…",
        "allowlist of inputs by namespace: a folder or https://host/folder; * for all namespaces, {namespace} in the place; empty: no limit by namespace",
        _grants(https=True),
    )
    NAMESPACE_OUTPUTS: tuple[tuple[str, str], ...] = _worker(
        "", "NAMESPACE=FOLDER,…", "allowlist of outputs by namespace, as NAMESPACE_INPUTS", _grants()
    )
    INPUT_MAX_BYTES: int = _worker("8589934592", "BYTES", "limit of one input, packed and unpacked", _integer(1))
    INPUT_MAX_FILES: int = _worker("2000", "NUMBER", "limit of the entries of one folder or archive", _integer(1))
    IMAGE_MAX_PIXELS: int = _worker("150000000", "PIXELS", "limit of one photo", _integer(1))
    IMAGE_MAX_SIDE: int = _worker("30000", "PIXELS", "limit of the longer side of one photo", _integer(1))
    DOWNLOAD_TIMEOUT_SECONDS: float = _worker(
        "30.0", "SECONDS", "timeout of connecting to the server of an https:// input, and of each read", _number(0.1)
    )
    WORKER_METRICS_PORT: int = _worker("0", "PORT", "port of a worker's /metrics; 0: no /metrics", _integer())
    WORKER_METRICS_HOST: str = _worker(
        "0.0.0.0",  # noqa: S104  # see its meaning
        "ADDRESS",
        "address of a worker's /metrics; Prometheus connects from outside the pod",
    )

    INSTALL_ID: str = _operator(
        "", "TEXT", "mark of this installation's records in Redis; empty: derived from the cluster and the Lease"
    )
    OPERATOR_NAMESPACE: str = _operator("reconstruction-system", "NAME", "namespace of the Lease")
    WATCH_NAMESPACES: tuple[str, ...] = _operator("", "NAMES", "namespaces to watch; empty: all", _names)
    LEASE_NAME: str = _operator(
        "reconstruction-operator", "NAME", "name of the Lease, which the replicas of one installation share"
    )
    LEASE_SECONDS: float = _operator(
        "10.0", "SECONDS", "time after which a leader that does not renew the Lease is deposed", _number(2.0)
    )
    SWEEP_SECONDS: float = _operator(
        "30.0", "SECONDS", "interval of sweeps, which read the state of all unfinished jobs from Redis", _number(0.5)
    )
    LIST_SECONDS: float = _operator(
        "600.0", "SECONDS", "interval of full lists of the jobs from the API server", _number(1.0)
    )
    BATCH_SECONDS: float = _operator("0.1", "SECONDS", "debounce of changes, which are planned together", _number())
    WRITES_PER_SECOND: float = _operator(
        "50.0", "NUMBER", "rate limit of status and Event writes to the API server", _number(0.1)
    )
    PROGRESS_SECONDS: float = _operator("1.0", "SECONDS", "debounce of a job's progress in its status", _number())
    DISPATCH_WINDOW: int = _operator("100", "NUMBER", "limit of the messages that wait in one queue", _integer(1))
    RESEND_SECONDS: float = _operator(
        "15.0", "SECONDS", "time after which an unclaimed message is sent again, if its queue is empty", _number(0.5)
    )
    BACKOFF_SECONDS: float = _operator(
        "10.0", "SECONDS", "backoff before the second attempt; doubles for each further one", _number()
    )
    BACKOFF_MAX_SECONDS: float = _operator("600.0", "SECONDS", "limit of the backoff", _number())
    PROBE_HOST: str = _operator(
        "0.0.0.0",  # noqa: S104  # see its meaning
        "ADDRESS",
        "address of /healthz, /readyz and /metrics; the kubelet and Prometheus connect from outside the pod",
    )
    PROBE_PORT: int = _operator("8080", "PORT", "port of /healthz, /readyz and /metrics; 0: any free port", _integer())
    LOG_FORMAT: str = _operator(
        "json", "FORMAT", "format of log lines: json for machines, text for people", _Choice(("json", "text"))
    )
    LOG_LEVEL: str = _operator(
        "INFO", "LEVEL", "least severe level that is logged", _Choice(("DEBUG", "INFO", "WARNING", "ERROR"))
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """The settings of `environ`; an empty variable means the default.

        Raises:
            InvalidSettingError: A variable has a value that its setting does not accept.

        """
        return cls(**{row.name: row.read(row.name, environ[row.name]) for row in TABLE if environ.get(row.name)})


TABLE: Final[tuple[Setting, ...]] = tuple(
    each.metadata["row"]._replace(name=each.name) for each in dataclasses.fields(Settings)
)

settings: Settings  # the values in use; absent until the first access


def use(chosen: Settings) -> None:
    """Set the values in use."""
    globals()["settings"] = chosen


def __getattr__(name: str) -> Any:
    """Read `settings` at the first access, and give each value by its name."""
    if name == "settings":
        use(Settings.from_environment(os.environ))
    elif name not in Settings.__dataclass_fields__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    this = sys.modules[__name__]
    return this.settings if name == "settings" else getattr(this.settings, name)
