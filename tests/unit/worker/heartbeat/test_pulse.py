"""Pulse: one thread for all attempts of a process, their turns, and hints in between."""

from __future__ import annotations

import threading
from collections.abc import Callable

import fakeredis
import pytest
import redis
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.services import job_manager
from reconstruction_operator.state.interruptions import Interruptions
from reconstruction_operator.worker.heartbeat import pulse as pulses
from reconstruction_operator.worker.heartbeat.listener import Listener
from reconstruction_operator.worker.heartbeat.pulse import Pulse
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

_PATIENCE_SECONDS = 30.0
_FAR_SECONDS = 3_600.0  # no turn in the time of a test


class Attempt:
    """Counts the calls of its methods; `answers` is called in each turn."""

    def __init__(
        self, job_id: str = "job", *, pause: float = 0.01, answers: Callable[[], RedisError | None] = lambda: None
    ) -> None:
        self.job_id = job_id
        self.pause_seconds = pause
        self.turns = 0
        self.missed = 0
        self.threads: set[int] = set()
        self.changed = threading.Semaphore(0)
        self._answers = answers

    def take_turn(self) -> RedisError | None:
        self.turns += 1
        self.threads.add(threading.get_ident())
        self.changed.release()
        return self._answers()

    def look_now(self) -> None:
        self.changed.release()

    def miss_turn(self, _error: RedisError) -> None:
        self.missed += 1
        self.changed.release()

    def wait(self, times: int = 1) -> None:
        for _ in range(times):
            assert self.changed.acquire(timeout=_PATIENCE_SECONDS)


def threads() -> int:
    return sum(thread.name == "heartbeat" for thread in threading.enumerate())


def test_one_thread_beats_for_all_attempts() -> None:
    pulse, attempts = Pulse(), [Attempt(), Attempt(), Attempt()]
    for one in attempts:
        pulse.add(one)
    for one in attempts:
        one.wait(3)
        pulse.remove(one)
    assert len(set().union(*(one.threads for one in attempts))) == 1


def test_many_attempts_of_a_process_share_threads_by_fours(monkeypatch: pytest.MonkeyPatch) -> None:
    client = fakeredis.FakeRedis(decode_responses=True)
    monkeypatch.setattr(job_manager, "get_redis_client", lambda: client)
    monkeypatch.setattr(pulses, "_IDLE_SECONDS", 0.0)
    attempts = [Attempt(pause=_FAR_SECONDS) for _ in range(10)]
    used = []
    for one in attempts:
        used.append(pulses.of_process())
        used[-1].add(one)
    counts = [used.count(one) for one in dict.fromkeys(used)]
    used[0].remove(attempts[0])
    again = pulses.of_process()
    running = {pulse._thread for pulse in used if pulse._thread is not None}
    for pulse, one in zip(used, attempts, strict=True):
        pulse.remove(one)
    for thread in running:
        thread.join(_PATIENCE_SECONDS)
    assert counts == [4, 4, 2]
    assert again is used[0]


def test_the_thread_ends_without_attempts_and_restarts_with_the_next() -> None:
    pulse, before = Pulse(), threads()
    for _ in range(2):
        one = Attempt()
        pulse.add(one)
        one.wait()
        thread = pulse._thread
        pulse.remove(one)
        assert thread is not None
        thread.join(_PATIENCE_SECONDS)
        assert not thread.is_alive()
    assert threads() <= before


def test_after_an_outage_in_one_turn_the_other_turns_are_skipped() -> None:
    pulse = Pulse()
    first = Attempt(pause=_FAR_SECONDS, answers=lambda: RedisConnectionError("outage"))
    other = Attempt(pause=_FAR_SECONDS)
    with pulse._changed:  # both turns come at once
        pulse._known = {one: pulses._Known(0.0, one.look_now) for one in (first, other)}
    third = Attempt(pause=_FAR_SECONDS)
    pulse.add(third)
    other.wait()
    assert (other.turns, other.missed) == (0, 1)
    for one in (first, other, third):
        pulse.remove(one)


def test_a_failed_turn_of_one_attempt_ends_no_beats_of_others(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> RedisError | None:
        raise RuntimeError("broken")

    pulse, broken, other = Pulse(), Attempt("banana", answers=fail), Attempt()
    for one in (broken, other):
        pulse.add(one)
    other.wait(3)
    broken.wait(3)
    for one in (broken, other):
        pulse.remove(one)
    assert "a heartbeat of job banana failed" in caplog.messages


def test_a_thread_that_could_not_start_is_started_by_the_next_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    pulse, first, second = Pulse(), Attempt(), Attempt()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            pulse.add(first)
    pulse.add(second)
    second.wait(3)
    pulse.remove(second)
    assert first.turns == 0


def test_a_published_job_makes_its_attempts_beat_at_once() -> None:
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server, decode_responses=True)
    pulse = Pulse(Listener(lambda: Interruptions(client, Keys())))
    meant, other = Attempt("banana", pause=_FAR_SECONDS), Attempt("apple", pause=_FAR_SECONDS)
    opener = Attempt("opener")  # its first turn opens the subscription
    for one in (meant, other, opener):
        pulse.add(one)
    opener.wait()
    publish(client, "banana")
    meant.wait()
    assert not other.changed.acquire(blocking=False)
    for one in (meant, other, opener):
        pulse.remove(one)


def publish(client: redis.Redis, job_id: str) -> None:
    """Publish the job once a subscription is open."""
    waiting = threading.Event()
    for _ in range(3_000):
        if client.publish(Keys().interruptions(), job_id):
            return
        waiting.wait(0.01)
    raise AssertionError("there is no subscription")


def test_beats_continue_while_the_subscription_is_opened() -> None:
    opening, refused = threading.Event(), threading.Event()

    def connect() -> Interruptions:
        opening.set()
        assert refused.wait(_PATIENCE_SECONDS)
        raise RedisConnectionError("outage")

    pulse, one = Pulse(Listener(connect)), Attempt()
    pulse.add(one)
    assert opening.wait(_PATIENCE_SECONDS)
    one.wait(one.turns + 3)
    pulse.remove(one)
    refused.set()


def test_a_removed_attempt_is_not_called_for_a_published_job() -> None:
    client = fakeredis.FakeRedis(decode_responses=True)
    listener = Listener(lambda: Interruptions(client, Keys()))
    pulse, removed, other = (
        Pulse(listener),
        Attempt("banana", pause=_FAR_SECONDS),
        Attempt("banana", pause=_FAR_SECONDS),
    )
    pulse.add(removed)
    pulse.add(other)
    pulse.remove(removed)
    listener.open()
    publish(client, "banana")
    other.wait()
    assert not removed.changed.acquire(blocking=False)
    pulse.remove(other)
