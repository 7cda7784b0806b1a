"""Assignment: its names for a message of the operator and for a bare task."""

from __future__ import annotations

from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.worker.attempt.assignment import Assignment

from tests.support.refs import make_attempt

OURS = Assignment(Envelope(make_attempt("uid-1", 2, namespace="team")), "photogrammetry", "worker-1")
BARE = Assignment(Envelope.bare("job-7", "celerys-id"), "photogrammetry", "worker-1")


def test_the_log_names_an_operators_job_and_a_bare_task() -> None:
    assert (str(OURS.job), str(BARE.job)) == ("team/banana", "job-7")
    assert OURS.log_fields == {"namespace": "team", "job": "banana", "uid": "uid-1", "attempt": 2}
    assert BARE.log_fields == {"job_id": "job-7", "task_id": "celerys-id"}


def test_a_bare_task_has_no_attempt_of_an_object_and_none_follows() -> None:
    assert (OURS.attempt.is_bare, BARE.attempt.is_bare, BARE.envelope.orders.last) == (False, True, True)
