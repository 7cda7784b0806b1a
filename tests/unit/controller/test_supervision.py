"""Supervision: a task that ends also ends the process; the others are stopped in order; the lag of the event loop is measured."""

from __future__ import annotations

import asyncio
import time

import pytest
from reconstruction_operator.controller import supervision
from reconstruction_operator.controller.supervision import LoopLag, Supervisor
from reconstruction_operator.telemetry import metrics


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


async def test_the_lag_of_a_blocked_event_loop_is_measured() -> None:
    lag = LoopLag()
    task = asyncio.create_task(lag.run())
    await asyncio.sleep(0)  # the measurement has begun
    time.sleep(supervision._LAG_PERIOD_SECONDS + 0.2)  # noqa: ASYNC251  # blocks the event loop on purpose
    async with asyncio.timeout(10):
        while not lag.seconds:  # noqa: ASYNC110  # it is read as the probes read it
            await asyncio.sleep(0)
    task.cancel()

    assert lag.seconds >= 0.2
    assert metrics.REGISTRY.get_sample_value("reconstruction_loop_lag_seconds") == lag.seconds
