"""Heartbeat: the interruptions that it finds, which of them wins, and outages of Redis."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.state.replies import BeatReply
from reconstruction_operator.worker.heartbeat import Heartbeat
from reconstruction_operator.worker.interruption import InterruptedRunError, Interruption, InterruptionKind
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

pytestmark = pytest.mark.usefixtures("client")

FINE = BeatReply(owned=True)
CANCELLED = BeatReply(owned=True, cancelled=True)
SUSPENDED = BeatReply(owned=True, stop=StopReason.SUSPEND)
SUPERSEDED = BeatReply(owned=False)


def make(
    beat: Callable[[], BeatReply] = lambda: FINE,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    every_seconds: float = 0.02,
    first: BeatReply = FINE,
) -> Heartbeat:
    return Heartbeat(
        beat=beat,
        cancelled=cancelled,
        every_seconds=every_seconds,
        drain_seconds=0.3,
        first=first,
        first_asked_at=time.monotonic(),
    )


@pytest.mark.parametrize("error", [RedisConnectionError("cut"), ResponseError("WRONGTYPE"), RuntimeError("defect")])
def test_a_failed_beat_is_repeated(error: Exception) -> None:
    replies: list[BeatReply | Exception] = [error, FINE]

    def beat() -> BeatReply:
        reply = replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    heartbeat = make(beat)
    assert [heartbeat.poll() for _ in range(2)] == [False, True]
    assert not heartbeat.redis_is_away


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        pytest.param([CANCELLED], Interruption(InterruptionKind.CANCELLED), id="cancelled"),
        pytest.param([SUSPENDED], Interruption(InterruptionKind.STOPPED, StopReason.SUSPEND), id="stopped"),
        pytest.param([SUPERSEDED], Interruption(InterruptionKind.SUPERSEDED), id="superseded"),
        pytest.param([SUSPENDED, CANCELLED], Interruption(InterruptionKind.CANCELLED), id="cancel-after-stop"),
        pytest.param([CANCELLED, SUSPENDED], Interruption(InterruptionKind.CANCELLED), id="cancel-before-stop"),
        pytest.param([CANCELLED, SUPERSEDED], Interruption(InterruptionKind.SUPERSEDED), id="superseded-after-cancel"),
        pytest.param([SUPERSEDED, CANCELLED], Interruption(InterruptionKind.SUPERSEDED), id="superseded-before-cancel"),
        pytest.param([SUSPENDED, FINE], Interruption(InterruptionKind.STOPPED, StopReason.SUSPEND), id="stop-is-final"),
        pytest.param(
            [BeatReply(owned=True, cancelled=True, stop=StopReason.DELETED)],
            Interruption(InterruptionKind.CANCELLED),
            id="cancel-with-stop",
        ),
    ],
)
def test_replies_become_an_interruption(replies: list[BeatReply], expected: Interruption) -> None:
    heard = iter(replies)
    heartbeat = make(lambda: next(heard))
    for _ in replies:
        heartbeat.ask_now()
    assert heartbeat.interruption == expected


def test_no_beat_comes_after_the_end() -> None:
    heartbeat = make(lambda: CANCELLED)
    heartbeat.cease()
    assert not heartbeat.poll()
    assert heartbeat.interruption is None


def test_a_flag_that_is_set_ends_a_wait() -> None:
    with make(cancelled=lambda: True) as heartbeat, pytest.raises(InterruptedRunError, match="cancelled"):
        heartbeat.wait(60.0)


def test_the_first_turn_after_an_outage_is_a_beat() -> None:
    asked: list[str] = []
    enough = threading.Event()

    def beat() -> BeatReply:
        asked.append("beat")
        if asked.count("beat") < 3:
            raise RedisConnectionError("outage")
        return FINE

    def look() -> bool:
        asked.append("look")
        if "beat" in asked:
            enough.set()
        return False

    with make(beat, cancelled=look):
        assert enough.wait(30.0)
    assert asked[:8] == [*["look"] * 4, *["beat"] * 3, "look"]


def test_an_uninterrupted_wait_takes_its_time() -> None:
    with make() as heartbeat:
        begun = time.monotonic()
        heartbeat.wait(0.1)
    assert time.monotonic() - begun >= 0.1


@pytest.mark.parametrize(
    ("drain_after", "at_least_seconds"),
    [pytest.param(0.2, 0.15, id="at its deadline"), pytest.param(18_000, 0.0, id="in time despite clock skew")],
)
def test_a_drain_interrupts_the_run(drain_after: float, at_least_seconds: float) -> None:
    begun = time.monotonic()
    first = BeatReply(owned=True, drain_at=datetime.now(UTC) + timedelta(seconds=drain_after))
    with make(first=first) as heartbeat, pytest.raises(InterruptedRunError, match="drained"):
        heartbeat.wait(60.0)
    assert time.monotonic() - begun > at_least_seconds


def test_a_cancel_overrides_a_drain() -> None:
    heartbeat = make(lambda: CANCELLED, first=BeatReply(owned=True, drain_at=datetime.now(UTC) - timedelta(seconds=1)))
    heartbeat.ask_now()
    assert heartbeat.interruption == Interruption(InterruptionKind.CANCELLED)
