"""An operator that dies at any step of a dispatch, or whose status is not stored: the next one repeats the dispatch without harm.

The status is written last, after the record, the message and the note that it was sent.
"""

from __future__ import annotations

from contextlib import closing
from typing import Final

import pytest
import redis
from reconstruction_operator.api.status import Phase

from tests.real.protocol.promises import Promises

JOB: Final = "job-a"
STEPS = [
    pytest.param(0, id="before-the-record"),
    pytest.param(1, id="before-the-message"),
    pytest.param(2, id="before-the-message-is-marked-as-sent"),
    pytest.param(3, id="before-the-status"),
    pytest.param(None, id="alive-and-the-status-is-lost"),
]


def _lose_the_worker_of_attempt_1(here: Promises) -> None:
    """Then the status says that attempt 2 follows."""
    for _ in range(2):
        here.turn(here.operators[0], JOB)
    run = here.take(here.messages.pop(), fails=False)
    here.advance(run, 6)
    here.kill(run)
    here.silence(JOB)
    for _ in range(12):
        if here.objects[JOB].status.attempt < 2:
            here.turn(here.operators[0], JOB)
    assert (here.objects[JOB].status.attempt, here.messages) == (2, [])


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize("steps", STEPS)
def test_a_dispatch_that_is_interrupted_is_repeated_without_harm(
    client: redis.Redis, steps: int | None, attempt: int
) -> None:
    with closing(Promises(client, [JOB])) as here:
        here.lead(0)
        here.register("worker-1")
        if attempt == 2:
            _lose_the_worker_of_attempt_1(here)
        else:
            here.turn(here.operators[0], JOB)

        here.turn(here.operators[0], JOB, actions=steps, writes=False)
        if steps is not None:
            here.lead(1)
        assert (here.objects[JOB].status.dispatch_time, len(here.messages)) == (None, int(steps is None or steps > 1))

        for _ in range(10):
            for _ in range(2):
                here.turn(here.operators[here.leader], JOB)
            while here.messages:
                here.advance(here.take(here.messages.pop(), fails=False), 100)
            here.hold()
        assert (here.objects[JOB].status.phase, here.objects[JOB].status.attempt) == (Phase.SUCCEEDED, attempt)
        assert {task for task in here.granted if task.endswith(f"-{attempt}")} == {f"{JOB}-{attempt}"}
        here.everything_ends(with_another_leader=False)
