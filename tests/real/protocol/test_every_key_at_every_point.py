"""Loss of each key at each point: every job still ends as it must.

The state machine draws such losses at random, among everything else; here none is left out. A story is a short life of one
job, in fixed steps. It runs once to count its steps, and then again for each key that exists after each step: the key is
lost, the story ends, and the promises are checked.
"""

import itertools
from contextlib import closing

import pytest
import redis
from reconstruction_operator.api.status import Phase

from tests.real.protocol.promises import Promises
from tests.real.protocol.stories import JOB, STORIES, TO_THE_END, Story
from tests.support.protocol.state import State

pytestmark = pytest.mark.long

PARTS = 6


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
        counted = 0 if key.startswith("alive:") else thing.status.failures  # without a heartbeat, the worker is lost
        assert counted == 0, f"a failure was counted: {thing.status.failure}"


@pytest.mark.parametrize("part", [0, *(pytest.param(one, marks=pytest.mark.release) for one in range(1, PARTS))])
@pytest.mark.parametrize("story", STORIES)
def test_loss_of_any_key_at_any_point_changes_no_end(client: redis.Redis, story: Story, part: int) -> None:
    """A sixth of the losses in `make test`, all of them in `make test-long`."""
    for step, there in enumerate(_points(client, story)):
        for number, (key, first) in enumerate(itertools.product(there, ("worker", "operator"))):
            if first == "worker" and JOB not in key:
                continue  # a run never reads it
            if (number // 2 + number % 2 * PARTS // 2 + step) % PARTS != part:
                continue  # the same key with the other one first is in another part
            try:
                _lose(client, story, step, key, first)
            except AssertionError as error:
                error.add_note(f"{key} was lost after step {step} of {story.__name__}, and the {first} continued first")
                raise
