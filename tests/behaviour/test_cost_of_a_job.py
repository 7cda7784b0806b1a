"""Cost of a job from its creation to its end: its rounds, its requests to Redis, and its writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.status import Phase, Status

from tests.support.controller.one_job import Redis, Server, System


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with Redis() as redis, System(redis, Server()).running() as system:
        yield system


async def test_a_job_is_observed_sent_and_written_once(system: System) -> None:
    system.cache.put(system.server.body)

    await system.work()

    assert system.sent == ["uid-banana-1"]
    assert system.server.written == [Phase.QUEUED]
    assert system.redis.asked == {"observe": 1, "put_record": 1, "mark_sent": 1}


@pytest.mark.parametrize(
    "phases",
    [
        pytest.param([Phase.QUEUED, Phase.SUCCEEDED], id="ends in a moment"),
        pytest.param([Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED], id="observed while it runs"),
    ],
)
async def test_each_phase_that_is_observed_costs_one_look_one_write_and_one_encoding(
    system: System, monkeypatch: pytest.MonkeyPatch, phases: list[Phase]
) -> None:
    encoded: list[str | None] = []
    encode = codec.encode

    def counted(value: Any) -> dict[str, Any]:
        if isinstance(value, Status):
            encoded.append(value.phase)
        return encode(value)

    monkeypatch.setattr(codec, "encode", counted)
    system.cache.put(system.server.body)
    await system.work()
    await system.claim()
    if Phase.RUNNING in phases:
        system.announce()
        await system.work()
    await system.finish()
    system.announce()

    await system.work()

    assert encoded == system.server.written == phases
    of_progress = phases.count(Phase.RUNNING)
    assert system.redis.asked == Counter(observe=len(phases), put_record=1, mark_sent=1, read_texts=of_progress)
