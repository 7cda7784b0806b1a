"""Attempt driver: attempts from claim to recorded end, with every outcome."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from reconstruction_operator.contract.outcomes import Outcome, StopReason

from tests.support.settings import configure
from tests.support.worker.attempts import JOB, at_step, end, run, stop

pytestmark = pytest.mark.usefixtures("wanted")


def test_a_success_is_recorded_with_its_outputs(client: redis.Redis, jobs_dir: Path) -> None:
    assert run()["status"] == "completed"
    recorded = end(client)
    assert recorded.outcome is Outcome.SUCCEEDED
    assert recorded.simulated
    assert recorded.outputs is not None
    assert recorded.outputs.uri == f"file://{jobs_dir}/{JOB}/output"
    assert recorded.outputs.files[0].name == "model.glb"
    assert recorded.outputs.bytes == sum(file.bytes for file in recorded.outputs.files)
    assert recorded.findings.quality == {"vertices": "24", "faces": "12"}


@pytest.mark.parametrize(
    ("reason", "outcome", "code"),
    [
        (StopReason.SUSPEND, Outcome.STOPPED, "SUSPENDED"),
        (StopReason.DEADLINE, Outcome.FAILED, "TIMEOUT"),
    ],
)
def test_a_stopped_attempt_records_the_reason_and_leaves_no_files(
    reason: StopReason,
    outcome: Outcome,
    code: str,
    *,
    client: redis.Redis,
    jobs_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_step(1, lambda: stop(client, 1, reason), monkeypatch)
    configure(monkeypatch, BEAT_SECONDS=0.02, PLACEHOLDER_STEP_SECONDS=0.2)

    assert run() == {"status": "stopped", "job_id": JOB, "reason": code}
    assert (end(client).outcome, end(client).reason) == (outcome, code)
    assert "stopped at step " in end(client).message
    assert list(jobs_dir.iterdir()) == []
