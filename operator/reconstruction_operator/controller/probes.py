"""Probes: serves /healthz, /readyz and /metrics. The first two return JSON that names each problem.

`/healthz` fails if a restart would help: a crashed task, a loop that hangs, a watch that sends no requests.
`/readyz` fails while the operator cannot do its work: no API server, no Redis. A backlog fails neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reconstruction_operator.telemetry import metrics

if TYPE_CHECKING:
    from reconstruction_operator.controller.components import Operator


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `problem` is empty if it passes."""

    name: str
    problem: str = ""


def late(what: str, seconds: float, limit_seconds: float) -> str:
    """Return the problem, if something has taken longer than allowed."""
    return f"{what} {seconds:.1f} s" if seconds > limit_seconds else ""


class ProbeServer:
    """Serves the probes of `program` until it is closed. Without a program, which waits for what it needs, it is alive and not ready."""

    def __init__(self, *, host: str, port: int) -> None:
        self.program: Operator | None = None
        app = web.Application()
        app.add_routes(
            [web.get("/healthz", self._healthz), web.get("/readyz", self._readyz), web.get("/metrics", self._metrics)]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._host = host
        self._port = port

    async def start(self) -> int:
        """Listen, and return the port (for port 0: a free one). Raises OSError if the port is in use."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        address = self._runner.addresses[0]
        return int(address[1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return _response(self.program.health() if self.program else (Check("starting"),))

    async def _readyz(self, _request: web.Request) -> web.Response:
        return _response(
            self.program.readiness() if self.program else (Check("prepared", "waiting for the API server"),)
        )

    async def _metrics(self, _request: web.Request) -> web.Response:
        if self.program:
            self.program.measure()
        return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _response(checks: Sequence[Check]) -> web.Response:
    well = all(not check.problem for check in checks)
    body = {"ok": well, "checks": {check.name: check.problem or "ok" for check in checks}}
    return web.json_response(body, status=HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)
