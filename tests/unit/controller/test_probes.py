"""Probes: the responses name each problem. Of a running operator: tests/real/controller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp
from reconstruction_operator.controller.probes import Check, ProbeServer


class Program:
    """A program that is not well, and ready."""

    measured = 0

    def health(self) -> Sequence[Check]:
        return (Check("loop", "no round of the loop for 61.0 s"), Check("watch"))

    def readiness(self) -> Sequence[Check]:
        return (Check("redis"),)

    def measure(self) -> None:
        self.measured += 1


async def test_each_probe_names_its_problems_and_gauges_are_updated_before_they_are_read() -> None:
    server = ProbeServer(host="127.0.0.1", port=0, metrics_port=0)
    program = Program()
    port, metrics_port = await server.start()

    async def get(path: str) -> tuple[int, Any]:
        async with session.get(f"http://127.0.0.1:{metrics_port if path == '/metrics' else port}{path}") as response:
            return response.status, await (response.json() if path != "/metrics" else response.text())

    async with aiohttp.ClientSession() as session:
        assert [(await get(path))[0] for path in ("/healthz", "/readyz")] == [200, 503], "it starts"
        server.program = program
        named = {"loop": "no round of the loop for 61.0 s", "watch": "ok"}
        assert await get("/healthz") == (503, {"ok": False, "checks": named})
        assert await get("/readyz") == (200, {"ok": True, "checks": {"redis": "ok"}})
        status, text = await get("/metrics")

    assert (status, program.measured) == (200, 1)
    assert "# TYPE reconstruction_jobs gauge" in text
    await server.close()
    await server.close()
