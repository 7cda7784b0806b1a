"""Replicas of the operator from outside: their probes, their metrics, and the holder of the Lease."""

from __future__ import annotations

import http.client
import json
import re
from dataclasses import dataclass
from typing import Any

from devcluster.errors import ApiError
from devcluster.harness.system import LEASE, System
from devcluster.servers.cluster import Cluster
from devcluster.servers.server import LOOPBACK, read
from devcluster.waiting import wait_until

_TIMEOUT_SECONDS = 10.0
_READY_SECONDS = 120.0  # a few seconds on a machine that is not busy


@dataclass(frozen=True)
class Replica:
    """One operator of a system, by its name there."""

    system: System
    name: str = "operator"

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of `/healthz` or `/readyz`."""
        status, text = self._read(self.system.probe_ports[self.name], path)
        return status, json.loads(text)

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of a metric with those labels, if there is one."""
        inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
        head = re.escape(f"{name}{{{inside}}}" if labels else name)
        match = re.search(
            rf"^{head} (\S+)$", self._read(self.system.metrics_ports[self.name], "/metrics")[1], re.MULTILINE
        )
        return float(match[1]) if match else None

    def wait_ready(self) -> None:
        """Wait until `/readyz` answers 200."""

        def ready() -> bool:
            self.system.processes[self.name].check()
            return self.get("/readyz")[0] == 200  # noqa: PLR2004  # OK

        wait_until(ready, f"{self.name} to be ready", timeout_seconds=_READY_SECONDS, seen=self._account)

    def wait_problem(self, check: str) -> str:
        """Wait until `/readyz` reports a problem for `check`, and return it."""

        def problem() -> str:
            reported = str(self.get("/readyz")[1]["checks"].get(check, "ok"))
            return "" if reported == "ok" else reported

        return wait_until(problem, f"{self.name} to report a problem with {check}", seen=self._account)

    def wait_metric(self, name: str, value: float, **labels: str) -> None:
        """Wait until the metric has that value."""
        wait_until(lambda: self.metric(name, **labels) == value, f"{name} to be {value:g}", seen=self._account)

    def _read(self, port: int, path: str) -> tuple[int, str]:
        return read(http.client.HTTPConnection(LOOPBACK, port, timeout=_TIMEOUT_SECONDS), path)

    def _account(self) -> object:
        try:
            return self.get("/readyz"), self.get("/healthz"), self.system.processes[self.name].log_end()
        except OSError as error:
            return error, self.system.processes[self.name].log_end()


@dataclass(frozen=True)
class Lease:
    """The Lease of the leader election."""

    cluster: Cluster

    def spec(self) -> dict[str, Any]:
        """Return the Lease's spec; empty if there is none."""
        try:
            spec: dict[str, Any] = self.cluster.api.get(LEASE)["spec"]
        except ApiError:
            return {}
        return spec

    @property
    def holder(self) -> str:
        """The identity of the holder; empty if there is none."""
        return str(self.spec().get("holderIdentity") or "")

    @property
    def transitions(self) -> int:
        """The number of transitions: the fencing token in Redis."""
        return int(self.spec().get("leaseTransitions") or 0)

    def delete(self) -> None:
        """Delete the Lease if there is one."""
        if self.spec():
            self.cluster.api.delete(LEASE)

    def wait_held(self, *, timeout_seconds: float = 60.0, by_other_than: str = "") -> str:
        """Wait until there is a holder other than `by_other_than`, and return it."""

        def wanted() -> str:
            holder = self.holder
            return "" if holder == by_other_than else holder

        return wait_until(wanted, "the Lease to be held", timeout_seconds=timeout_seconds, seen=self.spec)
