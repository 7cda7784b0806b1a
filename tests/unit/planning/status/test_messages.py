"""Message of the status: what a waiting job waits for."""

from __future__ import annotations

import pytest
from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.planning.types import Observation

from tests.support.plans import look

LOST = Failure("WORKER_LOST", "Worker worker-1 stopped sending heartbeats", retriable=True)


@pytest.mark.parametrize(
    ("failures", "workers", "message"),
    [
        pytest.param(1, 1, "Waiting for room in queue celery", id="not-in-quarantine"),
        pytest.param(
            2,
            1,
            "Waiting for its turn in queue celery: jobs that lost the same worker are tried one at a time",
            id="in-quarantine",
        ),
        pytest.param(2, 0, "Waiting for a worker: no live worker listens to queue celery", id="no-worker-listens"),
    ],
)
def test_the_message_of_a_waiting_job_names_what_it_waits_for(failures: int, workers: int, message: str) -> None:
    stored = Status(phase=Phase.PENDING, attempt=failures + 1, failures=failures, failure=LOST)

    plan = look(Observation(workers=workers), stored)

    assert plan.status.message == message
    assert plan.wants_dispatch
