"""Settings of all tests, and the fixtures of those without a control plane: job state, folders, models and an S3 server.

Settings: how many random examples tests try, which tests start first, and when garbage is collected.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

import fakeredis
import pytest
import redis
from hypothesis import HealthCheck, settings
from reconstruction_operator.models import registry
from reconstruction_operator.services import job_manager
from reconstruction_operator.worker.deleting import process_pool
from reconstruction_operator.worker.heartbeat import pulse
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.support.paths import DATA
from tests.support.settings import configure

if TYPE_CHECKING:
    from tests.support.servers.objects import Bucket, S3Server

ROUGH_MODELS: Final = DATA / "models"
_bucket_numbers: Final = count(1)

_TOGETHER: Final = ("tests/real/chart/",)  # each of these folders has a control plane of its own

# Test machines are shared: how long an example takes proves nothing about the code.
settings.register_profile("shared", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("release", settings.get_profile("shared"), max_examples=500)  # make test-long


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(config.getoption("--hypothesis-profile") or "shared")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while tests are collected: they and what they import stay until the end, and are not looked at again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start long files first: started last, each would keep one process busy and the others idle.

    Files that share the default system follow each other, since other systems on the same cluster take its place.
    """
    items.sort(key=lambda item: (item.get_closest_marker("long") is None, _uses_default_system(item)))


def _uses_default_system(item: pytest.Item) -> bool:
    found = item._fixtureinfo.name2fixturedefs.get("system", ()) if isinstance(item, pytest.Function) else ()
    return bool(found) and found[-1].baseid == "tests/real"


class Scheduling(LoadFileScheduling):
    """Gives out the tests of a file together, and those of a folder that would start its servers in each process."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


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


@pytest.fixture(scope="module")
def fast_settings() -> Iterator[None]:
    """Steps take no time, heartbeats are frequent, and no setting of this machine matters.

    Made once a file: for each test it would take as long as many a test does.
    """
    with pytest.MonkeyPatch.context() as patched:
        configure(patched, PLACEHOLDER_STEP_SECONDS=0.0, BEAT_SECONDS=0.1, RECONSTRUCTION_SIMULATE="unavailable")
        patched.setattr(process_pool, "_IDLE_SECONDS", 0.0)  # no process is left for the next test
        patched.setattr(pulse, "_IDLE_SECONDS", 0.0)  # each test has its own Redis, and so its own thread
        yield


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
    return storage.bucket(f"bucket-{next(_bucket_numbers)}")
