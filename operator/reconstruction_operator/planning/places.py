"""Queue positions: rounded, so that a moving queue causes few status writes.

A position is rounded up to 1, 2, 5, 10, 20, 50, …: a job that moves from place 200 to place 1 gets about eight texts.
Only the first jobs of a queue have a position.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LISTED: Final = 200  # jobs of one queue that get a position


class Place(NamedTuple):
    """What admission knows of a job that waits for its turn."""

    number: int = 0  # its place in its queue, rounded up; 0: unknown
    over_quota: bool = False  # its namespace has as many jobs in flight as it may
    redis_full: bool = False  # nothing is sent to any queue


UNKNOWN: Final = Place()
"""The place of a job that has not been planned yet."""
OVER_QUOTA: Final = Place(over_quota=True)


def rounded(number: int) -> int:
    """Return the number, or the next larger one of 1, 2, 5, 10, 20, 50, …"""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if number <= factor * step:
                return factor * step
        step *= 10


def place(number: int, *, paused: bool = False) -> Place:
    """Return the place of a job at this position. `paused`: nothing is sent, because Redis is nearly full."""
    return Place(redis_full=True) if paused else Place(rounded(number))
