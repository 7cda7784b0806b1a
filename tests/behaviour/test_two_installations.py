"""Two installations of one namespace: both may send a new job at the same moment, and one of them then stops its
attempt.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from reconstruction_operator.api.status import ConditionType, Phase
from reconstruction_operator.controller.kube.installation import Installation

from tests.support.controller.one_job import Redis, Server, System

TASK = "uid-banana-1"


@pytest.fixture(params=[False, True], ids=["two-redis", "one-redis"])
async def systems(request: pytest.FixtureRequest) -> AsyncIterator[tuple[System, System]]:
    server = Server()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(Redis())
        second = first if request.param else await stack.enter_async_context(Redis())
        pair = (
            System(first, server, Installation("first", lease="a/operator")),
            System(second, server, Installation("second", lease="b/operator")),
        )
        for system in pair:
            await stack.enter_async_context(system.running())
        yield pair


async def test_of_two_installations_that_send_a_new_job_one_stops_its_attempt(systems: tuple[System, System]) -> None:
    winner, loser = systems
    for system in systems:
        system.cache.put(system.server.body)
        await system.round()
    sent_by_both = [system.sent for system in systems]

    for _ in range(2):
        for system in systems:
            await system.work()

    assert TASK in sent_by_both[0]
    status = winner.server.body["status"]
    assert (status["installation"]["id"], status["phase"]) == ("first", Phase.QUEUED)
    assert [
        condition["reason"] for condition in status["conditions"] if condition["type"] == ConditionType.CONTESTED
    ] == ["ManagedElsewhere"]
    assert winner.server.written == [Phase.QUEUED, Phase.QUEUED]  # the dispatch, and the report of the other one
    record = await winner.redis.hgetall("job:uid-banana")
    assert (record["install_id"], record["attempt"]) == ("first", "1")
    assert "outcome" not in record
    if loser.redis is not winner.redis:
        assert sent_by_both == [[TASK], [TASK]]
        assert await loser.redis.keys("*uid-banana*") == []
