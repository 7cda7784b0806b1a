"""Settings: one table, each read from the environment variable of the same name.

`config.settings` holds the values in use. They are read from the environment at the first access, so that
`config.use` can set others before. `--help`, docs/settings.md and the chart's schema are made from `TABLE`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

CANCEL_TTL_SECONDS: Final = 3600  # of both cancel flags: part of the contract, not a setting


class InvalidSettingError(ValueError):
    """An environment variable has a value that its setting does not take."""


Reader = Callable[[str, str], Any]  # name and text of a variable to its value; raises InvalidSettingError


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


def _choice(*allowed: str) -> Reader:
    def read(name: str, text: str) -> str:
        if text not in allowed:
            raise InvalidSettingError(f"{name}={text!r} must be one of {', '.join(allowed)}")
        return text

    return read


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
    read: Reader
    default: str  # as the environment variable would hold it
    unit: str  # what the value is: URL, SECONDS, BYTES, NAMES, ...; the placeholder in `--help`
    meaning: str
    section: str
    whose: str  # OPERATOR, WORKER or BOTH
    choices: tuple[str, ...] = ()
    secret: bool = False  # never a flag: any user of a machine can read its command lines


BOTH: Final = "operator and worker"
OPERATOR: Final = "operator"
WORKER: Final = "worker"
_SECTIONS: Final = {
    "redis": ("Redis: broker and results in DB 0, job state in DB 1", BOTH),
    "protocol": ("The protocol", BOTH),
    "traces": ("Traces", BOTH),
    "worker": ("The worker", WORKER),
    "operator": ("The operator", OPERATOR),
}


def _setting(section: str, default: str, unit: str, meaning: str, read: Reader = _text, **more: Any) -> Any:
    """A field of `Settings`; its name completes the row."""
    heading, whose = _SECTIONS[section]
    row = Setting("", read, default, unit, meaning, heading, **{"whose": whose, **more})
    return dataclasses.field(default=read("default", default), metadata={"row": row})


@dataclasses.dataclass(frozen=True)
class Settings:
    """The value of each setting. A field has the name of its environment variable."""

    CELERY_BROKER_URL: str = _setting("redis", "redis://localhost:6379/0", "URL", "where tasks wait")
    CELERY_RESULT_BACKEND: str = _setting(
        "redis", "redis://localhost:6379/0", "URL", "where workers report progress: Celery's result backend"
    )
    REDIS_STATE_DB: str = _setting(
        "redis", "redis://localhost:6379/1", "URL", "state of jobs: cancel flags, claims, ends"
    )
    REDIS_KEY_PREFIX: str = _setting(
        "redis", "", "TEXT", "before every key, so that two installations can share one Redis"
    )
    REDIS_SENTINEL_MASTER: str = _setting("redis", "mymaster", "NAME", "of the master that sentinel:// URLs ask for")
    REDIS_SENTINEL_PASSWORD: str = _setting("redis", "", "TEXT", "of the sentinels themselves", secret=True)
    REDIS_TIMEOUT_SECONDS: float = _setting(
        "redis", "3.0", "SECONDS", "to connect to Redis, and for each reply", _number(0.1)
    )
    VISIBILITY_TIMEOUT_SECONDS: int = _setting(
        "redis",
        "86400",
        "SECONDS",
        "after which Celery delivers an unacknowledged message again; longer than the longest job",
        _integer(60),
    )
    RESULT_EXPIRES_SECONDS: int = _setting(
        "redis", "86400", "SECONDS", "after which Celery's results expire", _integer(60)
    )
    OTEL_EXPORTER_OTLP_ENDPOINT: str = _setting(
        "traces",
        "",
        "URL",
        "of a collector that takes OTLP over HTTP, such as http://collector:4318; empty: no traces",
        _address,
    )
    OTEL_EXPORTER_OTLP_HEADERS: tuple[str, ...] = _setting(
        "traces", "", "NAME=VALUE,…", "headers sent to the collector", _names, secret=True
    )
    ALIVE_TTL_SECONDS: float = _setting(
        "protocol", "10.0", "SECONDS", "after which a worker's heartbeat for a task expires", _number(1.0), whose=WORKER
    )
    BEAT_SECONDS: float = _setting(
        "protocol",
        "1.0",
        "SECONDS",
        "between two heartbeats; a cancel is noticed within this time",
        _number(0.05),
        whose=WORKER,
    )
    LOST_AFTER_SECONDS: float = _setting(
        "protocol",
        "10.0",
        "SECONDS",
        "without a heartbeat after which a worker is lost, and its job retried",
        _number(0.5),
        whose=OPERATOR,
    )
    EPOCH_GRACE_SECONDS: float = _setting(
        "protocol",
        "15.0",
        "SECONDS",
        "for live workers to register again after Redis lost its data",
        _number(0.5),
        whose=OPERATOR,
    )
    PROTOCOL_RETENTION_SECONDS: int = _setting(
        "protocol", "604800", "SECONDS", "for which Redis keeps claims and ends", _integer(3600)
    )
    JOBS_DIR: str = _setting(
        "worker", "/jobs", "FOLDER", "with one folder for each job: its input, its attempts, its output"
    )
    WORKER_POOLS: tuple[str, ...] = _setting(
        "worker", "celery", "NAMES", "of pools; the worker consumes <pool>-high, <pool> and <pool>-low of each", _names
    )
    WORKER_THREADS: int = _setting(
        "worker", "0", "NUMBER", "of threads of a model process; 0: all CPUs that this process may use", _integer()
    )
    WORKER_TTL_SECONDS: float = _setting(
        "worker", "30.0", "SECONDS", "after which a worker's registration expires", _number(1.0)
    )
    DRAIN_SECONDS: float = _setting(
        "worker", "20.0", "SECONDS", "for which a running job may go on after SIGTERM", _number()
    )
    RECONSTRUCTION_SIMULATE: str = _setting(
        "worker",
        "unavailable",
        "CHOICE",
        "what happens to a job whose model is not installed: it is simulated (unavailable), or it fails (never)",
        _choice("unavailable", "never"),
        choices=("unavailable", "never"),
    )
    PLACEHOLDER_STEP_SECONDS: float = _setting(
        "worker", "2.0", "SECONDS", "for each of the six steps of the placeholder", _number()
    )
    MODEL_MEMORY_BYTES: int = _setting(
        "worker", "0", "BYTES", "of resident memory that a model process may use; 0: no limit", _integer()
    )
    INPUT_ROOTS: tuple[str, ...] = _setting(
        "worker",
        "/photos",
        "FOLDERS",
        "under which file:// inputs lie; /photos=/mnt/nas reads from /mnt/nas what URIs call /photos",
        _names,
    )
    OUTPUT_ROOTS: tuple[str, ...] = _setting(
        "worker", "", "FOLDERS", "under which file:// outputs lie; empty: none are allowed", _names
    )
    INPUT_HTTPS_HOSTS: tuple[str, ...] = _setting(
        "worker",
        "",
        "NAMES",
        "of hosts that https:// inputs may name, at public or private addresses; empty: all hosts at public addresses",
        _names,
    )
    NAMESPACE_INPUTS: tuple[tuple[str, str], ...] = _setting(
        "worker",
        "",
        "NAMESPACE=PLACE,…",
        "allowlist of inputs by namespace: a folder or https://host/folder; * for all namespaces, {namespace} in the place; empty: no limit by namespace",
        _grants(https=True),
    )
    NAMESPACE_OUTPUTS: tuple[tuple[str, str], ...] = _setting(
        "worker", "", "NAMESPACE=FOLDER,…", "allowlist of outputs by namespace, as NAMESPACE_INPUTS", _grants()
    )
    INPUT_MAX_BYTES: int = _setting("worker", "8589934592", "BYTES", "of one input, packed and unpacked", _integer(1))
    INPUT_MAX_FILES: int = _setting("worker", "2000", "NUMBER", "of entries of one folder or archive", _integer(1))
    IMAGE_MAX_PIXELS: int = _setting("worker", "150000000", "PIXELS", "of one photo", _integer(1))
    IMAGE_MAX_SIDE: int = _setting("worker", "30000", "PIXELS", "of the longer side of one photo", _integer(1))
    DOWNLOAD_TIMEOUT_SECONDS: float = _setting(
        "worker", "30.0", "SECONDS", "to connect to the server of an https:// input, and for each read", _number(0.1)
    )
    WORKER_METRICS_PORT: int = _setting("worker", "0", "PORT", "of a worker's /metrics; 0: none", _integer())
    WORKER_METRICS_HOST: str = _setting(
        "worker",
        "0.0.0.0",  # noqa: S104  # see its meaning
        "ADDRESS",
        "of a worker's /metrics; Prometheus connects from outside the pod",
    )
    INSTALL_ID: str = _setting(
        "operator",
        "",
        "TEXT",
        "marks the records of this installation in Redis; empty: made from the cluster and the Lease",
    )
    OPERATOR_NAMESPACE: str = _setting("operator", "reconstruction-system", "NAME", "of the namespace of the Lease")
    WATCH_NAMESPACES: tuple[str, ...] = _setting(
        "operator", "", "NAMES", "of the namespaces to watch; empty: all", _names
    )
    LEASE_NAME: str = _setting(
        "operator",
        "reconstruction-operator",
        "NAME",
        "of the Lease; operators with different Leases do not know each other",
    )
    LEASE_SECONDS: float = _setting(
        "operator", "10.0", "SECONDS", "after which a silent leader is deposed", _number(2.0)
    )
    SWEEP_SECONDS: float = _setting(
        "operator",
        "30.0",
        "SECONDS",
        "between two sweeps, which read the state of all unfinished jobs from Redis",
        _number(0.5),
    )
    LIST_SECONDS: float = _setting(
        "operator", "600.0", "SECONDS", "between two full lists of the jobs from the API server", _number(1.0)
    )
    BATCH_SECONDS: float = _setting(
        "operator", "0.1", "SECONDS", "in which changes gather before they are planned together", _number()
    )
    WRITES_PER_SECOND: float = _setting(
        "operator", "50.0", "NUMBER", "of status and Event writes to the API server, at most", _number(0.1)
    )
    PROGRESS_SECONDS: float = _setting(
        "operator", "1.0", "SECONDS", "between two writes of a job's progress, at least", _number()
    )
    DISPATCH_WINDOW: int = _setting(
        "operator", "100", "NUMBER", "of messages that wait in one queue, at most", _integer(1)
    )
    RESEND_SECONDS: float = _setting(
        "operator",
        "15.0",
        "SECONDS",
        "after which an unclaimed message is sent again, if its queue is empty",
        _number(0.5),
    )
    BACKOFF_SECONDS: float = _setting(
        "operator", "10.0", "SECONDS", "before the second attempt; doubles for each further one", _number()
    )
    BACKOFF_MAX_SECONDS: float = _setting("operator", "600.0", "SECONDS", "between two attempts, at most", _number())
    PROBE_HOST: str = _setting(
        "operator",
        "0.0.0.0",  # noqa: S104  # see its meaning
        "ADDRESS",
        "of /healthz, /readyz and /metrics; the kubelet and Prometheus connect from outside the pod",
    )
    PROBE_PORT: int = _setting(
        "operator", "8080", "PORT", "of /healthz, /readyz and /metrics; 0: any free port", _integer()
    )
    LOG_FORMAT: str = _setting(
        "operator",
        "json",
        "FORMAT",
        "of log lines: json for machines, text for people",
        _choice("json", "text"),
        choices=("json", "text"),
    )
    LOG_LEVEL: str = _setting(
        "operator",
        "INFO",
        "LEVEL",
        "the least severe level that is logged",
        _choice("DEBUG", "INFO", "WARNING", "ERROR"),
        choices=("DEBUG", "INFO", "WARNING", "ERROR"),
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """The settings that `environ` asks for; an empty variable means the default.

        Raises:
            InvalidSettingError: A variable has a value that its setting does not take.

        """
        return cls(**{row.name: row.read(row.name, environ[row.name]) for row in TABLE if environ.get(row.name)})


TABLE: Final = tuple(each.metadata["row"]._replace(name=each.name) for each in dataclasses.fields(Settings))

settings: Settings  # the values in use; absent until the first access


def use(chosen: Settings) -> None:
    """Set the values in use."""
    globals()["settings"] = chosen


def __getattr__(name: str) -> Any:
    """`config.settings`, read at the first access, and each value by its name: `config.REDIS_STATE_DB`."""
    if name == "settings":
        use(Settings.from_environment(os.environ))
    elif name not in Settings.__dataclass_fields__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    this = sys.modules[__name__]
    return this.settings if name == "settings" else getattr(this.settings, name)
