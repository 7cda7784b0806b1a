"""Records: what the operator concludes from a claim and an end, and the owner of a job folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import Claim, End, ObservedJob, Owner

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


OWNER = Owner("uid-1", "install", "team", "banana", "gpu", 2, "ns-1")
JSON: dict[str, Any] = {
    "jobId": "uid-1",
    "installId": "install",
    "namespace": "team",
    "name": "banana",
    "queue": "gpu",
    "attempt": 2,
    "namespaceUid": "ns-1",
}


def test_the_owner_of_a_folder_is_taken_from_the_message() -> None:
    envelope = Envelope(
        install_id="install", namespace="team", namespace_uid="ns-1", name="banana", queue="gpu", attempt=2
    )

    assert Owner.of("uid-1", envelope) == OWNER


def test_an_owner_is_written_as_in_the_note_and_read_again() -> None:
    assert OWNER.to_json() == JSON
    assert Owner.from_json(JSON | {"of": "a newer version"}) == OWNER


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"jobId": "../other"}, id="a job id that is a path"),
        *(pytest.param({name: None}, id=f"no {name}") for name in JSON if name != "namespaceUid"),
        pytest.param({"namespace": 7}, id="a number as a name"),
        pytest.param({"attempt": "2"}, id="a text as an attempt"),
        pytest.param({"attempt": True}, id="a boolean as an attempt"),
        pytest.param({"attempt": 0}, id="an attempt before the first"),
    ],
)
def test_a_note_without_a_valid_owner_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        Owner.from_json(JSON | change)
