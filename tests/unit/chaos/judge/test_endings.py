"""Every job ends once, in a way that its scenario and the faults allow, and none is lost."""

from dataclasses import replace

import pytest

from chaos.judge.evidence import Evidence, Slack
from tests.unit.chaos.judge.cases import (
    CANCELLED,
    FAILED,
    FIRST,
    KEPT,
    LEADER,
    POISONED,
    STOPPED,
    SUCCEEDED,
    broken,
    evidence,
    job,
    problems,
    run,
    running,
    tried_twice,
)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(tried_twice(windows=(STOPPED,)), id="an attempt failed by a harmful fault"),
        pytest.param(
            tried_twice(runs=(replace(FIRST, worker="threads"), run(2, 11.0, 17.0))),
            id="an attempt failed in a shared process",
        ),
        pytest.param(tried_twice(runs=(run(2),)), id="the worker of the failed attempt is unknown"),
        pytest.param(tried_twice(windows=(replace(STOPPED, victims=frozenset({"a"})),)), id="a fault hit the worker"),
        pytest.param(tried_twice(windows=(replace(STOPPED, victims=frozenset({"101"})),)), id="a fault hit the model"),
        pytest.param(
            tried_twice(windows=(replace(STOPPED, victims=frozenset({"900"})),)), id="a fault hit the pool process"
        ),
        pytest.param(evidence(job("poison"), POISONED, outputs=()), id="poison failed within its backoff limit"),
        pytest.param(
            evidence(KEPT, running(6.0, 20), SUCCEEDED, gone_at=29.0), id="an object disappears after its time to live"
        ),
    ],
)
def test_allowed_end_breaks_no_invariant(found: Evidence) -> None:
    assert problems(found) == []


@pytest.mark.parametrize(
    ("invariant", "found"),
    [
        pytest.param(1, evidence(None, running(6.0, 20)), id="it hangs"),
        pytest.param(1, evidence(None, SUCCEEDED, running(30.0, 100)), id="it was reopened"),
        pytest.param(1, evidence(None, SUCCEEDED, replace(CANCELLED, at=30.0, percent=100)), id="it ended twice"),
        pytest.param(
            1, evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Finished"}))), id="conditions disagree"
        ),
        pytest.param(
            1,
            evidence(None, replace(SUCCEEDED, true_conditions=frozenset({"Complete", "Failed"}))),
            id="two conditions",
        ),
        pytest.param(1, evidence(None, CANCELLED, outputs=()), id="a cancel without a confirmation"),
        pytest.param(1, evidence(None, FAILED, outputs=()), id="a healthy job failed"),
        pytest.param(1, evidence(job("unusable"), SUCCEEDED), id="a hopeless job succeeded"),
        pytest.param(
            1, evidence(job("unusable"), replace(FAILED, reason="WorkerError"), outputs=()), id="the wrong reason"
        ),
        pytest.param(
            1, evidence(job("poison"), replace(FAILED, failures=4), outputs=()), id="poison was retried too often"
        ),
        pytest.param(1, evidence(None, replace(SUCCEEDED, finished_reason="Failed")), id="the reason says otherwise"),
        pytest.param(
            1,
            evidence(None, replace(running(6.0, 20), true_conditions=frozenset({"Finished"}))),
            id="over before its end",
        ),
        pytest.param(1, evidence(None, replace(SUCCEEDED, failures=1), windows=(LEADER,)), id="another's fault"),
        pytest.param(1, tried_twice(failures=2, windows=(STOPPED,)), id="two failures by one fault"),
        pytest.param(1, replace(evidence(), histories={}), id="the job is unknown"),
        pytest.param(6, replace(evidence(), histories={}), id="the job is unknown"),
        pytest.param(6, evidence(None, running(6.0, 20)), id="it hangs"),
        pytest.param(6, evidence(None, running(6.0, 20), gone_at=9.0), id="it disappeared before its end"),
    ],
)
def test_forbidden_end_breaks_its_invariant(invariant: int, found: Evidence) -> None:
    assert invariant in broken(found)


@pytest.mark.parametrize(
    ("invariant", "found"),
    [
        pytest.param(1, tried_twice(), id="no fault"),
        pytest.param(1, tried_twice(windows=(LEADER,)), id="a harmless fault"),
        pytest.param(
            1, tried_twice(windows=(replace(STOPPED, victims=frozenset({"b"})),)), id="a fault that hit another worker"
        ),
        pytest.param(
            1, tried_twice(windows=(replace(STOPPED, victims=frozenset({"901"})),)), id="a fault that hit another child"
        ),
        pytest.param(
            1, tried_twice(windows=(replace(STOPPED, victims=frozenset({"102"})),)), id="a fault that hit another model"
        ),
        pytest.param(1, tried_twice(windows=(replace(STOPPED, hit=False),)), id="a fault that hit nothing"),
        pytest.param(
            1, tried_twice(windows=(replace(STOPPED, begin=-30.0, end=-20.0),)), id="a fault that was over long before"
        ),
        pytest.param(
            1,
            tried_twice(windows=(replace(STOPPED, begin=18.0 + Slack().loss, end=40.0),)),
            id="a fault that came long after",
        ),
        pytest.param(6, evidence(None, running(6.0, 20), SUCCEEDED, gone_at=40.0), id="an object that disappears"),
        pytest.param(
            6, evidence(KEPT, running(6.0, 20), SUCCEEDED, gone_at=23.0), id="an object that disappears early"
        ),
    ],
)
def test_forbidden_end_breaks_no_other_invariant(invariant: int, found: Evidence) -> None:
    assert broken(found) == {invariant}
