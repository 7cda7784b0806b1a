"""Observer: what Redis holds becomes observations, and silence counts only while Redis responds."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
import redis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.controller.redis_view.connection import RedisConnection
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.controller.redis_view.observer import Observer
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning.types import Observation
from reconstruction_operator.state import calls, worker_calls

from tests.support.controller.entries import make_entry
from tests.support.refs import make_attempt

KEYS = Keys()
JOB = "uid-1"
TASK = make_attempt(JOB)
RUN: dict[str, Any] = {"attempt": TASK, "token": "one"}


class World:
    """An operator that observes, and a worker; `now` is the operator's clock."""

    def __init__(self) -> None:
        server = fakeredis.FakeServer()
        self.redis: Any = fakeredis.FakeRedis(server=server, decode_responses=True)
        state: Any = fakeredis.FakeAsyncRedis(server=server, decode_responses=True)
        self.now, self.entry = 0.0, make_entry("1")
        election: Any = SimpleNamespace(fence=1, looks=0)
        self.connection = RedisConnection(state, election, keys=KEYS, install_id="here")
        self.observer = Observer(
            *(state, state, self.connection, QueueFacts(), SentMessages(resend_seconds=15), KEYS),
            monotonic=lambda: self.now,
        )

    def want(self, attempt: int = 1, queue: str = "celery") -> None:
        fields = {"install_id": "here", "namespace": "default", "name": "banana", "attempt": attempt, "queue": queue}
        self.redis.hset(KEYS.job(JOB), mapping=fields)

    def claim(self) -> None:
        calls.run(self.redis, worker_calls.claim(KEYS, **RUN, worker="worker@node"))

    def beat(self) -> None:
        calls.run(self.redis, worker_calls.beat(KEYS, **RUN, worker="worker@node", life="life"))

    def finish(self) -> None:
        calls.run(self.redis, worker_calls.finish(KEYS, **RUN, end=End(Outcome.SUCCEEDED)))

    async def observe(self, now: float | None = None) -> Observation:
        self.now = self.now if now is None else now
        (observation,) = (await self.observer.observe([(self.entry, TASK)])).observations
        return observation


@pytest.fixture
def world() -> World:
    return World()


async def test_without_subjects_redis_is_not_read(world: World) -> None:
    world.redis.connection_pool.disconnect()
    assert (await world.observer.observe([])).observations == ()


async def test_the_message_of_an_attempt_that_a_worker_has_is_not_searched_for(world: World) -> None:
    world.want()
    world.observer.messages.sent(world.entry, TASK, 0.0)
    await world.observe()
    assert world.entry.sent is not None

    world.claim()
    await world.observe()

    assert world.entry.sent is None


@pytest.mark.parametrize(
    ("happens", "later", "silent_seconds"),
    [
        pytest.param(lambda _: None, (6.0, 8.0), [6.0, 8.0], id="nothing"),
        pytest.param(lambda _: None, (8.0, 13.1), [8.0, 0.0], id="polls just close enough, and not"),
        pytest.param(World.beat, (6.0, 8.0), [0.0, 0.0], id="a heartbeat"),
        pytest.param(lambda _: None, (60.0, 62.0), [0.0, 2.0], id="a gap between two polls"),
        pytest.param(
            lambda world: world.connection.failed(redis.ConnectionError("unreachable")),
            (4.0, 6.0),
            [0.0, 2.0],
            id="an outage of Redis",
        ),
    ],
)
async def test_silence_without_a_heartbeat_is_counted_unless_there_was_a_gap(
    world: World, happens: Callable[[World], None], later: tuple[float, ...], silent_seconds: list[float]
) -> None:
    world.want()
    world.claim()
    world.redis.delete(KEYS.alive(JOB))
    assert [(await world.observe(now)).silent_seconds for now in (0.0, 3.0)] == [0.0, 3.0]

    happens(world)

    assert [(await world.observe(now)).silent_seconds for now in later] == silent_seconds


async def test_only_attempts_without_a_heartbeat_are_returned(world: World) -> None:
    world.want()
    world.claim()
    lost = make_entry("lost")
    assert await world.observer.without_heartbeat([world.entry, lost]) == [lost]
    assert await world.observer.without_heartbeat([]) == []


async def test_the_queue_of_the_record_counts_and_not_the_subjects(world: World) -> None:
    world.want(queue="gpu")
    world.observer.queues.sent("gpu")
    with_record = (await world.observe()).workers
    world.redis.delete(KEYS.job(JOB))
    assert (with_record, (await world.observe()).workers) == (
        world.observer.queues.workers("gpu"),
        world.observer.queues.workers("celery"),
    )
