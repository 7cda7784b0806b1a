"""Places in line, as a status shows them: rounded, so that a queue that moves causes few writes.

A place is shown as the next of 1, 2, 5, 10, 20, 50, …: a job that comes from place 200 to the first one gets about eight
texts. Only the first jobs of a queue have a place.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LISTED: Final = 200  # jobs of one queue that are given a place
_SLACK: Final = 4  # the shown number changes when the true one, rounded, is smaller by this factor


class Wait(NamedTuple):
    """What a job waits for: as a sentence, and in a word or two."""

    text: str = ""
    short: str = ""


UNKNOWN: Final = Wait()
"""The wait of a job that was not planned yet."""


def rounded(number: int) -> int:
    """The number, or the next larger one of 1, 2, 5, 10, 20, 50, …"""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if number <= factor * step:
                return factor * step
        step *= 10


def total(number: int, shown: int) -> int:
    """An upper bound of the jobs that wait, for display. The number that is shown now is kept while it is nearly right: no flicker."""
    return shown if number <= shown < rounded(number) * _SLACK else rounded(number)


def place(queue: str, number: int, of: int, *, paused: bool = False) -> Wait:
    """What a job in line waits for."""
    if paused:
        return Wait(
            f"Waiting: Redis is nearly full, and nothing is sent to queue {queue} until it has room", "Redis full"
        )
    at = rounded(number)
    return Wait(f"Waiting for room in queue {queue}: place {at} or better, of at most {of}", f"place {at}")


def held(namespace: str) -> Wait:
    """What a job waits for if a quota holds it back."""
    return Wait(
        f"Waiting: namespace {namespace} has as many jobs in flight as it may (NAMESPACE_MAX_RUNNING, NAMESPACE_MAX_HIGH)",
        "quota",
    )
