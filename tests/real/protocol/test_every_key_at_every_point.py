"""Loss of each key at each point: every job still ends as it must.

The state machine draws such losses at random, among everything else; here none is left out. A story is a short life of one
job, in fixed steps. It runs once to count its steps, and then again for each key that exists after each step: the key is
lost, the story ends, and the promises are checked.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

import pytest
import redis
from reconstruction_operator.api.status import Phase

from tests.real.protocol.promises import Promises
from tests.support.protocol import State

pytestmark = pytest.mark.long

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
    """The run notices what the operator did, and goes on to its end, which the operator sees."""
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


def _points(client: redis.Redis, story: Story) -> list[tuple[str, ...]]:
    """The keys that exist after each step of the story, without a loss."""
    with closing(Promises(client, [JOB])) as here:
        there = [tuple(sorted(State.of(client).values)) for _ in story(here)]
        here.hold()
        here.everything_ends(with_another_leader=False)
    return there


def _lose(client: redis.Redis, story: Story, step: int, key: str, first: str) -> None:
    """Run the story up to that step, lose the key, and let everything end."""
    with closing(Promises(client, [JOB], compared=False)) as here:
        next(itertools.islice(story(here), step, None))
        here.drop(key)
        thing = here.objects[JOB]
        over, wanted = thing.over, {Phase.CANCELLED if thing.spec.cancel_confirmed else Phase.SUCCEEDED}
        if first == "worker":
            if not here.runs:
                return  # there is no run that could be faster than the operator
            if here.keys.cancel(JOB) not in here.now().values:
                wanted.add(Phase.SUCCEEDED)  # the worker cannot know of a cancel
            for run in list(here.runs.values()):
                here.advance(run, TO_THE_END)
        here.hold()
        here.everything_ends(with_another_leader=False)
        assert over or thing.status.phase in wanted, f"it is {thing.status.phase}, not {wanted}"


@pytest.mark.parametrize("half", [0, pytest.param(1, marks=pytest.mark.release)])  # every other loss in `make test`
@pytest.mark.parametrize("story", [succeeds, is_cancelled, is_deleted, is_suspended])
def test_loss_of_any_key_at_any_point_changes_no_end(client: redis.Redis, story: Story, half: int) -> None:
    for step, there in enumerate(_points(client, story)):
        for number, (key, first) in enumerate(itertools.product(there, ("worker", "operator"))):
            if first == "worker" and JOB not in key:
                continue  # a run never reads it
            if (number // 2 + number + step) % 2 != half:  # the other half: the same key with the other one first
                continue
            try:
                _lose(client, story, step, key, first)
            except AssertionError as error:
                error.add_note(f"{key} was lost after step {step} of {story.__name__}, and the {first} went on first")
                raise
