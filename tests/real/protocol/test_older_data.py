"""Redis comes back with older data, at each point of a job's life: the job still ends as it must, and no failure counts."""

import itertools
from contextlib import closing

import pytest
import redis
from reconstruction_operator.api.status import Phase

from tests.real.protocol.promises import Promises
from tests.real.protocol.stories import JOB, STORIES, TO_THE_END, Story

pytestmark = pytest.mark.long

AGES = (1, pytest.param(4, marks=pytest.mark.release), 12)  # steps that are lost


def _steps(client: redis.Redis, story: Story) -> int:
    with closing(Promises(client, [JOB], compared=False)) as here:
        count = sum(1 for _ in story(here))
        here.everything_ends(with_another_leader=False)
    return count


def _go_back(client: redis.Redis, story: Story, step: int, age: int, first: str) -> None:
    """Run the story up to that step, restore what Redis held some steps before, and let everything end."""
    with closing(Promises(client, [JOB], compared=False)) as here:
        older = max(0, step - age)
        life = story(here)
        next(itertools.islice(life, older, None))
        before = here.snapshot()
        for _ in itertools.islice(life, step - older):
            pass
        here.restore(before, restarts=step % 4 < 2)
        thing = here.objects[JOB]
        over, wanted = thing.over, {Phase.CANCELLED if thing.spec.cancel_confirmed else Phase.SUCCEEDED}
        if here.outputs:
            wanted.add(Phase.SUCCEEDED)  # its work was done before
        if first == "worker":
            wanted.add(Phase.SUCCEEDED)  # the worker cannot know of a cancel
            for run in list(here.runs.values()):
                here.advance(run, TO_THE_END)
        here.hold()
        here.everything_ends(with_another_leader=False)
        assert over or thing.status.phase in wanted, f"it is {thing.status.phase}, not {wanted}"
        assert thing.status.failures == 0, f"a failure was counted: {thing.status.failure}"


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("story", STORIES)
def test_older_data_at_any_point_changes_no_end(client: redis.Redis, story: Story, age: int) -> None:
    for step in range(_steps(client, story)):
        first = ("worker", "operator")[step % 2]
        try:
            _go_back(client, story, step, age, first)
        except AssertionError as error:
            error.add_note(
                f"after step {step} of {story.__name__}, {age} steps were lost, and the {first} continued first"
            )
            raise
