"""The probe server: what is wrong is in the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from reconstruction_operator.controller.probes import Check, ProbeServer, application


class Fixture:
    def __init__(self) -> None:
        self.health: Sequence[Check] = (Check("loop"),)
        self.readiness: Sequence[Check] = (Check("redis"),)
        self.measured = 0
        self.address = ""

    def measure(self) -> None:
        self.measured += 1

    async def get(self, path: str) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.address + path) as answer:
            return answer.status, await (answer.json() if path != "/metrics" else answer.text())


@pytest.fixture
async def probes() -> AsyncIterator[Fixture]:
    fixture = Fixture()
    app = application(health=lambda: fixture.health, readiness=lambda: fixture.readiness, measure=fixture.measure)
    server = ProbeServer(app, host="127.0.0.1", port=0)
    fixture.address = f"http://127.0.0.1:{await server.start()}"
    yield fixture
    await server.close()


async def test_all_is_well(probes: Fixture) -> None:
    assert await probes.get("/healthz") == (200, {"ok": True, "checks": {"loop": "ok"}})
    assert await probes.get("/readyz") == (200, {"ok": True, "checks": {"redis": "ok"}})


async def test_what_is_wrong_is_said(probes: Fixture) -> None:
    probes.health = (Check("loop", "no round of the loop for 61.0 s"), Check("watch"))

    assert await probes.get("/healthz") == (
        503,
        {"ok": False, "checks": {"loop": "no round of the loop for 61.0 s", "watch": "ok"}},
    )


async def test_not_ready_is_still_alive(probes: Fixture) -> None:
    probes.readiness = (Check("redis", "Connection refused"),)

    assert (await probes.get("/readyz"))[0] == 503
    assert (await probes.get("/healthz"))[0] == 200


async def test_metrics_are_brought_up_to_date_before_they_are_read(probes: Fixture) -> None:
    status, text = await probes.get("/metrics")

    assert (status, probes.measured) == (200, 1)
    assert "# TYPE reconstruction_jobs gauge" in text


async def test_a_taken_port_is_an_error_and_closing_twice_is_none(probes: Fixture) -> None:
    port = int(probes.address.rsplit(":", 1)[1])
    other = ProbeServer(application(health=tuple, readiness=tuple, measure=lambda: None), host="127.0.0.1", port=port)

    with pytest.raises(OSError, match="address already in use"):
        await other.start()
    await other.close()
    await other.close()
