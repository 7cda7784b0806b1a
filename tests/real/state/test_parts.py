"""Parts in Redis: each is made once, unless its maker is lost or slow."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.state import operator_calls, parts_calls
from reconstruction_operator.state.replies import HelpersUsage, PartsReply

from tests.support.protocol.caller import SUCCESS, TASK, Caller

RUN = "first"  # the token of the caller's run
STAGE = "depth-maps~0123"


@pytest.fixture
def running(do: Caller) -> Caller:
    """With attempt 1 claimed by `RUN`."""
    do.want()
    do.claim()
    return do


def take(do: Caller, maker: str = RUN, made: int | None = None, **other: Any) -> PartsReply:
    wanted: dict[str, Any] = {"stage": STAGE, "count": 3, **other}
    state: PartsReply = do(parts_calls.take_part, "job", run=RUN, maker=maker, made=made, **wanted)
    return state


def join(do: Caller, helper: str = "helper", **other: Any) -> Any:
    return do(parts_calls.help_run, "job", run=RUN, helper=helper, worker="w2", life="life", **other)


def lose(do: Caller, helper: str) -> None:
    """Let the helper's newest heartbeat be a long time ago."""
    do.client.hset(do.keys.parts("job"), f"h{helper}", "1000 w2")


def test_run_and_helper_make_each_part_once_and_then_the_stage_is_over(running: Caller) -> None:
    assert take(running).part == 0
    assert (join(running).beat.owned, join(running).stage) == (True, STAGE)
    assert take(running, "helper").part == 1
    assert take(running, "helper", made=1).part == 2
    waiting = take(running, made=0)
    assert (waiting.part, waiting.over, waiting.made, waiting.makers) == (None, False, 2, 1)
    assert waiting.helpers["helper"].endswith(" w2")

    assert take(running, "helper", made=2).over
    done = take(running)
    assert (done.over, done.made, done.makers) == (True, 3, 0)


def test_a_repeated_call_gets_the_same_part(running: Caller) -> None:
    assert take(running).part == take(running).part == 0
    assert take(running, made=0).part == take(running, made=0).part == 1


def test_a_helper_gets_parts_only_of_the_stage_that_the_run_makes_now(running: Caller) -> None:
    assert take(running, "helper").over
    assert not join(running).beat.owned
    take(running)
    join(running)
    assert take(running, stage="views~4567", count=2).part == 0
    assert take(running, "helper").over
    assert join(running).stage == "views~4567"
    assert take(running, "helper", stage="views~4567", count=2).part == 1


def test_the_part_of_a_lost_helper_is_given_to_another_and_at_last_to_the_run_alone(running: Caller) -> None:
    take(running, count=2)
    for helper in ("one", "two"):
        join(running, helper)
        assert take(running, helper, count=2).part == 1
        lose(running, helper)
    join(running, "three")
    refused = take(running, "three", count=2)
    assert (refused.part, refused.over) == (None, False)  # part 1 has cost two helpers

    again = take(running, made=0, count=2)
    assert (again.part, again.helpers["one"]) == (1, "left")


def test_a_slow_part_is_begun_once_more_and_the_first_result_counts(running: Caller) -> None:
    take(running)
    join(running)
    assert take(running, "helper").part == 1
    running.client.hset(running.keys.parts("job"), "p1", "helper 1000 0")  # it began long ago
    assert take(running, made=0).part == 2
    assert take(running, made=2).part == 1

    assert take(running, "helper", made=1).over
    assert take(running, made=1).over


def test_a_helper_that_yields_reports_its_part_and_gets_none(running: Caller) -> None:
    take(running)
    join(running)
    take(running, "helper")
    assert take(running, "helper", made=1, what="leave").over
    assert take(running, made=0).part == 2
    assert take(running, made=2).over


def test_a_look_takes_no_part_and_counts_those_who_make_one(running: Caller) -> None:
    assert take(running, what="look").over  # no stage is made in parts
    take(running)
    join(running)
    take(running, "helper")
    for _ in range(2):
        seen = take(running, what="look")
        assert (seen.part, seen.over, seen.made, seen.makers) == (None, False, 0, 2)
    assert take(running, made=0).part == 2


@pytest.mark.parametrize("how", ["end", "heartbeat", "closed", "cancel", "stop"])
def test_helpers_stop_with_their_run(running: Caller, how: str) -> None:
    take(running)
    assert join(running).beat.owned
    if how == "end":
        running.finish(end=SUCCESS)
    elif how == "heartbeat":
        running.client.delete(running.keys.alive("job"))
    elif how == "closed":
        running(parts_calls.close_parts, "job", run=RUN)
    elif how == "cancel":
        running.flag("confirm")
    else:
        running.order(operator_calls.request_stop, attempt=TASK, reason=StopReason.SUSPEND)

    beat = join(running).beat
    assert (not beat.owned, beat.cancelled, beat.stop is not None) == (
        how in ("end", "heartbeat", "closed"),
        how == "cancel",
        how == "stop",
    )


def test_a_closed_run_waits_for_its_helpers_counts_their_time_and_leaves_nothing(running: Caller) -> None:
    take(running)
    join(running, "one")
    join(running, "two")
    running(parts_calls.leave_parts, "job", run=RUN, helper="one", used=HelpersUsage(2.5, 10, 20))
    assert running(parts_calls.close_parts, "job", run=RUN) == (1, HelpersUsage(2.5, 10, 20))
    assert take(running, "two").over
    running(parts_calls.leave_parts, "job", run=RUN, helper="two", used=HelpersUsage(1.0, 1, 2))

    assert running(parts_calls.close_parts, "job", run=RUN) == (0, HelpersUsage(3.5, 11, 22))
    assert not running.client.exists(running.keys.parts("job"))
    running(parts_calls.leave_parts, "job", run=RUN, helper="two", used=HelpersUsage(1.0, 1, 2))
    assert not running.client.exists(running.keys.parts("job"))


def test_the_run_learns_why_a_worker_refused_to_help(running: Caller) -> None:
    take(running)
    running(parts_calls.leave_parts, "job", run=RUN, helper="one", why="w2: another version")
    assert take(running).helpers == {"one": "w2: another version"}


@pytest.mark.parametrize("text", ["", "made", "made x", "helper", "helper x y", "a b c d"])
def test_malformed_data_about_a_part_counts_as_a_free_part(running: Caller, text: str) -> None:
    take(running)
    running.client.hset(running.keys.parts("job"), "p1", text)
    assert take(running, made=0).part == 1
