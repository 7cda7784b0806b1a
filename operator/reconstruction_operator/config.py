"""Every setting, each read from the environment variable of the same name, with its default and its unit.

Both sides read this module: the operator and the worker. Tests set the attributes; nothing else reads the environment.
"""

from __future__ import annotations

import os
import re
from typing import Final


class InvalidSettingError(ValueError):
    """An environment variable has a value that its setting does not take."""


def _text(name: str, default: str) -> str:
    return os.environ.get(name) or default


def _number(name: str, default: float, *, minimum: float = 0.0) -> float:
    text = os.environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise InvalidSettingError(f"{name}={text!r} is not a number") from None
    if not minimum <= value < float("inf"):
        raise InvalidSettingError(f"{name}={text!r} must be at least {minimum:g}")
    return value


def _integer(name: str, default: int, *, minimum: int = 0) -> int:
    value = _number(name, default, minimum=minimum)
    if value != int(value):
        raise InvalidSettingError(f"{name}={value:g} must be a whole number")
    return int(value)


def _choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = _text(name, default)
    if value not in allowed:
        raise InvalidSettingError(f"{name}={value!r} must be one of {', '.join(allowed)}")
    return value


def _address(name: str, default: str) -> str:
    value = _text(name, default)
    if value and not value.startswith(("http://", "https://")):
        raise InvalidSettingError(f"{name} must begin with http:// or https://")
    return value


def _names(name: str, default: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in _text(name, default).split(",") if item.strip())


