"""Details of the status: what an attempt adds, and what the next one leaves out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.attempt_status import Inputs
from reconstruction_operator.api.status import Failure, Status
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome, reason
from reconstruction_operator.contract.records import Claim, End, ProgressReport, Record
from reconstruction_operator.planning.case import Case
from reconstruction_operator.planning.status import details
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, TIMING, in_record, job_with, observed

BEGAN = NOW - timedelta(seconds=30, milliseconds=-400)
SENT = NOW - timedelta(seconds=60)
CLAIM = Claim("token", "worker-1", by_operator=False, at=BEGAN)
RECORD = Record(in_record(), SENT)
REPORT = ProgressReport(10, "Loading input files", 1, 0.1, None, None, findings=Findings(Inputs(5, 50)))


def case(seen: Observation, status: Status | None = None) -> Case:
    return Case(job_with(status or Status()), seen, NOW, TIMING)


def test_a_status_that_has_the_fields_already_is_not_copied() -> None:
    running = details.claimed(Case(job_with(Status()), observed(record=RECORD, claim=CLAIM, alive=True), NOW, TIMING))
    again = Case(job_with(running), observed(record=RECORD, claim=CLAIM, alive=True), NOW, TIMING)

    assert details.claimed(again) is running
    assert details.updated(running, worker="worker-2") == replace(running, worker="worker-2")


@pytest.mark.parametrize(
    ("status", "seen", "expected"),
    [
        pytest.param(Status(), observed(), Status(), id="nothing was sent"),
        pytest.param(Status(), observed(record=RECORD), Status(attempt=1, task_id="uid-1"), id="on record"),
        pytest.param(Status(), observed(claim=CLAIM), Status(attempt=1, task_id="uid-1"), id="claimed"),
        pytest.param(Status(), observed(end=End(Outcome.FAILED)), Status(attempt=1, task_id="uid-1"), id="only an end"),
        pytest.param(Status(attempt=4), observed(), Status(attempt=4, task_id="uid-4"), id="a stored attempt"),
    ],
)
def test_the_status_names_the_attempt_once_redis_has_data_of_it(
    status: Status, seen: Observation, expected: Status
) -> None:
    assert details.with_attempt(case(seen, status)) == expected


WHOLE = BEGAN.replace(microsecond=0)


@pytest.mark.parametrize(
    ("status", "seen", "dispatched", "started"),
    [
        pytest.param(Status(), observed(claim=CLAIM), WHOLE, WHOLE, id="no record"),
        pytest.param(Status(), observed(claim=CLAIM, record=RECORD), SENT, WHOLE, id="sent by the record"),
        pytest.param(
            Status(dispatch_time=NOW, start_time=SENT), observed(claim=CLAIM, record=RECORD), NOW, SENT, id="stored"
        ),
    ],
)
def test_a_claimed_attempt_has_times_in_whole_seconds(
    status: Status, seen: Observation, dispatched: object, started: object
) -> None:
    status_of_claim = details.claimed(case(seen, status))

    assert (status_of_claim.worker, status_of_claim.dispatch_time, status_of_claim.start_time) == (
        "worker-1",
        dispatched,
        started,
    )


def test_a_claim_ends_the_wait_for_the_next_attempt() -> None:
    assert details.claimed(case(observed(claim=CLAIM), Status(next_attempt_time=NOW))).next_attempt_time is None


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(observed(), Inputs(3, 30), id="stored"),
        pytest.param(observed(progress=REPORT), Inputs(5, 50), id="reported"),
        pytest.param(
            observed(progress=replace(REPORT, findings=Findings())), Inputs(3, 30), id="reported without inputs"
        ),
        pytest.param(
            observed(progress=REPORT, end=End(Outcome.FAILED, findings=Findings(Inputs(7, 70)))),
            Inputs(7, 70),
            id="at the end",
        ),
        pytest.param(observed(progress=REPORT, end=End(Outcome.FAILED)), Inputs(5, 50), id="an end without inputs"),
    ],
)
def test_the_newest_inputs_count(seen: Observation, expected: Inputs) -> None:
    assert details.read_inputs(case(seen, Status(inputs=Inputs(3, 30)))) == expected


ADVICE = reason("DISK_FULL").advice


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param("", ADVICE, id="advice alone"),
        pytest.param("3 MB are left", f"3 MB are left. {ADVICE}", id="a stop is added"),
        pytest.param("  3 MB are left!  ", f"3 MB are left! {ADVICE}", id="the sentence has an end"),
        pytest.param(f"So: {ADVICE}", f"So: {ADVICE}", id="the advice is there already"),
        pytest.param("x" * 3_000, f"{'x' * 1_999}… {ADVICE}", id="a long message is cut before the advice"),
    ],
)
def test_a_failure_has_the_workers_message_and_then_the_advice(message: str, expected: str) -> None:
    failure = details.failure_of("DISK_FULL", message)

    assert failure == Failure("DISK_FULL", expected, retriable=reason("DISK_FULL").retriable)
