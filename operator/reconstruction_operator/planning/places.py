"""Queue positions: rounded, so that a moving queue causes few status writes.

A position is rounded up to 1, 2, 5, 10, 20, 50, …: a job that moves from place 200 to place 1 gets about eight texts. Only the first
jobs of a queue have a position.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LISTED: Final = 200  # jobs of one queue that get a position


class Wait(NamedTuple):
    """What a job waits for: as a sentence, and in a word or two."""

    text: str = ""
    short: str = ""


UNKNOWN: Final = Wait()
"""The wait of a job that has not been planned yet."""


def rounded(number: int) -> int:
    """Return the number, or the next larger one of 1, 2, 5, 10, 20, 50, …"""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if number <= factor * step:
                return factor * step
        step *= 10


def place(queue: str, number: int, *, paused: bool = False) -> Wait:
    """Return what a job at this position waits for."""
    if paused:
        return Wait(
            f"Waiting: Redis is nearly full, and nothing is sent to queue {queue} until it has room", "Redis full"
        )
    at = rounded(number)
    return Wait(f"Waiting for room in queue {queue}: place {at} or better", f"place {at}")


def held(namespace: str) -> Wait:
    """Return what a job waits for if a quota holds it back."""
    return Wait(
        f"Waiting: namespace {namespace} has as many jobs in flight as it may (NAMESPACE_MAX_RUNNING, NAMESPACE_MAX_HIGH)",
        "quota",
    )
