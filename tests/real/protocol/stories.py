"""Stories: short lives of one job, in fixed steps, for tests that break something after each step."""

from collections.abc import Callable, Iterator
from typing import Final

from tests.real.protocol.promises import Promises

JOB: Final = "job-a"
TO_THE_END: Final = 100  # points, more than any run has
Story = Callable[[Promises], Iterator[None]]


def _begins(here: Promises, *, until: str) -> Iterator[None]:
    """The operator sends the job, one action at a time, and a worker takes it and runs to that point."""
    here.lead(0)
    here.register("worker-1")
    yield
    yield from _turn(here)
    here.take(here.messages.pop(), fails=False)
    yield
    yield from _runs(here, until)


def _turn(here: Promises) -> Iterator[None]:
    """The leader observes, and acts at its next turn."""
    leader = here.operators[here.leader]
    here.turn(leader, JOB)
    yield
    here.turn(leader, JOB)
    yield


def _runs(here: Promises, until: str = "") -> Iterator[None]:
    """The run goes from point to point, to that point or to its end."""
    (run,) = here.runs.values()
    while not run.fiber.over and run.fiber.point != until:
        here.advance(run, 1)
        yield


def _reacts(here: Promises) -> Iterator[None]:
    """The run notices what the operator did, and continues to its end, which the operator sees."""
    for run in here.runs.values():
        here.beat(run)
    yield
    yield from _runs(here)
    yield from _turn(here)


def succeeds(here: Promises) -> Iterator[None]:
    """From the first message to the end in the status."""
    yield from _begins(here, until="")
    yield from _turn(here)


def is_cancelled(here: Promises) -> Iterator[None]:
    """In the middle of its run."""
    yield from _begins(here, until="the model runs")
    here.wish(here.objects[JOB], "a user requests a cancel")
    yield from _turn(here)
    here.wish(here.objects[JOB], "a user confirms the cancel")
    yield from _turn(here)
    yield from _reacts(here)


def is_deleted(here: Promises) -> Iterator[None]:
    """In the middle of its run; then its files are cleaned up."""
    yield from _begins(here, until="the model runs")
    here.delete(here.objects[JOB])
    yield from _turn(here)
    yield from _reacts(here)
    for message in here.messages[:1]:
        here.messages.remove(message)
        here.take(message, fails=False)
        yield from _runs(here)
    yield from _turn(here)


def is_suspended(here: Promises) -> Iterator[None]:
    """In the middle of its run, and resumed."""
    yield from _begins(here, until="the model runs")
    here.wish(here.objects[JOB], "a user suspends or resumes")
    yield from _turn(here)
    yield from _reacts(here)
    here.wish(here.objects[JOB], "a user suspends or resumes")
    yield from _turn(here)


STORIES: Final = (succeeds, is_cancelled, is_deleted, is_suspended)
