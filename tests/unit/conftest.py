"""Fixtures of the tests without servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import fakeredis
import pytest
import redis
from reconstruction_operator.models import registry
from reconstruction_operator.services import job_manager
from reconstruction_operator.worker.deleting import spares
from reconstruction_operator.worker.heartbeat import pulse

from tests.support.paths import DATA
from tests.support.settings import configure

if TYPE_CHECKING:
    from tests.support.servers.objects import Bucket, S3Server

ROUGH_MODELS = DATA / "models"
_numbers = count(1)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The job state: fakeredis in the place of the client."""
    server = fakeredis.FakeRedis(decode_responses=True)
    monkeypatch.setattr(job_manager, "get_redis_client", lambda: server)
    yield server
    server.close()


@pytest.fixture
def jobs_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "jobs"
    folder.mkdir()
    configure(monkeypatch, JOBS_DIR=str(folder))
    return folder


@pytest.fixture(autouse=True)
def _fast_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps take no time, heartbeats are frequent, and no setting of this machine matters."""
    configure(monkeypatch, PLACEHOLDER_STEP_SECONDS=0.0, BEAT_SECONDS=0.1, RECONSTRUCTION_SIMULATE="unavailable")
    monkeypatch.setattr(spares, "_SPARE_SECONDS", 0.0)  # no process is left for the next test
    monkeypatch.setattr(pulse, "_IDLE_SECONDS", 0.0)  # each test has its own Redis, and so its own thread


@pytest.fixture
def rough_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Models that misbehave, found by entry points as another package's would be. Gives the folder of their pids."""
    monkeypatch.setattr(sys, "path", [str(ROUGH_MODELS), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(ROUGH_MODELS))
    pids = tmp_path / "pids"
    pids.mkdir()
    monkeypatch.setenv("ROUGH_MODELS_PIDS", str(pids))
    registry._entries.cache_clear()
    yield pids
    registry._entries.cache_clear()


@pytest.fixture(scope="session")
def storage() -> Iterator[S3Server]:
    """An S3 server in this process."""
    from tests.support.servers.objects import running_moto  # noqa: PLC0415  # takes seconds, and few tests need it

    with running_moto() as running:
        yield running


@pytest.fixture
def bucket(storage: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket to which the environment gives access."""
    storage.use(monkeypatch)
    configure(monkeypatch, STORAGE_SCHEMES=("s3",), STORAGE_STALL_SECONDS=5.0)
    return storage.bucket(f"bucket-{next(_numbers)}")
