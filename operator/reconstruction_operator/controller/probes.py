"""/healthz, /readyz and /metrics. The answers are JSON that says what is wrong.

`/healthz` fails for what a restart mends: a crashed task, a loop that stands still, a watch that does not even try.
`/readyz` fails while the operator cannot do its work: no API server, no Redis. A backlog is neither.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from reconstruction_operator.telemetry import metrics


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that should be well. `problem` says what is wrong with it, or is empty."""

    name: str
    problem: str = ""


Checks = Callable[[], Sequence[Check]]


def _answer(checks: Sequence[Check]) -> web.Response:
    well = all(not check.problem for check in checks)
    body = {"ok": well, "checks": {check.name: check.problem or "ok" for check in checks}}
    return web.json_response(body, status=200 if well else 503)


def application(*, health: Checks, readiness: Checks, measure: Callable[[], None]) -> web.Application:
    """The three addresses. `measure` brings the gauges up to date before they are read."""

    async def healthz(_request: web.Request) -> web.Response:
        return _answer(health())

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(readiness())

    async def metrics_text(_request: web.Request) -> web.Response:
        measure()
        return web.Response(body=generate_latest(metrics.REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics_text)])
    return app


class ProbeServer:
    """Serves an application until it is closed."""

    def __init__(self, app: web.Application, *, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._host = host
        self._port = port

    async def start(self) -> int:
        """Listen; returns the port, which is a free one if 0 was asked for. Raises OSError if it is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        address = self._runner.addresses[0]
        return int(address[1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
