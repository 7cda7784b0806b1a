"""Probes: the responses name each problem."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest
from reconstruction_operator.controller.probes import Check, ProbeServer, Starting


class Program:
    """A program with these checks."""

    def __init__(self) -> None:
        self.health_checks: Sequence[Check] = (Check("loop"),)
        self.readiness_checks: Sequence[Check] = (Check("redis"),)
        self.measured = 0
        self.address = ""

    def health(self) -> Sequence[Check]:
        return self.health_checks

    def readiness(self) -> Sequence[Check]:
        return self.readiness_checks

    def measure(self) -> None:
        self.measured += 1

    async def get(self, path: str) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.address + path) as response:
            return response.status, await (response.json() if path != "/metrics" else response.text())


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    program = Program()
    server = ProbeServer(program, host="127.0.0.1", port=0)
    program.address = f"http://127.0.0.1:{await server.start()}"
    yield program
    await server.close()


async def test_without_a_problem_both_probes_succeed(program: Program) -> None:
    assert await program.get("/healthz") == (200, {"ok": True, "checks": {"loop": "ok"}})
    assert await program.get("/readyz") == (200, {"ok": True, "checks": {"redis": "ok"}})


async def test_a_problem_is_named_in_the_response(program: Program) -> None:
    program.health_checks = (Check("loop", "no round of the loop for 61.0 s"), Check("watch"))

    named = {"loop": "no round of the loop for 61.0 s", "watch": "ok"}
    assert await program.get("/healthz") == (503, {"ok": False, "checks": named})


async def test_a_program_that_is_not_ready_is_still_alive(program: Program) -> None:
    program.readiness_checks = (Check("redis", "Connection refused"),)

    assert [(await program.get(path))[0] for path in ("/readyz", "/healthz")] == [503, 200]


async def test_gauges_are_updated_before_they_are_read(program: Program) -> None:
    status, text = await program.get("/metrics")

    assert (status, program.measured) == (200, 1)
    assert "# TYPE reconstruction_jobs gauge" in text


def test_a_starting_program_is_alive_and_not_ready() -> None:
    assert not any(check.problem for check in Starting().health())
    assert all(check.problem for check in Starting().readiness())


async def test_a_port_in_use_is_an_error_and_closing_twice_is_not(program: Program) -> None:
    other = ProbeServer(Starting(), host="127.0.0.1", port=int(program.address.rsplit(":", 1)[1]))

    with pytest.raises(OSError, match="address already in use"):
        await other.start()
    await other.close()
    await other.close()
