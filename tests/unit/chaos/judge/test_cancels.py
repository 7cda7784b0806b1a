"""A confirmed cancel stops the work in time."""

from dataclasses import replace

import pytest

from chaos.judge.evidence import Evidence, Leftover
from tests.unit.chaos.judge.cases import (
    CANCELLED,
    COULD_HAVE_KNOWN,
    FAILED,
    LATE_CANCEL,
    LEADER,
    STANDBY,
    STOPPED,
    SUCCEEDED,
    broken,
    cancelled,
    confirmed,
    delivered,
    evidence,
    problems,
    run,
    running,
)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(cancelled(runs=(run(last=11.0, ended=False),)), id="the model of a cancelled job stopped"),
        pytest.param(
            cancelled(runs=(run(start=11.0, last=12.0, ended=False),)), id="an attempt began just after the cancel"
        ),
        pytest.param(cancelled(LEADER, runs=COULD_HAVE_KNOWN), id="an attempt began while no operator led"),
        pytest.param(cancelled(STOPPED, runs=COULD_HAVE_KNOWN), id="an attempt began while its worker was stopped"),
        pytest.param(cancelled(LEADER, end=LATE_CANCEL, runs=()), id="a fault delayed the cancel"),
    ],
)
def test_allowed_cancel_breaks_no_invariant(found: Evidence) -> None:
    assert problems(found) == []


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(evidence(confirmed(13.0), running(6.0, 20), SUCCEEDED), id="a cancel just before the end"),
        pytest.param(
            evidence(confirmed(2.0), SUCCEEDED, windows=(replace(LEADER, begin=1.0, end=2.0),)),
            id="a cancel while no operator led",
        ),
    ],
)
def test_excused_cancel_does_not_break_the_invariant(found: Evidence) -> None:
    assert 3 not in broken(found)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(cancelled(end=FAILED), id="it failed"),
        pytest.param(evidence(confirmed(2.0), SUCCEEDED), id="it succeeded long after"),
        pytest.param(evidence(confirmed(2.0), SUCCEEDED, windows=(STANDBY,)), id="a fault that does not block users"),
        pytest.param(evidence(confirmed(2.0), SUCCEEDED, windows=(LEADER,)), id="a fault that came too late"),
        pytest.param(
            evidence(confirmed(2.0), SUCCEEDED, windows=(replace(LEADER, begin=1.0, end=2.0, hit=False),)),
            id="a fault that blocked no user",
        ),
        pytest.param(cancelled(runs=(run(last=30.0, ended=False),)), id="it ran on"),
        pytest.param(
            cancelled(replace(STOPPED, end=40.0), runs=(run(last=11.0, ended=False), run(2, 25.0, 26.0, ended=False))),
            id="another attempt began",
        ),
        pytest.param(cancelled(leftovers=(Leftover("/jobs/x"),)), id="its files stayed"),
        pytest.param(cancelled(end=LATE_CANCEL, runs=()), id="it took too long"),
        pytest.param(cancelled(replace(LEADER, hit=False), end=LATE_CANCEL, runs=()), id="a fault that hit nothing"),
        pytest.param(cancelled(runs=COULD_HAVE_KNOWN), id="an attempt began that could have known"),
        pytest.param(
            cancelled(replace(STOPPED, victims=frozenset({"b"})), runs=COULD_HAVE_KNOWN),
            id="an attempt began that could have known, and another was stopped",
        ),
        pytest.param(delivered(confirmed(), CANCELLED, outputs=()), id="its result was delivered"),
    ],
)
def test_forbidden_cancel_breaks_the_invariant(found: Evidence) -> None:
    assert 3 in broken(found)
