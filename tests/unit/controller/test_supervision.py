"""Supervision: a task that ends also ends the process; the others are stopped in order; the lag of the event loop is
measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
from reconstruction_operator.controller import supervision
from reconstruction_operator.controller.supervision import Supervisor
from reconstruction_operator.telemetry import metrics


async def crash() -> None:
    raise RuntimeError("a defect")


async def finish() -> None:
    """Return at once."""


@pytest.mark.parametrize(("work", "error"), [(crash, "a defect"), (finish, "")])
async def test_a_task_that_ends_is_logged_and_ends_the_process(
    work: Callable[[], Coroutine[Any, Any, None]], error: str, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor(asyncio.Event())
    supervisor.start("reconciler", work())

    await asyncio.wait_for(supervisor.stopping.wait(), 10)

    assert {name: str(crash or "") for name, crash in supervisor.crashed.items()} == {"reconciler": error}
    assert "'reconciler'" in caplog.text
    assert error in caplog.text


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


async def test_stop_cancels_a_task_that_lost_its_first_cancellation_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `asyncio.wait_for` of Python 3.11, whose work completes as the task is cancelled."""
    monkeypatch.setattr(supervision, "_CANCEL_SECONDS", 0.01)

    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    supervisor = Supervisor(asyncio.Event())
    supervisor.start("heartbeats", work())
    await asyncio.sleep(0)

    await asyncio.wait_for(supervisor.stop(), 10)

    assert "cancelled again: heartbeats" in caplog.text
    assert supervisor.crashed == {}


async def test_the_lag_of_a_blocked_event_loop_is_measured() -> None:
    supervisor = Supervisor(asyncio.Event())
    task = asyncio.create_task(supervisor.measure_lag())
    await asyncio.sleep(0)  # the measurement has begun
    time.sleep(supervision._LAG_PERIOD_SECONDS + 0.2)  # noqa: ASYNC251  # blocks the event loop on purpose
    async with asyncio.timeout(10):
        while not supervisor.lag_seconds:  # noqa: ASYNC110  # it is read as the probes read it
            await asyncio.sleep(0)
    task.cancel()

    assert supervisor.lag_seconds >= 0.2
    assert metrics.REGISTRY.get_sample_value("reconstruction_loop_lag_seconds") == supervisor.lag_seconds
