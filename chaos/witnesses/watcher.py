"""API watcher: collects the history of every job, without the proxies of the operators."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubectl_recon.errors import ReconError
from kubectl_recon.kube.api import connect
from reconstruction_operator.kube import parsing, paths
from reconstruction_operator.kube.reflector import Change, Reflector, follow

from chaos import clock
from devcluster import Cluster

_TRUTHS = ("Complete", "Failed", "Cancelled", "Finished")

OUTCOMES = frozenset({"Succeeded", "Failed", "Cancelled"})
"""The phases of a finished job."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One version of a job's status; `at` is its arrival in seconds since boot.

    Fields with `compare=False` make no new version.
    """

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
    leg: int = 0  # number of status.leg
    went_back: bool = field(default=False, compare=False)  # that leg, as no worker of its queue was free

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
    unseen: bool = False  # a list shows that it is gone: its last state and its deletion were not watched
    version: int = 0  # of the newest body

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
        self._api = connect(kubeconfig=str(cluster.kubeconfig)).api
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._histories: dict[str, History] = {}

    def start(self) -> None:
        """Start the thread. It ends with the program: a blocked read cannot be interrupted."""
        reflector = Reflector(paths.jobs(None), self._apply)
        threading.Thread(
            target=follow, args=(self._api, reflector, self._stopping), name="watcher", daemon=True
        ).start()

    def stop(self) -> None:
        """Collect nothing more."""
        self._stopping.set()

    @property
    def histories(self) -> list[History]:
        """All histories so far. The thread keeps appending to them."""
        with self._lock:
            return list(self._histories.values())

    def of(self, uid: str) -> History | None:
        """Return the history of one job, if it was seen."""
        with self._lock:
            return self._histories.get(uid)

    def catch_up(self) -> bool:
        """Collect what a list shows now, which the watch may not have shown yet. Return False without a response."""
        earlier = self.histories
        try:
            bodies = self._api.items(paths.jobs(None))
        except ReconError:
            return False
        for body in bodies:
            self._note(body)
        there = {body["metadata"]["uid"] for body in bodies}
        for history in earlier:
            if history.uid not in there and history.gone_at is None:
                history.gone_at, history.unseen = clock.now(), True
        return True

    def _apply(self, change: Change) -> None:
        if change.body is not None:
            self._note(change.body)
        if change.key is not None and change.deleted:
            with self._lock:
                history = self._histories[change.key.uid]
                history.gone_at, history.unseen = clock.now(), change.body is None

    def _note(self, body: Mapping[str, Any]) -> None:
        metadata, version = body["metadata"], parsing.version_of(body)
        with self._lock:
            history = self._histories.setdefault(
                metadata["uid"], History(metadata["uid"], metadata["namespace"], metadata["name"])
            )
            if version < history.version:
                return  # a list that is older than the watch
            history.version = version
            snapshot = _snapshot(body, clock.now())
            if snapshot is not None and snapshot != history.newest:
                history.snapshots.append(snapshot)


def _snapshot(body: Mapping[str, Any], at: float) -> Snapshot | None:
    status = body.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", [])}
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
        leg=status.get("leg", {}).get("number", 0),
        went_back=bool(status.get("leg", {}).get("insteadOf")),
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
