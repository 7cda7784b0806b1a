"""Redis connection: outages are counted, and a new epoch requests a resync."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
import redis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.controller.redis_view.connection import RedisConnection, ResyncRequests


class Server:
    """A Redis whose INFO the test chooses."""

    def __init__(self) -> None:
        self.client: Any = fakeredis.FakeAsyncRedis(decode_responses=True)
        self.run_id = "run-1"
        self.client.info = self.info  # type: ignore[method-assign,assignment]  # the stand-in has no settings to report
        self.election: Any = SimpleNamespace(fence=1, looks=0)
        self.connection = RedisConnection(self.client, self.election, keys=Keys(), install_id="here")

    async def info(self) -> dict[str, str]:
        return {"run_id": self.run_id, "maxmemory_policy": "noeviction"}


@pytest.fixture
def server() -> Server:
    return Server()


async def test_a_restarted_redis_requests_a_resync_for_its_epoch(server: Server) -> None:
    assert not await server.connection.check(1)
    server.run_id = "run-2"
    await server.client.flushall()

    assert await server.connection.check(1)
    assert server.connection.resync.take() == "epoch"


async def test_older_data_without_a_restart_begins_another_epoch(server: Server) -> None:
    await server.connection.check(1)
    snapshot = await server.client.hgetall("epoch")
    await server.connection.check(1)
    await server.client.hset("epoch", mapping=snapshot)

    assert await server.connection.check(1)
    assert (await server.client.hget("epoch", "id")) != snapshot["id"]
    assert not await server.connection.check(1)


async def test_a_new_leader_knows_from_its_lease_that_redis_has_older_data(server: Server) -> None:
    await server.connection.check(1)
    before = await server.client.hget("epoch", "id")
    server.election.looks = 1_000

    await server.connection.check(1)

    assert (await server.client.hget("epoch", "id")) != before
    assert server.election.looks > 1_000


async def test_a_reconnection_requests_a_resync(server: Server) -> None:
    assert server.connection.problem
    await server.connection.check(None)

    assert (server.connection.problem, server.connection.resync.take()) == ("", "reconnect")


@pytest.mark.parametrize(
    ("error", "interruptions"),
    [
        pytest.param(redis.ConnectionError("refused"), 1, id="not reached"),
        pytest.param(redis.TimeoutError("late"), 1, id="too late"),
        pytest.param(redis.ResponseError("WRONGTYPE"), 0, id="one command rejected"),
    ],
)
async def test_only_a_lost_connection_is_an_interruption(
    server: Server, error: redis.RedisError, interruptions: int
) -> None:
    await server.connection.check(None)

    server.connection.failed(error)

    assert (server.connection.interruptions, bool(server.connection.problem)) == (interruptions, interruptions > 0)


@pytest.mark.parametrize(
    ("requested", "failed_during", "causes"),
    [
        pytest.param([], None, ["start", "period"], id="the first, and then the period"),
        pytest.param(["reconnect", "leading"], None, ["leading", "period"], id="the newest"),
        pytest.param(["epoch", "resubscribed"], None, ["epoch", "period"], id="a loss of data is not hidden"),
        pytest.param(["leading"], [], ["leading", "leading", "period"], id="repeated after a failure"),
        pytest.param(["leading"], ["epoch"], ["leading", "epoch", "period"], id="another request during a failure"),
        pytest.param(["epoch"], ["resubscribed"], ["epoch", "epoch", "period"], id="a failure after a loss of data"),
    ],
)
def test_the_cause_of_each_resync(requested: list[str], failed_during: list[str] | None, causes: list[str]) -> None:
    requests = ResyncRequests()
    taken = list[str]()
    for cause in requested:
        requests.request(cause)
    taken.append(requests.take())
    if failed_during is not None:
        for cause in failed_during:
            requests.request(cause)
        requests.restore(taken[0])
        taken.append(requests.take())

    assert [*taken, requests.take()] == causes


async def test_a_request_ends_one_wait_for_the_period() -> None:
    requests = ResyncRequests()
    await requests.wait(0.001)
    waiting = asyncio.create_task(requests.wait(3_600.0))
    await asyncio.sleep(0)
    assert not waiting.done()

    requests.request("reconnect")
    async with asyncio.timeout(10):
        await waiting

    second = asyncio.create_task(requests.wait(3_600.0))
    await asyncio.sleep(0)
    assert not second.done()
    second.cancel()
