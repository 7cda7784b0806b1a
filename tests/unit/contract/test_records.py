"""Records: what the operator concludes from a claim and an end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, ObservedJob

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORKERS = Claim("token", "worker-1", by_operator=False, at=NOW)
OPERATORS = Claim("operator", "operator: x", by_operator=True, at=NOW)
SUCCESS = End(Outcome.SUCCEEDED)


@pytest.mark.parametrize(
    ("seen", "runs", "stale"),
    [
        pytest.param(ObservedJob(), False, False, id="no data"),
        pytest.param(ObservedJob(claim=WORKERS, alive=True), True, False, id="a worker runs it"),
        pytest.param(ObservedJob(claim=WORKERS), True, False, id="its worker is silent"),
        pytest.param(
            ObservedJob(claim=WORKERS, heard=False), True, True, id="its worker sent no heartbeat in this epoch"
        ),
        pytest.param(ObservedJob(claim=WORKERS, alive=True, heard=False), True, False, id="its heartbeat exists"),
        pytest.param(ObservedJob(claim=WORKERS, end=SUCCESS), False, False, id="it has ended"),
        pytest.param(ObservedJob(claim=OPERATORS), False, False, id="the operator has claimed it"),
        pytest.param(ObservedJob(claim=OPERATORS, heard=False), False, False, id="an operator sends no heartbeat"),
    ],
)
def test_whether_an_attempt_runs_and_whether_its_claim_is_stale(seen: ObservedJob, runs: bool, stale: bool) -> None:
    assert (seen.runs, seen.stale) == (runs, stale)
