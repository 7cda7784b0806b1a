"""Probes: serves /healthz and /readyz, which return JSON that names each problem, and /metrics on a port of its own.

`/healthz` fails if a restart would help: a crashed task, a loop that hangs, a watch that sends no requests.
`/readyz` fails while the operator cannot do its work: no API server, no Redis. A backlog fails neither.

Both ports have the limits of `telemetry.serving`. The probes are served by the operator's loop, whose health they
report; the metrics by a thread, so that scrapes never delay that loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from reconstruction_operator.telemetry import metrics
from reconstruction_operator.telemetry.serving import MetricsPage, Page, Server, ServingThread, measured_in


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `problem` is empty if it passes."""

    name: str
    problem: str = ""


class Probed(Protocol):
    """What is probed: the operator (`components.Operator`)."""

    def health(self) -> Sequence[Check]:
        """Return the checks that a restart would help."""

    def readiness(self) -> Sequence[Check]:
        """Return the checks of what the program needs."""

    def measure(self) -> None:
        """Update the gauges."""


def late(what: str, seconds: float, limit_seconds: float) -> str:
    """Return the problem, if something has taken longer than allowed."""
    return f"{what} {seconds:.1f} s" if seconds > limit_seconds else ""


class ProbeServer:
    """Serves probes and metrics of `program` until it is closed.

    Without a program, which waits for what it needs, it is alive and not ready.
    """

    def __init__(self, *, host: str, port: int, metrics_port: int) -> None:
        """Take the address of both ports; for port 0, `start` takes a free one."""
        self.program: Probed | None = None
        self._host = host
        self._ports = (port, metrics_port)
        self._probes = Server({"/healthz": self._healthz, "/readyz": self._readyz})
        self._thread: ServingThread | None = None

    async def start(self) -> tuple[int, int]:
        """Listen, and return the ports of probes and metrics. Raises OSError if one of them is in use."""
        text = MetricsPage(metrics.REGISTRY, measure=measured_in(asyncio.get_running_loop(), self._measure))
        scraped = Server({"/metrics": text})
        port, metrics_port = self._ports
        ports = (self._probes.listen(self._host, port), scraped.listen(self._host, metrics_port))
        self._thread = ServingThread(scraped)
        self._thread.start()
        await self._probes.serve()
        return ports

    async def close(self) -> None:
        """Stop listening. Idempotent."""
        await self._probes.close()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.close)  # it may wait for gauges, which this loop updates

    async def _healthz(self) -> Page:
        return _page(self.program.health() if self.program else (Check("starting"),))

    async def _readyz(self) -> Page:
        return _page(self.program.readiness() if self.program else (Check("prepared", "waiting for the API server"),))

    def _measure(self) -> None:
        if self.program:
            self.program.measure()


def _page(checks: Sequence[Check]) -> Page:
    well = all(not check.problem for check in checks)
    body = {"ok": well, "checks": {check.name: check.problem or "ok" for check in checks}}
    status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
    return Page(json.dumps(body).encode(), status, "application/json; charset=utf-8")
