"""Hardened transport: keys of a wrong type, and a worker's slot after an acknowledgement that failed."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import fakeredis
import pytest
import redis
from kombu.connection import Connection
from kombu.transport import virtual
from reconstruction_operator.broker import transport
from reconstruction_operator.state import connections

from tests.support.settings import configure


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeRedis:
    """The broker's Redis."""
    server = fakeredis.FakeServer()
    monkeypatch.setattr(connections, "broker_client", lambda: fakeredis.FakeRedis(server=server, decode_responses=True))
    return fakeredis.FakeRedis(server=server, decode_responses=True)


@pytest.mark.parametrize(
    ("error", "wrong"),
    [
        (redis.ResponseError("WRONGTYPE Operation against a key"), True),
        (redis.ResponseError("OOM command not allowed"), False),
        (ValueError("WRONGTYPE"), False),
    ],
)
def test_only_a_refusal_because_of_the_type_is_a_wrong_type(error: Exception, wrong: bool) -> None:
    assert transport.is_wrong_type(error) is wrong


@pytest.mark.parametrize("key", ["celery", "_kombu.binding.celery", "_kombu.binding_permanent.celery", "unacked"])
def test_a_key_of_the_wrong_type_is_deleted_and_named(
    key: str, broker: fakeredis.FakeRedis, caplog: pytest.LogCaptureFixture
) -> None:
    broker.set(key, "x")

    with caplog.at_level(logging.ERROR):
        assert transport.repair(["celery"], {"unacked": "hash"})

    assert not broker.exists(key)
    assert f"deleting the Redis key {key}: its type is string, and must be" in caplog.text
    assert not transport.repair(["celery"], {"unacked": "hash"})


def test_keys_of_the_right_type_and_foreign_keys_are_kept(broker: fakeredis.FakeRedis) -> None:
    broker.rpush("celery", "message")
    broker.sadd("_kombu.binding.celery", "binding")
    broker.set("theirs", "x")

    assert not transport.repair(["celery"])
    assert set(broker.keys()) == {"celery", "_kombu.binding.celery", "theirs"}


def test_keys_are_repaired_under_the_prefix(broker: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, REDIS_KEY_PREFIX="mine:")
    broker.set("celery", "x")
    broker.set("mine:celery", "x")

    assert transport.repair(["celery"])
    assert broker.keys() == ["celery"]


@pytest.mark.parametrize("error", [redis.ConnectionError("closed"), redis.ReadOnlyError("a replica")], ids=repr)
@pytest.mark.parametrize("method", ["ack", "reject"])
def test_a_failed_acknowledgement_frees_the_slot_and_is_raised(method: str, error: redis.RedisError) -> None:
    def refuse(*_: object) -> None:
        raise error

    qos = transport._HardenedQoS.__new__(transport._HardenedQoS)
    virtual.QoS.__init__(qos, SimpleNamespace(pipe_or_acquire=refuse, conn_or_acquire=refuse), prefetch_count=1)
    qos._delivered["tag"] = "message"
    assert not qos.can_consume()

    with pytest.raises(type(error)):
        getattr(qos, method)("tag")

    qos._flush()
    assert qos.can_consume()
    qos._on_collect.cancel()  # or it would put the message back at the end of this process


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost:6379/0", transport.HardenedTransport),
        ("rediss://localhost:6379/0", transport.HardenedTransport),
        ("sentinel://localhost:26379", transport.HardenedSentinelTransport),
    ],
)
def test_every_scheme_of_redis_gets_a_hardened_transport(url: str, expected: type) -> None:
    transport.install()
    assert Connection(url).get_transport_cls() is expected
