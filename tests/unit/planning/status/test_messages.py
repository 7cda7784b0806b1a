"""Message of the status: what a waiting job waits for."""

from __future__ import annotations

from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.planning.types import Observation

from tests.support.plans import look

LOST = Failure("WORKER_LOST", "Worker worker-1 stopped sending heartbeats", retriable=True)


def test_a_job_in_quarantine_waits_for_its_turn_unless_no_worker_listens() -> None:
    stored = Status(phase=Phase.PENDING, attempt=3, failures=2, failure=LOST)

    made = look(Observation(workers=1), stored)

    turn = "Waiting for its turn in queue celery: jobs that lost the same worker are tried one at a time"
    assert (made.status.message, made.wants_dispatch) == (turn, True)
    assert look(Observation(workers=0), stored).status.message.startswith("Waiting for a worker: ")
