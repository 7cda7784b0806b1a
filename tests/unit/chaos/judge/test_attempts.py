"""No two attempts work at the same time, unless a fault keeps the older from knowing it."""

from dataclasses import replace

import pytest

from chaos.judge.evidence import Evidence
from tests.unit.chaos.judge.cases import (
    AGAIN,
    FLUSHED,
    LATE,
    LEADER,
    MUCH_LATER,
    STOPPED,
    broken,
    evidence,
    in_parallel,
    output,
    patient,
    problems,
    run,
)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(in_parallel(STOPPED), id="a stopped worker noticed in five seconds"),
        pytest.param(
            in_parallel(STOPPED, replace(STOPPED, begin=18.0, end=19.0), runs=LATE),
            id="a later cut begins before the run had to stop",
        ),
        pytest.param(
            in_parallel(replace(STOPPED, victims=frozenset({"a"}))), id="a cut hit the worker of the superseded attempt"
        ),
        pytest.param(
            in_parallel(replace(STOPPED, victims=frozenset({"101", "100"}))),
            id="a cut hit the model of the superseded attempt",
        ),
        pytest.param(patient(in_parallel(STOPPED, runs=LATE)), id="patience gives a busy machine more time"),
        pytest.param(
            evidence(runs=AGAIN, windows=(FLUSHED,)),
            id="an attempt that Redis lost runs twice until its next heartbeat",
        ),
    ],
)
def test_allowed_attempts_break_no_invariant(found: Evidence) -> None:
    assert problems(found) == []


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(
            evidence(runs=MUCH_LATER, windows=(FLUSHED, replace(LEADER, begin=9.0, end=15.0))),
            id="two runs of an attempt that Redis lost while no operator led",
        ),
    ],
)
def test_excused_attempts_do_not_break_the_invariant(found: Evidence) -> None:
    assert 2 not in broken(found)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(in_parallel(), id="parallel attempts without a cut"),
        pytest.param(in_parallel(LEADER), id="parallel attempts and a fault that cuts nothing"),
        pytest.param(in_parallel(STOPPED, runs=LATE), id="a superseded attempt that noticed too late"),
        pytest.param(
            in_parallel(STOPPED, replace(STOPPED, begin=19.5, end=19.9), runs=LATE),
            id="a later cut after the run had to stop",
        ),
        pytest.param(in_parallel(replace(STOPPED, victims=frozenset({"b", "7"}))), id="a cut that hit another attempt"),
        pytest.param(in_parallel(replace(STOPPED, hit=False)), id="a cut that hit nothing"),
        pytest.param(in_parallel(FLUSHED), id="a flush and a later attempt in parallel"),
        pytest.param(
            evidence(
                runs=(run(1, 5.0, 52.0, ended=False), run(2, 50.0, 60.0)), outputs=(output(2),), windows=(STOPPED,)
            ),
            id="a cut that ended long before",
        ),
        pytest.param(evidence(runs=AGAIN), id="two runs of an attempt without a flush"),
        pytest.param(evidence(runs=AGAIN, windows=(replace(FLUSHED, hit=False),)), id="a flush that hit nothing"),
        pytest.param(
            evidence(runs=(run(1, 5.0, 15.5, ended=False, pid=7), run(1, 10.0, 16.0)), windows=(FLUSHED,)),
            id="two runs of an attempt after its heartbeat",
        ),
        pytest.param(evidence(runs=MUCH_LATER, windows=(FLUSHED,)), id="two runs of an attempt long after a flush"),
        pytest.param(evidence(runs=(run(1, 5.0, 12.0, pid=7), run(1, 6.0, 15.0))), id="two processes of an attempt"),
    ],
)
def test_forbidden_attempts_break_the_invariant(found: Evidence) -> None:
    assert 2 in broken(found)
