"""Texts of the columns of `kubectl get recon`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, Record
from reconstruction_operator.planning.places import OVER_QUOTA, place
from reconstruction_operator.planning.types import Observation

from tests.support.plans import NOW, in_record, look, observed

SERVED = observed(workers=1)
SENT = observed(SERVED, record=Record(in_record(), NOW))
HELD = observed(SENT, claim=Claim("token", "worker-1", by_operator=False, at=NOW), alive=True)
RUNNING = Status(
    phase=Phase.RUNNING,
    attempt=1,
    worker="worker-1",
    start_time=NOW - timedelta(minutes=12),
    progress=Progress(60, "Running reconstruction", 3, 6, 80, "1m20s", "60%", NOW),
)
FAILED = Status(phase=Phase.PENDING, attempt=2, failures=1, failure=Failure("OUT_OF_MEMORY", retriable=True))
LOST = replace(FAILED, attempt=3, failures=2, failure=Failure("WORKER_LOST", "Worker w is lost", retriable=True))


def ended(outcome: Outcome, reason: str = "", *, simulated: bool = False, warning: str = "") -> Observation:
    return observed(
        HELD, alive=False, end=End(outcome, reason, "It ended.", NOW, "worker-1", simulated, Findings(warning=warning))
    )


@pytest.mark.parametrize(
    ("seen", "stored", "spec", "expected"),
    [
        pytest.param(HELD, RUNNING, {}, ("", "1m20s left", ""), id="running"),
        pytest.param(HELD, RUNNING, {"cancel_requested": True}, ("Running, cancel requested", "1m20s left", ""),
            id="a-cancel-requested"),
        pytest.param(HELD, RUNNING, {"suspend": True}, ("Running, suspending", "1m20s left", ""), id="suspending"),
        pytest.param(SERVED, Status(), {"cancel_requested": True}, ("Pending, cancel requested", "", ""),
            id="a-cancel-requested-of-a-job-that-waits"),
        pytest.param(ended(Outcome.SUCCEEDED, simulated=True), RUNNING, {}, ("Succeeded, simulated", "took 12m", ""),
            id="simulated"),
        pytest.param(ended(Outcome.SUCCEEDED, warning="5 of 9"), RUNNING, {}, ("Succeeded, warning", "took 12m", ""),
            id="a-poor-result"),
        pytest.param(HELD, replace(RUNNING, failures=1, failure=Failure("OUT_OF_MEMORY")), {},
            ("", "1m20s left", "after OUT_OF_MEMORY"), id="running-again"),
        pytest.param(ended(Outcome.SUCCEEDED), RUNNING, {"cancel_requested": True}, ("", "took 12m", ""),
            id="succeeded-before-the-confirmation"),
        pytest.param(ended(Outcome.FAILED, "TOO_FEW_IMAGES"), RUNNING, {}, ("", "took 12m", "TOO_FEW_IMAGES"),
            id="failed"),
        pytest.param(ended(Outcome.CANCELLED), RUNNING, {"cancel_requested": True, "cancel_confirmed": True},
            ("", "took 12m", ""), id="cancelled"),
        pytest.param(observed(), Status(), {}, ("", "", "no worker"), id="no-worker"),
        pytest.param(observed(SENT, workers=0), Status(), {}, ("", "", "no worker"), id="sent-to-no-worker"),
        pytest.param(observed(SERVED, no_model="Waiting for a worker with model m"), Status(), {},
            ("", "", "no model"), id="no-model"),
        pytest.param(observed(SERVED, place=place(17)), Status(), {}, ("", "", "place 20"), id="in-line"),
        pytest.param(observed(SERVED, place=place(1, paused=True)), Status(), {}, ("", "", "Redis full"),
            id="redis-full"),
        pytest.param(observed(SERVED, place=OVER_QUOTA), Status(), {}, ("", "", "quota"), id="quota"),
        pytest.param(SERVED, LOST, {}, ("", "", "quarantine"), id="quarantine"),
        pytest.param(SERVED, replace(FAILED, next_attempt_time=NOW + timedelta(minutes=1)), {},
            ("", "", "after OUT_OF_MEMORY"), id="retried"),
        pytest.param(observed(epoch_age_seconds=1, workers=1), RUNNING, {}, ("", "1m20s left", "Redis lost data"),
            id="redis-lost-its-data"),
    ],
)  # fmt: skip
def test_the_columns_of_a_job(
    seen: Observation, stored: Status, spec: dict[str, object], expected: tuple[str, str, str]
) -> None:
    status = look(seen, stored, **spec).status

    assert (status.phase_detail, status.time_detail, status.reason) == expected
