"""A superseded run pauses before each change on the disk, and continues when its successor is before each of its own.

The state machine draws such moments at random; here none is left out, in `make test` and `make test-long` together.
"""

import errno
import os
from contextlib import closing
from typing import Final

import pytest
import redis
from reconstruction_operator.api.status import Phase
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.services import file_handler

from tests.real.protocol.machine import CHANGES
from tests.real.protocol.promises import Promises
from tests.real.protocol.world import Run

JOB: Final = "job-a"


def _first(here: Promises) -> Run:
    here.lead(0)
    here.register("worker-1")
    return _take(here, attempt=1)


def _take(here: Promises, *, attempt: int) -> Run:
    for _ in range(12):
        here.turn(here.operators[0], JOB)
        found = [message for message in here.messages if message.attempt == attempt]
        if found:
            here.messages.clear()
            return here.take(found[0], fails=False)
    raise AssertionError(f"attempt {attempt} was never sent")


def _go(here: Promises, run: Run, changes: int) -> bool:
    """Continue until it is before its change number `changes` on the disk; False if it has fewer."""
    while not run.fiber.over:
        if run.fiber.point in CHANGES:
            if changes == 0:
                return True
            changes -= 1
        here.advance(run, 1)
    return False


def _to_its_end(here: Promises, run: Run) -> None:
    while not run.fiber.over:
        here.advance(run, 1)


def _meet(client: redis.Redis, stops_before: int, meets: int) -> tuple[bool, bool]:
    """Whether the first run has so many changes before its end is recorded, and its successor so many in all."""
    with closing(Promises(client, [JOB], compared=False)) as here:
        one = _first(here)
        if not _go(here, one, stops_before) or here.keys.end(one.message.task) in here.now().values:
            return False, False
        here.silence(JOB)
        two = _take(here, attempt=2)
        met = _go(here, two, meets)
        _to_its_end(here, one)
        _to_its_end(here, two)
        assert two.end is not None, f"{two} has no end"
        assert two.end.outcome is Outcome.SUCCEEDED, f"{two} ended as {two.end}"
        assert here.sealed(JOB) in (one.token, two.token)
        here.hold()
        here.everything_ends(with_another_leader=False)
        return True, met


@pytest.mark.parametrize("half", [0, pytest.param(1, marks=pytest.mark.release)])  # every other point in `make test`
def test_a_superseded_run_never_harms_its_successor_at_any_pair_of_points(client: redis.Redis, half: int) -> None:
    pairs, stops_before = 0, half
    while True:
        meets, there, met = 0, True, True
        while there and met:  # the last time when its successor has ended
            try:
                there, met = _meet(client, stops_before, meets)
            except AssertionError as error:
                error.add_note(f"run 1 paused before change {stops_before} until run 2 was before change {meets}")
                raise
            pairs, meets = pairs + there, meets + 1
        if not there:
            break
        stops_before += 2
    assert stops_before > 10
    assert pairs > 5 * stops_before


def test_files_that_a_cancelled_attempt_could_not_delete_are_deleted_later(client: redis.Redis) -> None:
    with closing(Promises(client, [JOB], compared=False)) as here:
        run = _first(here)
        while run.fiber.point != "the model runs":
            here.advance(run, 1)
        here.wish(here.objects[JOB], "a user cancels in two steps")
        for _ in range(2):
            here.turn(here.operators[0], JOB)
        here.beat(run)
        while not run.fiber.over:
            if run.fiber.point in CHANGES:
                here.fail(run, OSError(errno.EROFS, os.strerror(errno.EROFS)))
            else:
                here.advance(run, 1)
        assert file_handler.job_dir(JOB).exists()

        here.everything_ends(with_another_leader=False)

        assert here.objects[JOB].status.phase is Phase.CANCELLED
        assert not file_handler.job_dir(JOB).exists()
