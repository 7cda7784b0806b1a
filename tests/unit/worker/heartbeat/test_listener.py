"""Listener: what ends its waits, and which errors it survives."""

from __future__ import annotations

import threading
from collections.abc import Callable

import fakeredis
import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.worker.heartbeat import listener as listeners
from reconstruction_operator.worker.heartbeat.listener import Listener
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

_FAR_SECONDS = 3_600.0  # no wait takes so long in a test


class Scripted:
    """A subscription that receives these one after another: the id of a job, nothing, or an error."""

    def __init__(self, *heard: str | Exception | None, closed: Callable[[], None] = lambda: None) -> None:
        self.left = list(heard)
        self._closed = closed

    def subscribe(self, _channel: str) -> None:
        pass

    def get_message(self, timeout: float) -> dict[str, str] | None:  # noqa: ARG002  # as in redis-py
        item = self.left.pop(0)
        if isinstance(item, Exception):
            raise item
        return None if item is None else {"data": item}

    def close(self) -> None:
        self._closed()


def test_a_wait_ends_when_the_job_is_published_not_another() -> None:
    subscription = Scripted("apple", None, "banana", "cherry")
    listener = Listener("banana", lambda: subscription)
    listener.open()
    assert listener.wait(_FAR_SECONDS, threading.Event())
    assert subscription.left == ["cherry"]


def test_a_published_job_is_heard_by_a_subscription_of_redis() -> None:
    client = fakeredis.FakeRedis(decode_responses=True)
    listener = Listener("banana", lambda: client.pubsub(ignore_subscribe_messages=True))
    listener.open()
    client.publish(Keys().interruptions(), "banana")
    assert listener.wait(_FAR_SECONDS, threading.Event())
    listener.close()
    assert client.pubsub_numsub(Keys().interruptions()) == [(Keys().interruptions(), 0)]
    client.close()


@pytest.mark.parametrize("opened", [True, False], ids=["subscribed", "not subscribed"])
def test_a_wait_ends_with_its_attempt(*, opened: bool) -> None:
    over = threading.Event()

    class Last(Scripted):
        def get_message(self, timeout: float) -> dict[str, str] | None:
            over.set()
            return super().get_message(timeout)

    listener = Listener("banana", lambda: Last(None))
    if opened:
        listener.open()
    else:
        threading.Timer(0.0, over.set).start()
    assert not listener.wait(_FAR_SECONDS, over)
    assert over.is_set()


@pytest.mark.parametrize(
    "error", [NoPermissionError("no channel"), RedisConnectionError("outage"), AttributeError("x")]
)
@pytest.mark.parametrize("hears", [True, False], ids=["broken", "refused"])
def test_a_failed_subscription_is_repeated_after_a_while(
    error: Exception, monkeypatch: pytest.MonkeyPatch, *, hears: bool
) -> None:
    opened: list[Scripted] = []

    def pubsub() -> Scripted:
        opened.append(Scripted(error))
        if not hears and len(opened) == 1:
            raise error
        return opened[-1]

    listener, over = Listener("banana", pubsub), threading.Event()
    monkeypatch.setattr(listeners, "_DEAF_SECONDS", _FAR_SECONDS)
    listener.open()
    listener.wait(_FAR_SECONDS if hears else 0.0, over)
    listener.open()
    assert len(opened) == 1
    listener._deaf_until = 0.0
    listener.open()
    assert len(opened) == 2


def test_a_broken_subscription_is_closed() -> None:
    closed: list[bool] = []
    listener = Listener("banana", lambda: Scripted(RedisConnectionError("outage"), closed=lambda: closed.append(True)))
    listener.open()
    listener.wait(_FAR_SECONDS, threading.Event())
    listener.close()
    assert closed == [True]
