"""Assignment: its attributes for a message of the operator and for a bare task."""

from __future__ import annotations

import pytest
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.records import Owner
from reconstruction_operator.worker.attempt.assignment import BARE, Assignment

ENVELOPE = Envelope(install_id="install", namespace="team", name="banana", attempt=2, queue="gpu")
OURS = Assignment("uid-1", "uid-1-2", "photogrammetry", ENVELOPE, "worker-1")
DIRECT = Assignment("job-7", "celerys-id", "photogrammetry", BARE, "worker-1")


@pytest.mark.parametrize(
    ("name", "ours", "bare"),
    [
        ("attempt", 2, None),
        ("is_bare", False, True),
        ("title", "team/banana", "job-7"),
        (
            "log_fields",
            {"namespace": "team", "job": "banana", "uid": "uid-1", "attempt": 2},
            {"job_id": "job-7", "task_id": "celerys-id"},
        ),
        ("owner", Owner("uid-1", "install", "team", "banana", "gpu", 2), None),
    ],
)
def test_an_operators_message_has_attributes_that_a_bare_task_lacks(name: str, ours: object, bare: object) -> None:
    assert (getattr(OURS, name), getattr(DIRECT, name)) == (ours, bare)
