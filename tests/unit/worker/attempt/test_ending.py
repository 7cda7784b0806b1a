"""Recording an end, also when Redis is away at that moment, and what is said of each."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome, StopReason
from reconstruction_operator.contract.records import End
from reconstruction_operator.contract.steps import STEPS
from reconstruction_operator.models.interface import ModelFailure
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls, operator_calls
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.worker import deletion
from reconstruction_operator.worker.attempt import ending
from reconstruction_operator.worker.attempt.failures import ReconstructionFailedError, failure_of
from reconstruction_operator.worker.attempt.heartbeat import Heartbeat
from reconstruction_operator.worker.attempt.interruption import Interruption, InterruptionKind
from reconstruction_operator.worker.attempt.ownership import Ownership
from reconstruction_operator.worker.attempt.steps import Reached

SUCCESS = End(Outcome.SUCCEEDED, worker="w")
WHERE = ending.Where(Reached(STEPS[2], 41, 0.5), 12.3)


@pytest.fixture
def redis_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[fakeredis.FakeServer]:
    """A Redis that can go away: `connected = False`."""
    server = fakeredis.FakeServer()
    client = fakeredis.FakeRedis(server=server, decode_responses=True)
    monkeypatch.setattr(job_manager, "get_redis_client", lambda: client)
    yield server
    client.close()


def owned(token: str = "mine") -> Ownership:  # noqa: S107  # no secret
    return Ownership("job", "task", None, token, "w")


def heartbeat(ownership: Ownership) -> Heartbeat:
    return Heartbeat(
        beat=ownership.beat,
        cancelled=ownership.cancelled,
        every_seconds=0.02,
        drain_seconds=1.0,
        first=ownership.beat(),
    )


def test_an_end_is_recorded_when_redis_is_back(redis_server: fakeredis.FakeServer, jobs_dir: Path) -> None:
    ownership = owned()
    ownership.claim()
    with heartbeat(ownership) as beating:
        redis_server.connected = False
        threading.Timer(0.3, lambda: setattr(redis_server, "connected", True)).start()
        begun = time.monotonic()
        recorded = ending.record(SUCCESS, ownership, beating, patience_seconds=60.0)
    assert recorded is not None
    assert recorded.outcome is Outcome.SUCCEEDED
    assert time.monotonic() - begun >= 0.25


def test_patience_ends(redis_server: fakeredis.FakeServer, jobs_dir: Path) -> None:
    ownership = owned()
    ownership.claim()
    beating = heartbeat(ownership)
    redis_server.connected = False
    with pytest.raises(ending.RedisAwayTooLongError, match="Succeeded"):
        ending.record(SUCCESS, ownership, beating, patience_seconds=0.1)


def test_recording_the_same_end_twice_is_one_end(redis_server: fakeredis.FakeServer, jobs_dir: Path) -> None:
    ownership = owned()
    ownership.claim()
    beating = heartbeat(ownership)
    first = ending.record(SUCCESS, ownership, beating, patience_seconds=1.0)
    assert ending.record(SUCCESS, ownership, beating, patience_seconds=1.0) == first


def test_an_end_of_somebody_elses_attempt_does_not_count(redis_server: fakeredis.FakeServer, jobs_dir: Path) -> None:
    owned("theirs").claim()
    late = owned()
    assert ending.record(SUCCESS, late, heartbeat(late), patience_seconds=1.0) is None


def test_an_end_is_recorded_after_redis_forgot_everything(redis_server: fakeredis.FakeServer, jobs_dir: Path) -> None:
    ownership = owned()
    ownership.claim()
    beating = heartbeat(ownership)
    job_manager.get_redis_client().flushall()
    assert ending.record(SUCCESS, ownership, beating, patience_seconds=1.0) is not None


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.FAILED, Outcome.STOPPED])
def test_a_cancel_beats_every_other_end_and_the_files_go_first(
    outcome: Outcome, redis_server: fakeredis.FakeServer, jobs_dir: Path
) -> None:
    (jobs_dir / "job" / "output").mkdir(parents=True)
    ownership = owned()
    ownership.claim()
    beating = heartbeat(ownership)
    job_manager.assert_cancelled("job")
    end = ending.record(End(outcome, "X"), ownership, beating, patience_seconds=1.0)
    assert end is not None
    assert end.outcome is Outcome.CANCELLED
    assert not end.files_left
    assert list(jobs_dir.iterdir()) == []


def test_a_cancel_that_an_overtaken_run_has_heard_deletes_nothing(
    redis_server: fakeredis.FakeServer, jobs_dir: Path
) -> None:
    ownership = owned()
    ownership.claim()
    beating = heartbeat(ownership)
    job_manager.get_redis_client().flushall()  # it stands still, the cancel is forgotten, and another run succeeds
    owned("theirs").claim()
    (jobs_dir / "job" / "output").mkdir(parents=True)

    cancelled = End(Outcome.CANCELLED, "CANCELLED")

    assert ending.record(cancelled, ownership, beating, patience_seconds=1.0) is None
    assert (jobs_dir / "job" / "output").exists()


def test_files_that_cannot_be_deleted_do_not_keep_a_cancelled_job_alive(
    redis_server: fakeredis.FakeServer, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, "denied")

    (jobs_dir / "job").mkdir()
    monkeypatch.setattr(os, "rename", fail)
    ownership = owned()
    ownership.claim()
    cancelled = End(Outcome.CANCELLED, "CANCELLED")
    end = ending.record(cancelled, ownership, heartbeat(ownership), patience_seconds=1.0)
    assert end is not None
    assert end.files_left


def test_files_on_a_dead_mount_do_not_keep_a_cancelled_job_alive(
    redis_server: fakeredis.FakeServer, jobs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_over = threading.Event()
    monkeypatch.setattr(deletion, "DELETE_SECONDS", 0.2)
    monkeypatch.setattr(os, "rename", lambda *_: is_over.wait())
    (jobs_dir / "job").mkdir()
    ownership = owned()
    ownership.claim()
    cancelled = End(Outcome.CANCELLED, "CANCELLED")
    end = ending.record(cancelled, ownership, heartbeat(ownership), patience_seconds=1.0)
    is_over.set()
    assert end is not None
    assert end.files_left


@pytest.mark.parametrize(
    ("outcome", "stays"), [pytest.param(Outcome.CANCELLED, False), pytest.param(Outcome.FAILED, True)]
)
def test_what_one_has_published_that_was_away_while_the_operator_ended_it(
    outcome: Outcome, stays: bool, redis_server: fakeredis.FakeServer, jobs_dir: Path
) -> None:
    """Of a cancelled job it goes: its files were deleted before that. Otherwise it stays for the next attempt to report."""
    task, client = TaskId("job", 1), job_manager.get_redis_client()
    common: dict[str, Any] = {"fence": 1, "install_id": "test"}
    wanted = operator_calls.put_record(
        Keys(), **common, job_id="job", namespace="n", name="n", attempt=1, queue="celery"
    )
    calls.run(client, wanted)
    ownership = Ownership("job", str(task), 1, "mine", "w")
    ownership.claim()
    beating = heartbeat(ownership)
    client.delete(Keys().alive(str(task)))
    assert calls.run(client, operator_calls.force_end(Keys(), **common, task=task, end=End(outcome, "X")))
    (jobs_dir / "job" / "output").mkdir(parents=True)

    assert ending.record(SUCCESS, ownership, beating, patience_seconds=1.0) is None
    assert (jobs_dir / "job" / "output").exists() is stays


@pytest.mark.parametrize(
    ("interruption", "expected"),
    [
        (Interruption(InterruptionKind.OVERTAKEN), None),
        (Interruption(InterruptionKind.CANCELLED), (Outcome.CANCELLED, "CANCELLED", "cancelled at step 3 of 6")),
        (
            Interruption(InterruptionKind.DRAINED),
            (Outcome.STOPPED, "DRAINED", "its worker was shut down; stopped at step 3"),
        ),
        (
            Interruption(InterruptionKind.STOPPED, StopReason.SUSPEND),
            (Outcome.STOPPED, "SUSPENDED", "stopped at step 3"),
        ),
        (Interruption(InterruptionKind.STOPPED, StopReason.DELETED), (Outcome.STOPPED, "DELETED", "stopped at step 3")),
        (
            Interruption(InterruptionKind.STOPPED, StopReason.SUPERSEDED),
            (Outcome.STOPPED, "SUPERSEDED", "stopped at step 3"),
        ),
        (
            Interruption(InterruptionKind.STOPPED, StopReason.DEADLINE),
            (Outcome.FAILED, "TIMEOUT", "activeDeadlineSeconds is over; stopped at step 3"),
        ),
    ],
)
def test_every_interruption_has_its_end(interruption: Interruption, expected: tuple[Outcome, str, str] | None) -> None:
    end = ending.end_of_interruption(interruption, WHERE, "w")
    if expected is None:
        assert end is None
        return
    assert end is not None
    assert (end.outcome, end.reason) == expected[:2]
    assert end.message.startswith(expected[2])
    assert "(Running reconstruction, 41%), after 12 s" in end.message


@pytest.mark.parametrize(
    ("error", "reason", "text"),
    [
        pytest.param(ModelFailure("LOW_TEXTURE", "3 of 9"), "LOW_TEXTURE", "3 of 9", id="the model's"),
        pytest.param(StorageError("INPUT_REFUSED", "not there"), "INPUT_REFUSED", "not there", id="an input's"),
        pytest.param(OSError(errno.ENOSPC, "No space"), "DISK_FULL", "is full: ", id="a full disk"),
        pytest.param(OSError(errno.EDQUOT, "Quota"), "DISK_FULL", "quota of the job volume is used up", id="a quota"),
        pytest.param(MemoryError(), "OUT_OF_MEMORY", "worker's own process", id="no memory"),
        pytest.param(
            PermissionError(errno.EACCES, "Permission denied", "/jobs/x"),
            "WORKER_ERROR",
            "may not use /jobs/x: Permission denied",
            id="no permission",
        ),
        pytest.param(OSError(errno.EROFS, "Read-only", "/jobs"), "WORKER_ERROR", "/jobs: Read-only", id="read-only"),
        pytest.param(ZeroDivisionError("division"), "WORKER_ERROR", "ZeroDivisionError: division", id="a defect"),
        pytest.param(StorageError("X", "a" * 5000), "X", "a" * 1000, id="a long message"),
    ],
)
def test_every_failure_has_its_reason_and_its_numbers(error: Exception, reason: str, text: str, tmp_path: Path) -> None:
    failure = failure_of(error, tmp_path)
    assert failure.reason == reason
    assert text in failure.message
    assert len(failure.message) <= 1000


def test_a_failure_survives_celerys_json() -> None:
    error = ReconstructionFailedError("LOW_TEXTURE", "3 of 9")
    assert (error.args, str(error), error.retriable) == (("LOW_TEXTURE", "3 of 9"), "LOW_TEXTURE: 3 of 9", False)


def test_a_real_full_disk_says_how_much_is_left(client: redis.Redis, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    assert failure_of(caught.value, tmp_path).message.endswith(f"MB are left at {tmp_path}")
