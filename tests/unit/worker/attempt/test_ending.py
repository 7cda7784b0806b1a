"""Ends of attempts: what they report, and how they are recorded, also while Redis is unavailable."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.services import job_manager
from reconstruction_operator.state.replies import ClaimCode
from reconstruction_operator.worker.attempt import ending
from reconstruction_operator.worker.attempt.ownership import Ownership
from reconstruction_operator.worker.attempt.steps import Reached
from reconstruction_operator.worker.heartbeat import Heartbeat
from reconstruction_operator.worker.interruption import Interruption, InterruptionKind

from tests.support.refs import make_bare

SUCCESS = End(Outcome.SUCCEEDED, worker="w")
CANCELLED = End(Outcome.CANCELLED, "CANCELLED")
WHERE = ending.place_of(Reached(STEPS[2], 41, 0.5), 12.3)


pytestmark = pytest.mark.usefixtures("redis_server", "jobs_dir")


@pytest.fixture
def redis_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakeredis.FakeServer]:
    """A Redis that can be disconnected: `connected = False`."""
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server, decode_responses=True)
    monkeypatch.setattr(job_manager, "get_redis_client", lambda: client)
    yield server
    client.close()


BARE = make_bare()


class Run:
    """A run that has tried to claim the attempt."""

    def __init__(self, token: str = "mine", *, attempt: AttemptRef = BARE) -> None:  # noqa: S107  # no secret
        self.ownership = Ownership(attempt, token, "w")
        self.ownership.claim()
        self.heartbeat = Heartbeat(
            beat=self.ownership.beat,
            cancelled=self.ownership.cancelled,
            every_seconds=0.02,
            drain_seconds=1.0,
            first=self.ownership.beat(),
            first_asked_at=time.monotonic(),
        )

    def record(self, end: End, *, patience_seconds: float = 1.0) -> End | None:
        return ending.record(end, self.ownership, self.heartbeat, patience_seconds=patience_seconds)

    def counted(self, end: End, *, patience_seconds: float = 1.0) -> End:
        """Record the end of an attempt that belongs to this run; return the end that counts."""
        counts = self.record(end, patience_seconds=patience_seconds)
        assert counts is not None
        return counts


def test_recording_fails_after_too_long_an_outage(redis_server: fakeredis.FakeServer) -> None:
    run = Run()
    redis_server.connected = False
    with pytest.raises(ending.RedisAwayTooLongError, match="Succeeded"):
        run.record(SUCCESS, patience_seconds=0.1)


def test_no_beat_takes_a_released_task_from_its_next_delivery() -> None:
    run = Run()

    assert run.record(End(Outcome.STOPPED, "DRAINED")) is not None
    run.heartbeat.poll()  # in its thread, while the run deletes its files

    assert Run("another").ownership.claim().code is ClaimCode.CLAIMED


@pytest.mark.usefixtures("deletes_here")
@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.STOPPED])
def test_a_cancel_overrides_every_other_end_and_deletes_the_files(outcome: Outcome, jobs_dir: Path) -> None:
    (jobs_dir / "job" / "output").mkdir(parents=True)
    run = Run()
    job_manager.assert_cancelled("job")
    end = run.counted(End(outcome, "X"))
    assert end.outcome is Outcome.CANCELLED
    assert not end.files_left
    assert list(jobs_dir.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "stop", "outcome", "reason", "message"),
    [
        (InterruptionKind.CANCELLED, None, Outcome.CANCELLED, "CANCELLED", "cancelled at step 3 of 6"),
        (InterruptionKind.DRAINED, None, Outcome.STOPPED, "DRAINED", "its worker was shut down; stopped at step 3"),
        (InterruptionKind.EXHAUSTED, None, Outcome.STOPPED, "WORKER_EXHAUSTED",
            "its worker had reached its limit of processes; stopped at"),
        (InterruptionKind.STOPPED, StopReason.SUSPEND, Outcome.STOPPED, "SUSPENDED", "stopped at step 3"),
        (InterruptionKind.STOPPED, StopReason.DELETED, Outcome.STOPPED, "DELETED", "stopped at step 3"),
        (InterruptionKind.STOPPED, StopReason.SUPERSEDED, Outcome.STOPPED, "SUPERSEDED", "stopped at step 3"),
        (InterruptionKind.STOPPED, StopReason.DEADLINE, Outcome.FAILED, "TIMEOUT",
            "activeDeadlineSeconds has expired; stopped"),
    ],
)  # fmt: skip
def test_an_interruption_becomes_an_end_with_reason_and_step(
    kind: InterruptionKind, stop: StopReason | None, outcome: Outcome, reason: str, message: str
) -> None:
    end = ending.end_of_interruption(Interruption(kind, stop), WHERE, "w")
    assert end is not None
    assert (end.outcome, end.reason) == (outcome, reason)
    assert end.message.startswith(message)
    assert "(Running reconstruction, 41%), after 12 s" in end.message
