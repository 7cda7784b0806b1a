from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
import redis
from reconstruction_operator import config
from reconstruction_operator.services import job_manager


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
    monkeypatch.setattr(config, "JOBS_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps take no time, a heartbeat comes often, and no setting of this machine matters."""
    monkeypatch.setattr(config, "PLACEHOLDER_STEP_SECONDS", 0.0)
    monkeypatch.setattr(config, "BEAT_SECONDS", 0.1)
    monkeypatch.setattr(config, "RECONSTRUCTION_SIMULATE", "unavailable")