_NAMESPACE = re.compile(r"\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_FOLDER = re.compile(r"/[^\x00-\x1f\x7f]+")
_FOLDER_ON_A_SERVER = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\x00-\x20\x7f?#]*)?")


def _grants(name: str, default: str, *, https: bool = False) -> tuple[tuple[str, str], ...]:
    entries = []
    for entry in _names(name, default):
        namespace, _, prefix = entry.partition("=")
        plain = prefix.replace("{namespace}", "x")
        if not _NAMESPACE.fullmatch(namespace):
            raise InvalidSettingError(f"{name}: {entry!r} does not begin with a namespace, or *, and =")
        if not (_FOLDER.fullmatch(plain) or (https and _FOLDER_ON_A_SERVER.fullmatch(plain))):
            places = "a folder (/photos/maps) or an address (https://host/maps)" if https else "a folder (/meshes/maps)"
            raise InvalidSettingError(f"{name}: {entry!r} does not end in {places}")
        if ".." in plain.split("/") or "{" in plain or "}" in plain:
            raise InvalidSettingError(f"{name}: {entry!r} holds '..', or braces that are not {{namespace}}")
        entries.append((namespace, prefix))
    return tuple(entries)


# --- Redis: broker and results in DB 0, job state in DB 1 -----------------------------------------------------------
CELERY_BROKER_URL: str = _text("CELERY_BROKER_URL", "redis://localhost:6379/0")  # where tasks wait
CELERY_RESULT_BACKEND: str = _text("CELERY_RESULT_BACKEND", "redis://localhost:6379/0")  # where workers report
REDIS_STATE_DB: str = _text("REDIS_STATE_DB", "redis://localhost:6379/1")  # cancel flags, claims, ends
REDIS_KEY_PREFIX: str = _text("REDIS_KEY_PREFIX", "")  # for two installations on one Redis; before every key
REDIS_SENTINEL_MASTER: str = _text("REDIS_SENTINEL_MASTER", "mymaster")  # name that sentinel:// URLs ask for
REDIS_SENTINEL_PASSWORD: str = _text("REDIS_SENTINEL_PASSWORD", "")  # of the sentinels themselves
REDIS_TIMEOUT_SECONDS: float = _number("REDIS_TIMEOUT_SECONDS", 3.0, minimum=0.1)  # connect, and each answer
VISIBILITY_TIMEOUT_SECONDS: int = _integer("VISIBILITY_TIMEOUT_SECONDS", 86_400, minimum=60)  # above the longest job
RESULT_EXPIRES_SECONDS: int = _integer("RESULT_EXPIRES_SECONDS", 86_400, minimum=60)  # Celery's results

# --- Traces ---------------------------------------------------------------------------------------------------------
OTEL_EXPORTER_OTLP_ENDPOINT: str = _address(
    "OTEL_EXPORTER_OTLP_ENDPOINT", ""
)  # of a collector that takes OTLP over HTTP, http://collector:4318; empty: no traces
OTEL_EXPORTER_OTLP_HEADERS: tuple[str, ...] = _names("OTEL_EXPORTER_OTLP_HEADERS", "")  # name=value, sent to it

# --- The protocol ---------------------------------------------------------------------------------------------------
CANCEL_TTL_SECONDS: Final = 3600  # of both cancel flags: part of the contract, not a setting
ALIVE_TTL_SECONDS: float = _number("ALIVE_TTL_SECONDS", 10.0, minimum=1.0)  # of a worker's heartbeat for a task
BEAT_SECONDS: float = _number("BEAT_SECONDS", 1.0, minimum=0.05)  # between heartbeats; a cancel is seen this fast
LOST_AFTER_SECONDS: float = _number("LOST_AFTER_SECONDS", 10.0, minimum=0.5)  # without heartbeat key, then lost
EPOCH_GRACE_SECONDS: float = _number("EPOCH_GRACE_SECONDS", 15.0, minimum=0.5)  # for workers to register again
PROTOCOL_RETENTION_SECONDS: int = _integer("PROTOCOL_RETENTION_SECONDS", 604_800, minimum=3600)  # claims and ends

# --- The worker -----------------------------------------------------------------------------------------------------
JOBS_DIR: str = _text("JOBS_DIR", "/jobs")  # a folder for each job: its input, its attempts, its output
WORKER_POOLS: tuple[str, ...] = _names("WORKER_POOLS", "celery")  # consumes <pool>-high, <pool>, <pool>-low of each
WORKER_THREADS: int = _integer("WORKER_THREADS", 0)  # threads of a model process; 0: all that this process may use
WORKER_TTL_SECONDS: float = _number("WORKER_TTL_SECONDS", 30.0, minimum=1.0)  # of a worker's registration
DRAIN_SECONDS: float = _number("DRAIN_SECONDS", 20.0)  # after SIGTERM a running job may still finish in this time
RECONSTRUCTION_SIMULATE: str = _choice(
    "RECONSTRUCTION_SIMULATE", "unavailable", ("unavailable", "never")
)  # a model that is not installed is simulated (unavailable), or its job fails (never)
PLACEHOLDER_STEP_SECONDS: float = _number("PLACEHOLDER_STEP_SECONDS", 2.0)  # of each of the six steps
MODEL_MEMORY_BYTES: int = _integer("MODEL_MEMORY_BYTES", 0)  # address-independent resident limit; 0: none
INPUT_ROOTS: tuple[str, ...] = _names(
    "INPUT_ROOTS", "/photos"
)  # file:// inputs lie under one of these; an entry /photos=/mnt/nas reads from /mnt/nas what URIs call /photos
OUTPUT_ROOTS: tuple[str, ...] = _names("OUTPUT_ROOTS", "")  # file:// outputs lie under one of these; none by default
INPUT_HTTPS_HOSTS: tuple[str, ...] = _names(
    "INPUT_HTTPS_HOSTS", ""
)  # allowed hosts of https:// inputs, at public or private addresses; empty: all that are at public ones
NAMESPACE_INPUTS: tuple[tuple[str, str], ...] = _grants(
    "NAMESPACE_INPUTS", "", https=True
)  # namespace=folder or namespace=https://host/folder; * for all, {namespace} in it; empty: no limit by namespace
NAMESPACE_OUTPUTS: tuple[tuple[str, str], ...] = _grants(
    "NAMESPACE_OUTPUTS", ""
)  # namespace=folder, as NAMESPACE_INPUTS
INPUT_MAX_BYTES: int = _integer("INPUT_MAX_BYTES", 8 * 1024**3, minimum=1)  # of one input, also once unpacked
INPUT_MAX_FILES: int = _integer("INPUT_MAX_FILES", 2_000, minimum=1)  # entries of one folder or archive
IMAGE_MAX_PIXELS: int = _integer("IMAGE_MAX_PIXELS", 150_000_000, minimum=1)  # of one photo
IMAGE_MAX_SIDE: int = _integer("IMAGE_MAX_SIDE", 30_000, minimum=1)  # px, of one photo
DOWNLOAD_TIMEOUT_SECONDS: float = _number("DOWNLOAD_TIMEOUT_SECONDS", 30.0, minimum=0.1)  # connect, and each read
WORKER_METRICS_PORT: int = _integer("WORKER_METRICS_PORT", 0)  # of a worker's /metrics; 0: none
WORKER_METRICS_HOST: str = _text("WORKER_METRICS_HOST", "0.0.0.0")  # noqa: S104  # where it listens; Prometheus comes from outside the pod

# --- The operator ---------------------------------------------------------------------------------------------------
INSTALL_ID: str = _text("INSTALL_ID", "")  # of our records in Redis; empty: made from the cluster and the Lease
OPERATOR_NAMESPACE: str = _text("OPERATOR_NAMESPACE", "reconstruction-system")  # of the Lease
WATCH_NAMESPACES: tuple[str, ...] = _names("WATCH_NAMESPACES", "")  # empty: all
LEASE_NAME: str = _text("LEASE_NAME", "reconstruction-operator")  # which replica works
LEASE_SECONDS: float = _number("LEASE_SECONDS", 10.0, minimum=2.0)  # after which a silent leader is deposed
SWEEP_SECONDS: float = _number("SWEEP_SECONDS", 30.0, minimum=0.5)  # between full looks at Redis
LIST_SECONDS: float = _number("LIST_SECONDS", 600.0, minimum=1.0)  # between full lists of the resources
BATCH_SECONDS: float = _number("BATCH_SECONDS", 0.1)  # in which changes gather before they are planned together
WRITES_PER_SECOND: float = _number("WRITES_PER_SECOND", 50.0, minimum=0.1)  # status writes and Events
PROGRESS_SECONDS: float = _number("PROGRESS_SECONDS", 1.0)  # at most one progress write of a job in this time
DISPATCH_WINDOW: int = _integer("DISPATCH_WINDOW", 100, minimum=1)  # messages that wait in one queue, at most
RESEND_SECONDS: float = _number("RESEND_SECONDS", 15.0, minimum=0.5)  # unclaimed while its queue is empty: sent again
BACKOFF_SECONDS: float = _number("BACKOFF_SECONDS", 10.0)  # before the second attempt; doubles
BACKOFF_MAX_SECONDS: float = _number("BACKOFF_MAX_SECONDS", 600.0)  # before any further attempt, at most
PROBE_HOST: str = _text("PROBE_HOST", "0.0.0.0")  # noqa: S104  # the kubelet and Prometheus come from outside the pod
PROBE_PORT: int = _integer("PROBE_PORT", 8080)  # /healthz, /readyz and /metrics; 0: any free port
LOG_FORMAT: str = _choice("LOG_FORMAT", "json", ("json", "text"))  # for machines, or for people
LOG_LEVEL: str = _choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))  # and what is graver
