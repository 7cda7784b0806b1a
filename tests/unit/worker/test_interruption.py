"""Interruptions: they reach blocked code, and keep a result that is still useful."""

from __future__ import annotations

import threading

import pytest
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.worker.interruption import (
    InterruptedRunError,
    Interruption,
    InterruptionKind,
    call_interruptibly,
)

CANCELLED = Interruption(InterruptionKind.CANCELLED)
_KEEPING = {StopReason.SUSPEND, StopReason.DEADLINE}


def proceed() -> None:
    """A check that lets the run continue."""


def test_the_functions_own_exception_is_raised() -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        call_interruptibly(fail, proceed)


def test_a_blocked_function_does_not_delay_the_interruption() -> None:
    started = threading.Event()
    released = threading.Event()
    ended = threading.Event()

    def blocked() -> None:
        started.set()
        released.wait(30)
        ended.set()

    def check() -> None:
        assert started.wait(30)
        raise InterruptedRunError(CANCELLED)

    with pytest.raises(InterruptedRunError) as caught:
        call_interruptibly(blocked, check)

    assert caught.value.interruption is CANCELLED
    assert not ended.is_set()
    released.set()
    assert ended.wait(30)  # the abandoned thread ends by itself


def test_the_check_continues_until_the_function_returns_its_result() -> None:
    checks, thrice = [], threading.Event()

    def check() -> None:
        checks.append(1)
        if len(checks) == 3:
            thrice.set()

    assert call_interruptibly(lambda: thrice.wait(30), check)
    assert len(checks) >= 3


@pytest.mark.parametrize(
    ("interruption", "kept"),
    [
        (CANCELLED, False),
        (Interruption(InterruptionKind.SUPERSEDED), False),
        (Interruption(InterruptionKind.DRAINED), True),
        (Interruption(InterruptionKind.EXHAUSTED), True),
        *((Interruption(InterruptionKind.STOPPED, reason), reason in _KEEPING) for reason in StopReason),
    ],
)
def test_a_result_is_kept_for_the_next_attempt_or_after_a_deadline(interruption: Interruption, kept: bool) -> None:
    assert interruption.keeps_result is kept
