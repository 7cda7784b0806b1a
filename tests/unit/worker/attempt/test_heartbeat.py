"""What a run hears through its heartbeat, and what beats what."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.state.replies import BeatReply
from reconstruction_operator.worker.attempt.heartbeat import Heartbeat
from reconstruction_operator.worker.attempt.interruption import (
    InterruptedRunError,
    Interruption,
    InterruptionKind,
)
from redis.exceptions import ConnectionError as RedisConnectionError

FINE = BeatReply(owned=True)
CANCELLED = BeatReply(owned=True, cancelled=True)
SUSPENDED = BeatReply(owned=True, stop=StopReason.SUSPEND)
OVERTAKEN = BeatReply(owned=False)


def make(
    beat: Callable[[], BeatReply] = lambda: FINE,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    first: BeatReply = FINE,
    every: float = 0.02,
) -> Heartbeat:
    return Heartbeat(beat=beat, cancelled=cancelled, every_seconds=every, drain_seconds=0.3, first=first)


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        pytest.param([FINE], None, id="nothing"),
        pytest.param([CANCELLED], Interruption(InterruptionKind.CANCELLED), id="cancelled"),
        pytest.param([SUSPENDED], Interruption(InterruptionKind.STOPPED, StopReason.SUSPEND), id="stopped"),
        pytest.param([OVERTAKEN], Interruption(InterruptionKind.OVERTAKEN), id="overtaken"),
        pytest.param([SUSPENDED, CANCELLED], Interruption(InterruptionKind.CANCELLED), id="a cancel beats a stop"),
        pytest.param([CANCELLED, SUSPENDED], Interruption(InterruptionKind.CANCELLED), id="also when it was first"),
        pytest.param(
            [CANCELLED, OVERTAKEN], Interruption(InterruptionKind.OVERTAKEN), id="who is overtaken has nothing to say"
        ),
        pytest.param([OVERTAKEN, CANCELLED], Interruption(InterruptionKind.OVERTAKEN), id="not even of a cancel"),
        pytest.param(
            [SUSPENDED, FINE], Interruption(InterruptionKind.STOPPED, StopReason.SUSPEND), id="a stop is final"
        ),
        pytest.param(
            [BeatReply(owned=True, cancelled=True, stop=StopReason.DELETED)],
            Interruption(InterruptionKind.CANCELLED),
            id="both at once",
        ),
    ],
)
def test_what_is_wanted_follows_from_what_was_heard(replies: list[BeatReply], expected: Interruption | None) -> None:
    heard = iter(replies)
    heartbeat = make(lambda: next(heard))
    for _ in replies:
        heartbeat.ask_now()
    assert heartbeat.interruption == expected


def test_the_claims_own_answer_counts() -> None:
    assert make(first=CANCELLED).interruption == Interruption(InterruptionKind.CANCELLED)


def test_waiting_ends_at_once_when_a_cancel_is_heard() -> None:
    flag = threading.Event()
    with make(cancelled=flag.is_set) as heartbeat:
        threading.Timer(0.05, flag.set).start()
        begun = time.monotonic()
        with pytest.raises(InterruptedRunError, match="cancelled"):
            heartbeat.wait(60.0)
    assert time.monotonic() - begun < 30.0


def test_waiting_without_a_word_takes_its_time() -> None:
    with make() as heartbeat:
        begun = time.monotonic()
        heartbeat.wait(0.1)
    assert time.monotonic() - begun >= 0.1


def test_it_goes_on_beating_while_redis_is_away() -> None:
    beats: list[float] = []
    enough = threading.Event()

    def beat() -> BeatReply:
        beats.append(time.monotonic())
        if len(beats) < 4:
            raise RedisConnectionError("away")
        enough.set()
        return SUSPENDED

    with make(beat) as heartbeat:
        assert enough.wait(30.0)
        with pytest.raises(InterruptedRunError):
            heartbeat.wait(30.0)


def test_a_draining_worker_gives_its_runs_up_when_the_time_is_over() -> None:
    begun = time.monotonic()
    with make(first=BeatReply(owned=True, drain_at=datetime.now(UTC) + timedelta(seconds=0.2))) as heartbeat:
        assert heartbeat.interruption is None
        with pytest.raises(InterruptedRunError, match="drained"):
            heartbeat.wait(60.0)
    assert 0.15 < time.monotonic() - begun < 30.0


def test_a_clock_that_is_far_behind_redis_does_not_delay_a_drain() -> None:
    begun = time.monotonic()
    with (
        make(first=BeatReply(owned=True, drain_at=datetime.now(UTC) + timedelta(hours=5))) as heartbeat,
        pytest.raises(InterruptedRunError, match="drained"),
    ):
        heartbeat.wait(60.0)
    assert time.monotonic() - begun < 30.0


def test_a_cancel_beats_a_drain() -> None:
    heartbeat = make(lambda: CANCELLED, first=BeatReply(owned=True, drain_at=datetime.now(UTC) - timedelta(seconds=1)))
    heartbeat.ask_now()
    assert heartbeat.interruption == Interruption(InterruptionKind.CANCELLED)
