"""Listener: when its thread runs, and which errors it survives."""

from __future__ import annotations

import threading
from collections.abc import Callable

import fakeredis
import pytest
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state.interruptions import Interruptions
from reconstruction_operator.worker.heartbeat import listener as listeners
from reconstruction_operator.worker.heartbeat.listener import Listener
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

_PATIENCE_SECONDS = 30.0


class Heard(Interruptions):
    """Receives messages about these jobs one after another, and then no more."""

    def __init__(self, *job_ids: str, closed: Callable[[], None] = lambda: None) -> None:
        super().__init__(fakeredis.FakeRedis(decode_responses=True), Keys())
        self._job_ids = list(job_ids)
        self._closed = closed

    def hear(self, _seconds: float) -> str | None:
        return self._job_ids.pop(0) if self._job_ids else super().hear(0.01)

    def close(self) -> None:
        self._closed()
        super().close()


def test_only_functions_of_the_published_job_are_called() -> None:
    called: list[str] = []
    done = threading.Event()
    listener = Listener(lambda: Heard("banana", "apple"))
    listener.add("banana", lambda: called.append("banana 1"))
    listener.add("banana", lambda: called.append("banana 2"))
    listener.add("cherry", lambda: called.append("cherry"))
    listener.add("apple", done.set)
    listener.open()
    assert done.wait(_PATIENCE_SECONDS)
    assert called == ["banana 1", "banana 2"]
    for job_id in ("banana", "cherry", "apple"):
        listener._looks.pop(job_id)


def test_many_attempts_share_one_subscription() -> None:
    opened, done = list[Heard](), threading.Event()

    def subscribe() -> Interruptions:
        opened.append(Heard("last"))
        return opened[-1]

    listener = Listener(subscribe)
    for number in range(20):
        listener.add(f"job-{number}", lambda: None)
    listener.add("last", done.set)
    for _ in range(20):
        listener.open()
    assert done.wait(_PATIENCE_SECONDS)
    assert len(opened) == 1
    listener._looks.clear()


def test_the_subscription_ends_with_the_last_attempt_and_reopens() -> None:
    heard, closed = threading.Semaphore(0), threading.Semaphore(0)
    listener = Listener(lambda: Heard("job", closed=closed.release))
    for _ in range(2):
        listener.add("job", heard.release)
        listener.open()
        thread = listener._thread
        assert heard.acquire(timeout=_PATIENCE_SECONDS)
        listener.remove("job", heard.release)
        assert closed.acquire(timeout=_PATIENCE_SECONDS)
        assert thread is not None
        thread.join(_PATIENCE_SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    "error", [NoPermissionError("no channel"), RedisConnectionError("outage"), AttributeError("x")]
)
@pytest.mark.parametrize("hears", [True, False], ids=["broken", "refused"])
def test_the_listener_subscribes_again_after_a_failure(
    error: Exception, monkeypatch: pytest.MonkeyPatch, *, hears: bool
) -> None:
    monkeypatch.setattr(listeners, "_DEAF_SECONDS", 0.0)
    done, failures = threading.Event(), list[Exception]()

    class Broken(Heard):
        def hear(self, _seconds: float) -> str | None:
            raise error

    def subscribe() -> Interruptions:
        if failures:
            return Heard("banana")
        failures.append(error)
        if hears:
            return Broken()
        raise error

    listener = Listener(subscribe)
    listener.add("banana", done.set)
    listener.open()
    assert done.wait(_PATIENCE_SECONDS)
    listener.remove("banana", done.set)


def test_a_thread_that_cannot_start_is_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done, listener = threading.Event(), Listener(lambda: Heard("banana"))
    listener.add("banana", done.set)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        listener.open()
    listener.open()
    assert done.wait(_PATIENCE_SECONDS)
    listener.remove("banana", done.set)
