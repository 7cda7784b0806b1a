"""Inventory: which folders are reported to Redis, for which installation, and when."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.jobfiles import inventory, layout, notes, trashed
from reconstruction_operator.jobfiles.inventory import Inventory
from reconstruction_operator.jobfiles.layout import JobFolder
from reconstruction_operator.telemetry import worker_metrics
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.support.controller.clock import Clock
from tests.support.refs import make_attempt

KEYS = Keys()
HOUR = 3600.0


def owner(job_id: str, install_id: str = "here") -> AttemptRef:
    return make_attempt(job_id, install_id=install_id)


def reported(client: redis.Redis, install_id: str = "here") -> set[str]:
    return {str(job_id) for job_id in client.hkeys(KEYS.folders(install_id))}


def begin(job_id: str) -> None:
    """Make the folder of a job whose run has begun."""
    workspace = JobFolder.of(job_id).new_workspace(owner(job_id))
    workspace.owner_note.parent.mkdir(parents=True, exist_ok=True)
    notes.note(workspace, owner(job_id), "")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(client: redis.Redis, jobs_dir: Path, clock: Clock) -> Iterator[Inventory]:
    """An inventory of an empty volume. The fixture waits for its last report."""
    watching = Inventory(client, KEYS, monotonic=clock)
    yield watching
    finish(watching)


def finish(watched: Inventory) -> None:
    if watched._thread is not None:
        watched._thread.join(10)
        assert not watched._thread.is_alive()


def epoch_is(watched: Inventory, epoch: str) -> None:
    watched.epoch_is(epoch)
    finish(watched)


def test_each_installation_gets_its_own_folders(client: redis.Redis) -> None:
    owners = [owner("a"), owner("b", "there"), owner("c"), owner("bare", "")]

    assert inventory.report(client, KEYS, owners) == 3

    assert (reported(client), reported(client, "there")) == ({"a", "c"}, {"b"})


def test_more_folders_than_fit_in_one_call_are_all_reported(client: redis.Redis) -> None:
    owners = [owner(f"job-{number}") for number in range(2 * inventory._BATCH + 1)]
    assert inventory.report(client, KEYS, owners) == len(owners)
    assert reported(client) == {owner.job_id for owner in owners}


def test_folders_are_reported_once_for_each_epoch(watched: Inventory, client: redis.Redis) -> None:
    begin("job-1")
    epoch_is(watched, "first")
    assert reported(client) == {"job-1"}

    client.flushall()
    epoch_is(watched, "first")
    assert reported(client) == set()
    epoch_is(watched, "second")
    assert reported(client) == {"job-1"}


def test_folders_are_reported_again_after_an_hour(watched: Inventory, client: redis.Redis, clock: Clock) -> None:
    epoch_is(watched, "first")
    begin("job-1")
    clock.now += HOUR - 1
    epoch_is(watched, "first")
    assert reported(client) == set()

    clock.now += 1
    epoch_is(watched, "first")
    assert reported(client) == {"job-1"}


def test_no_folder_is_reported_before_the_epoch_is_known(watched: Inventory, client: redis.Redis) -> None:
    begin("job-1")
    epoch_is(watched, "")
    assert reported(client) == set()


def test_a_failed_report_is_repeated_at_the_next_registration(
    watched: Inventory, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin("job-1")
    with monkeypatch.context() as broken, caplog.at_level(logging.WARNING):
        broken.setattr(client, "evalsha", refuse)
        broken.setattr(client, "eval", refuse)
        epoch_is(watched, "first")
    assert "the job folders could not be reported" in caplog.text

    epoch_is(watched, "first")
    assert reported(client) == {"job-1"}


def refuse(*_: object, **__: object) -> None:
    raise RedisConnectionError("outage")


def test_the_trash_expires_by_the_clock_of_redis(
    watched: Inventory, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    for until in (now - 8 * 24 * HOUR, now - 60):  # this worker's clock is an hour ahead
        (layout.trash_shard("red", "job") / f"job-{until:.0f}~{until:.0f}~1").mkdir(parents=True)
    monkeypatch.setattr(client, "time", lambda: (now - int(HOUR), 0))

    epoch_is(watched, "first")

    assert [kept.until for kept in trashed.entries()] == [now - 60]


def test_folders_without_a_note_are_counted(watched: Inventory, jobs_dir: Path) -> None:
    begin("job-1")
    for path in ("lost/output/model.glb", "bare/input/a.jpg", "bare-run/attempts/task-0/input/a.jpg"):
        (jobs_dir / path).parent.mkdir(parents=True)
        (jobs_dir / path).write_bytes(b"content")
    epoch_is(watched, "first")
    assert worker_metrics.REGISTRY.get_sample_value("reconstruction_worker_unowned_job_folders") == 1
