"""Backlog on fakeredis: queues, foreign messages, and the memory of Redis.

With a real kombu and ACL: tests/real/broker.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
import redis
from reconstruction_operator.broker import backlog
from reconstruction_operator.broker.backlog import BacklogReader
from reconstruction_operator.state import connections


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    server = fakeredis.FakeRedis(decode_responses=True)
    monkeypatch.setattr(connections, "broker_client", lambda: server)
    yield server
    server.close()


@pytest.fixture
def reader(broker: redis.Redis) -> BacklogReader:
    return BacklogReader()


def message(task: object) -> str:
    return json.dumps({"headers": {"id": task}, "body": "x"})


FOREIGN = ["no json", "[" * 10_000, "7", '{"headers": []}', message(7)]


def test_a_message_that_is_not_celerys_is_not_found(broker: redis.Redis, reader: BacklogReader) -> None:
    broker.lpush("celery", message("a-1"), *FOREIGN, message("b-1"))
    broker.hset("unacked", mapping={"1": json.dumps([json.loads(message("c-1")), "", "celery"]), "2": "[]", "3": "{"})

    searches = reader.search(["celery", "celery"])

    assert searches == {"celery": backlog.FoundMessages(frozenset({"a-1", "b-1"}), frozenset({"c-1"}))}


def test_messages_of_several_pages_are_all_found(broker: redis.Redis) -> None:
    broker.lpush("celery", *(message(f"job-{number}") for number in range(10)))

    found = BacklogReader(page=3).search(["celery"])
    assert found["celery"].waiting == {f"job-{number}" for number in range(10)}


def test_a_queue_that_is_too_long_is_not_searched(broker: redis.Redis) -> None:
    broker.lpush("long", *map(message, "abc"))
    broker.lpush("short", message("d"))

    assert BacklogReader(search_max=2).search(["long", "short"]).keys() == {"short"}


def test_a_removal_keeps_other_messages_and_their_order(broker: redis.Redis) -> None:
    broker.lpush("celery", *map(message, "abcd"), "no json")

    BacklogReader(page=2).remove({"celery": ["b", "d"], "missing": ["a"]})

    assert broker.lrange("celery", 0, -1) == ["no json", message("c"), message("a")]


def test_a_key_that_is_not_a_list_is_an_empty_queue_and_is_not_searched(
    broker: redis.Redis, reader: BacklogReader
) -> None:
    broker.set("celery", "x")

    assert reader.measure(["celery"]).messages == {"celery": 0}
    assert reader.search(["celery"]) == {}
    reader.remove({"celery": ["a"]})
    assert broker.get("celery") == "x"


@pytest.mark.parametrize(
    ("memory", "share"),
    [
        pytest.param({"used_memory": 50, "maxmemory": 200}, 0.25, id="a quarter"),
        pytest.param({"used_memory": 50, "maxmemory": 0}, 0.0, id="no limit"),
        pytest.param({"used_memory": 50}, 0.0, id="not named"),
        pytest.param({"used_memory": "?", "maxmemory": 200}, 0.0, id="malformed"),
    ],
)
def test_the_share_of_redis_memory_that_is_used(memory: dict[str, Any], share: float) -> None:
    assert backlog.memory_share(memory) == share
