"""Backlog: messages in queues and at workers, with a real kombu."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from kombu.connection import Connection
from reconstruction_operator import config
from reconstruction_operator.broker import celery_settings
from reconstruction_operator.broker.backlog import BacklogReader
from reconstruction_operator.broker.dispatch import Dispatcher, Message
from reconstruction_operator.contract.envelope import Envelope
from redis.exceptions import RedisError

from devcluster import Redis
from tests.support.refs import make_attempt
from tests.support.settings import configure

A_FEW_SECONDS = 20


@pytest.fixture
def reader(redis_settings: None) -> Iterator[BacklogReader]:
    backlogs = BacklogReader()
    yield backlogs
    backlogs.close()


def send(*numbers: int, queue: str = "celery", text: str = "") -> None:
    dispatcher = Dispatcher()
    envelope = Envelope(make_attempt(queue=queue), input_uri="file:///photos", parameters={"text": text})
    attempts = [make_attempt(f"job-{number}", 1, queue) for number in numbers]
    dispatcher.send([Message(replace(envelope, attempt=attempt), "placeholder") for attempt in attempts])
    dispatcher.close()


def test_messages_and_their_bytes_are_measured(reader: BacklogReader) -> None:
    send(1, 2, queue="celery-high")
    send(3, text="x" * 16_360)

    backlog = reader.measure(["celery-high", "celery", "empty", "celery"])

    assert backlog.messages == {"celery-high": 2, "celery": 1, "empty": 0}
    assert 2_000 < backlog.bytes["celery-high"] < 6_000
    assert 22_000 < backlog.bytes["celery"] < 30_000


def test_a_message_is_found_in_its_queue_and_then_at_the_worker_that_took_it(reader: BacklogReader) -> None:
    send(1, 2)
    assert reader.search(["celery"])["celery"].waiting == {"job-1-1", "job-2-1"}

    celery_settings.settings()  # the hardened transport
    with Connection(config.settings.CELERY_BROKER_URL) as worker:
        taken = worker.SimpleQueue("celery").get(timeout=A_FEW_SECONDS)
        search = reader.search(["celery"])["celery"]
        taken.ack()

    assert (search.waiting, search.taken) == ({"job-2-1"}, {"job-1-1"})
    assert reader.search(["celery"])["celery"].taken == frozenset()


def test_with_a_prefix_the_queues_below_it_are_read(monkeypatch: pytest.MonkeyPatch, broker: redis.Redis) -> None:
    configure(monkeypatch, REDIS_KEY_PREFIX="team-a:")
    send(1)

    assert broker.llen("team-a:celery") == 1
    assert BacklogReader().measure(["celery"]).messages == {"celery": 1}
    assert BacklogReader().search(["celery"])["celery"].waiting == {"job-1-1"}


def test_the_used_share_of_a_limited_memory_is_read(reader: BacklogReader, broker: redis.Redis) -> None:
    assert reader.measure([]).memory_share == 0.0
    limit = 2 * broker.info("memory")["used_memory"]
    broker.config_set("maxmemory", limit)
    try:
        assert 0.4 < reader.measure([]).memory_share < 0.7
    finally:
        broker.config_set("maxmemory", 0)


def test_a_user_without_the_rights_reads_lengths_and_finds_nothing(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A Redis of your own whose rules are narrower than those of the manifests."""
    send(1)
    broker.execute_command(
        "ACL", "SETUSER", "narrow", "on", "nopass", "~*", "&*", "+info", "+llen", "+select", "+client"
    )
    try:
        configure(monkeypatch, CELERY_BROKER_URL=config.settings.CELERY_BROKER_URL.replace("//", "//narrow:x@"))
        narrow = BacklogReader()
        backlogs = [narrow.measure(["celery"]) for _ in range(3)]
        assert narrow.search(["celery"]) == {}
        narrow.close()
    finally:
        broker.execute_command("ACL", "DELUSER", "narrow")
    assert [(backlog.messages, backlog.bytes) for backlog in backlogs] == [({"celery": 1}, {"celery": 4_096})] * 3
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "Redis refuses MEMORY USAGE to the operator's user",
        "Redis refuses LRANGE or HSCAN to the operator's user",
    ]


@pytest.mark.parametrize("how", ["gone", "hanging"])
def test_an_outage_of_the_broker_raises_within_seconds_and_passes(
    reader: BacklogReader, redis_server: Redis, how: str
) -> None:
    reader.measure(["celery"])
    if how == "gone":
        redis_server.kill()
    else:
        redis_server.pause()
    started = time.monotonic()
    with pytest.raises(RedisError):
        reader.measure(["celery"])
    with pytest.raises(RedisError):
        reader.search(["celery"])
    assert time.monotonic() - started < A_FEW_SECONDS
    if how == "gone":
        redis_server.start()
    else:
        redis_server.resume()
    assert reader.measure(["celery"]).messages == {"celery": 0}
