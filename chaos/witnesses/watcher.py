"""API watcher: collects the history of every job, without the proxies of the operators."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.watch import Watch
from urllib3.exceptions import HTTPError

from chaos import clock
from devcluster import Cluster

_GROUP, _VERSION, _PLURAL = "reconstruction.dev", "v1alpha1", "reconstructionjobs"
_WATCH_SECONDS = 20
_TRUTHS = ("Complete", "Failed", "Cancelled", "Finished")

OUTCOMES = frozenset({"Succeeded", "Failed", "Cancelled"})
"""The phases of a finished job."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a job's status; `at` is its arrival in seconds since boot. Fields with `compare=False` make no new version."""

    at: float = field(compare=False)
    phase: str
    attempt: int
    percent: int
    true_conditions: frozenset[str]  # of Complete, Failed, Cancelled and Finished
    reason: str  # of the condition Failed
    failures: int = 0
    confirmed: bool = False  # spec.cancelConfirmed
    finished_reason: str = field(default="", compare=False)  # of the condition Finished
    output_bytes: int | None = field(default=None, compare=False)  # status.outputs.bytes
    output_uri: str = field(default="", compare=False)  # status.outputs.uri
    completed_at: float = field(default=0.0, compare=False)  # status.completionTime, as seconds since boot

    @property
    def finished(self) -> bool:
        """Whether the job has ended."""
        return self.phase in OUTCOMES

    @property
    def position(self) -> tuple[int, int]:
        """(attempt, percent), which must never fall."""
        return self.attempt, self.percent


@dataclass(slots=True)
class History:
    """All snapshots of one object."""

    uid: str
    namespace: str
    name: str
    snapshots: list[Snapshot] = field(default_factory=list)
    gone_at: float | None = None

    @property
    def newest(self) -> Snapshot | None:
        """The last snapshot; None if the object has no status yet."""
        return self.snapshots[-1] if self.snapshots else None

    @property
    def finished(self) -> bool:
        """Whether the newest snapshot shows an end."""
        return self.newest is not None and self.newest.finished


class Watcher:
    """Collects histories in a thread from `start` to `stop`, with retries while the API server is unreachable."""

    def __init__(self, cluster: Cluster) -> None:
        self._api = client.CustomObjectsApi(config.new_client_from_config(str(cluster.kubeconfig)))  # type: ignore[no-untyped-call]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._collect, name="watcher", daemon=True)
        self._lock = threading.Lock()
        self._histories: dict[str, History] = {}
        self.listed_at = 0.0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join(timeout=2 * _WATCH_SECONDS)

    @property
    def histories(self) -> list[History]:
        """All histories so far. The thread keeps appending to them."""
        with self._lock:
            return list(self._histories.values())

    def of(self, uid: str) -> History | None:
        """Return the history of one job, if it was seen."""
        with self._lock:
            return self._histories.get(uid)

    def _collect(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(ApiException, HTTPError, OSError, ValueError):
                version = self._list()
                self._watch(version)
            self._stopping.wait(0.1)

    def _list(self) -> str:
        asked_at = clock.now()
        found: Any = self._api.list_cluster_custom_object(_GROUP, _VERSION, _PLURAL, _request_timeout=10)
        for body in found["items"]:
            self._note(body)
        there = {body["metadata"]["uid"] for body in found["items"]}
        with self._lock:
            for history in self._histories.values():
                if history.uid not in there and history.gone_at is None:
                    history.gone_at = clock.now()
        self.listed_at = asked_at
        return str(found["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> None:
        stream = Watch().stream(  # type: ignore[no-untyped-call]
            self._api.list_cluster_custom_object,
            _GROUP,
            _VERSION,
            _PLURAL,
            resource_version=version,
            timeout_seconds=_WATCH_SECONDS,
            _request_timeout=(5, _WATCH_SECONDS + 10),
        )
        for event in stream:
            if self._stopping.is_set():
                return
            if event["type"] in {"ADDED", "MODIFIED"}:
                self._note(event["object"])
            elif event["type"] == "DELETED":
                self._note(event["object"])
                with self._lock:
                    self._histories[event["object"]["metadata"]["uid"]].gone_at = clock.now()

    def _note(self, body: Mapping[str, Any]) -> None:
        metadata = body["metadata"]
        with self._lock:
            history = self._histories.setdefault(
                metadata["uid"], History(metadata["uid"], metadata["namespace"], metadata["name"])
            )
            snapshot = _snapshot(body, clock.now())
            if snapshot is not None and snapshot != history.newest:
                history.snapshots.append(snapshot)


def _snapshot(body: Mapping[str, Any], at: float) -> Snapshot | None:
    status = body.get("status", {})
    conditions = {one["type"]: one for one in status.get("conditions", [])}
    if not status.get("phase"):
        return None
    return Snapshot(
        at=at,
        phase=status["phase"],
        attempt=status.get("attempt", 0),
        percent=status.get("progress", {}).get("percent", 0),
        true_conditions=frozenset(
            name for name in _TRUTHS if name in conditions and conditions[name]["status"] == "True"
        ),
        reason=conditions.get("Failed", {}).get("reason", ""),
        failures=status.get("failures", 0),
        confirmed=body.get("spec", {}).get("cancelConfirmed", False),
        finished_reason=conditions.get("Finished", {}).get("reason", ""),
        output_bytes=status.get("outputs", {}).get("bytes"),
        output_uri=status.get("outputs", {}).get("uri", ""),
        completed_at=_since_boot(status.get("completionTime")),
    )


def _since_boot(text: str | None) -> float:
    if text is None:
        return 0.0
    return datetime.fromisoformat(text).timestamp() - time.time() + clock.now()
