"""Cost of a short attempt: counts that a change could raise without another test failing.

Times: docs/performance.md.
"""

from __future__ import annotations

import os
from pathlib import Path

import fakeredis
import pytest
import redis
from reconstruction_operator.services import job_manager

from tests.support.settings import configure
from tests.support.worker import attempts


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> redis.Redis:
    """The job state, of a worker that has run a job before: Redis has its scripts."""
    (tmp_path / "jobs").mkdir()
    configure(monkeypatch, JOBS_DIR=str(tmp_path / "jobs"), PLACEHOLDER_STEP_SECONDS=0.0, BEAT_SECONDS=3_600.0)
    server = fakeredis.FakeRedis(decode_responses=True)
    monkeypatch.setattr(job_manager, "get_redis_client", lambda: server)
    attempts.want(server, 1)
    attempts.run(1)
    attempts.want(server, 2)
    return server


@pytest.fixture
def _no_result(tmp_path: Path, client: redis.Redis) -> None:  # after its first job
    (tmp_path / "jobs" / attempts.JOB / "output").rename(tmp_path / "output")


@pytest.mark.usefixtures("_no_result")
def test_an_attempt_flushes_each_file_of_its_result_once(client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    attempts.run(2)
    files = ["SIMULATED.txt", "manifest.json", "model.glb", "preview_0.png", "preview_1.png"]
    assert sorted(flushed) == sorted([*files, "output", attempts.JOB])


@pytest.mark.usefixtures("_no_result")
def test_an_attempt_sends_redis_one_request_a_step_and_two_more(
    client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = client.execute_command

    def counted(*command: object, **options: object) -> object:
        asked.append(str(command[0]))
        return execute(*command, **options)

    monkeypatch.setattr(client, "execute_command", counted)
    attempts.run(2)
    assert asked == ["EVALSHA", *["EXISTS"] * 6, "EVALSHA"]
