"""Attempt driver: attempts from claim to recorded end, with every outcome."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from celery.exceptions import Ignore
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.services import job_manager
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError

from tests.support.settings import configure
from tests.support.worker.attempts import JOB, at_step, end, observe, run, stop, want

pytestmark = pytest.mark.usefixtures("wanted")


def test_a_success_is_recorded_with_its_outputs(client: redis.Redis, jobs_dir: Path) -> None:
    assert run()["status"] == "completed"
    recorded = end(client)
    assert recorded.outcome is Outcome.SUCCEEDED
    assert recorded.simulated
    assert recorded.outputs is not None
    assert recorded.outputs.uri == f"file://{jobs_dir}/{JOB}/output"
    assert recorded.outputs.files[0].name == "model.glb"
    assert recorded.outputs.bytes == sum(one.bytes for one in recorded.outputs.files)
    assert recorded.quality == {"vertices": "24", "faces": "12"}


def test_a_message_of_an_older_attempt_is_ignored(client: redis.Redis, jobs_dir: Path) -> None:
    want(client, 2)
    with pytest.raises(Ignore):
        run(1)
    assert list(jobs_dir.iterdir()) == []


def test_a_message_without_a_record_is_dropped(client: redis.Redis) -> None:
    client.flushall()
    with pytest.raises(Ignore):
        run()
    assert client.keys("*") == []


@pytest.mark.parametrize(
    ("reason", "outcome", "code"),
    [
        (StopReason.SUSPEND, Outcome.STOPPED, "SUSPENDED"),
        (StopReason.DELETED, Outcome.STOPPED, "DELETED"),
        (StopReason.SUPERSEDED, Outcome.STOPPED, "SUPERSEDED"),
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


@pytest.mark.usefixtures("deletes_here")
def test_a_cancel_during_a_step_overrides_a_stop(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def both() -> None:
        stop(client, 1, StopReason.SUSPEND)
        job_manager.assert_cancelled(JOB)

    configure(monkeypatch, BEAT_SECONDS=0.02, PLACEHOLDER_STEP_SECONDS=0.2)
    at_step(1, both, monkeypatch)
    assert run() == {"status": "cancelled", "job_id": JOB}
    assert end(client).outcome is Outcome.CANCELLED
    assert job_manager.is_job_cancelled(JOB)


@pytest.mark.usefixtures("deletes_here")
def test_a_cancelled_job_that_would_fail_is_cancelled() -> None:
    job_manager.assert_cancelled(JOB)
    assert run(model="unknown-model")["status"] == "cancelled"


def test_a_failure_is_recorded_with_its_reason(client: redis.Redis, jobs_dir: Path) -> None:
    with pytest.raises(ReconstructionFailedError, match="INPUT_REFUSED"):
        run(model="photogrammetry", input_uri="file:///etc")
    recorded = end(client)
    assert (recorded.outcome, recorded.reason) == (Outcome.FAILED, "INPUT_REFUSED")
    assert list(jobs_dir.iterdir()) == []


def test_a_superseded_run_publishes_and_records_nothing(
    client: redis.Redis, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, BEAT_SECONDS=60.0)  # so that the run does not notice

    def overtake() -> None:
        want(client, 2)
        (folder,) = (jobs_dir / JOB / "attempts").iterdir()
        folder.rename(folder.with_name(".gone-1"))

    at_step(6, overtake, monkeypatch)
    with pytest.raises(Ignore):
        run(1)
    assert not (jobs_dir / JOB / "output").exists()
    assert observe(client).end is None
