"""Reconciler: failures of actions, room of deleted jobs, and pauses between rounds.

What a job costs: tests/behaviour.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.controller.dispatch import make_admission
from tests.support.controller.one_job import Redis, Server, System
from tests.support.jobs import make_body, make_key


@pytest.fixture
async def system() -> AsyncIterator[System]:
    """The loop, with job a, which is new. No status is written."""
    async with Redis() as redis:
        system = System(redis, Server())
        system.cache.put(make_body("a"))
        yield system
        system.reconciler.actor.close()


async def test_a_dispatch_that_the_broker_rejected_is_not_stored_and_is_repeated_soon(system: System) -> None:
    system.full = {"celery": "full"}
    await system.round()
    assert (system.sent, system.writer.writes.idle) == ([], True)

    system.full = {}
    await system.round(60.0)
    await system.round()
    assert system.sent == ["uid-a-1"]


async def test_a_job_that_is_missing_takes_no_room_in_the_window(system: System) -> None:
    """A list lacks it, and its clean-up is held."""
    system.reconciler.admission.window = make_admission(system.cache, queue=5, namespace=1).window
    await system.round()
    for name in ("b", "c"):
        system.cache.put(make_body(name))
    await system.round()
    assert system.sent == ["uid-a-1"]

    for name in ("a", "b"):
        system.cache.drop(make_key(name))
    await system.round()
    await system.round()
    assert system.sent == ["uid-a-1", "uid-c-1"]


async def test_a_change_after_a_pause_is_planned_at_once_and_between_rounds_changes_gather(system: System) -> None:
    system.reconciler.batch_seconds = 3_600.0
    async with asyncio.timeout(10.0):
        await system.reconciler._wait()
    await system.round()
    system.cache.put(make_body("b"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await system.reconciler._wait()

    system.now += 3_600.0
    system.cache.put(make_body("c"))
    async with asyncio.timeout(10.0):
        await system.reconciler._wait()
