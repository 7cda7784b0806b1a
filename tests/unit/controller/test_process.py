"""Supervisor: a task that ends also ends the process; the others are stopped in order."""

from __future__ import annotations

import asyncio

import pytest
from reconstruction_operator.controller.process import Supervisor


async def crash() -> None:
    await asyncio.sleep(0)
    raise RuntimeError("a defect")


async def finish() -> None:
    await asyncio.sleep(0)


async def test_a_crashed_task_is_logged_and_ends_the_process(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor(asyncio.Event())
    supervisor.start("reconciler", crash())

    await asyncio.wait_for(supervisor.stopping.wait(), 10)

    assert isinstance(supervisor.crashed["reconciler"], RuntimeError)
    assert "'reconciler'" in caplog.text
    assert "a defect" in caplog.text


async def test_a_task_that_returns_ends_the_process_too() -> None:
    supervisor = Supervisor(asyncio.Event())
    supervisor.start("sweeper", finish())

    await asyncio.wait_for(supervisor.stopping.wait(), 10)

    assert supervisor.crashed == {"sweeper": None}


async def test_stop_waits_for_all_tasks_and_reports_no_crash() -> None:
    ended = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    supervisor = Supervisor(asyncio.Event())
    supervisor.start("first", work("first"))
    supervisor.start("second", work("second"))
    await asyncio.sleep(0)

    await supervisor.stop("second")
    assert ended == ["second"]
    await supervisor.stop()

    assert sorted(ended) == ["first", "second"]
    assert supervisor.crashed == {}
    assert not supervisor.stopping.is_set()
