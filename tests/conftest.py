"""Settings of all tests, and fixtures that need no control plane: job state, folders, models and an S3 server.

The settings are the number of random examples, the order of tests, and the collection of garbage.
"""

from __future__ import annotations

import gc
import os
import signal
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
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.support.paths import DATA
from tests.support.settings import configure

if TYPE_CHECKING:
    from tests.support.servers.objects import Bucket, S3Server

ROUGH_MODELS: Final = DATA / "models"
_bucket_numbers: Final = count(1)

_IS_BUILDING: Final = "CONTROL_PLANE_IS_BUILDING"  # set by tests/real/conftest.py
_TOGETHER: Final = ("tests/real/chart/",)  # folders with their own control plane

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in `make test &`, where the programs would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Test machines are shared, so the duration of an example proves nothing.
settings.register_profile("shared", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("release", settings.get_profile("shared"), max_examples=500)  # make test-long


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile(config.getoption("--hypothesis-profile") or "shared")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Disable the garbage collector while tests are collected, and freeze them and their imports, which live until the
    end.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start long files first: at the end, each would keep one process busy and the others idle.

    Before that, while the control plane is being built, start the files that need none; the S3 server is built after
    it. Files that share the default system run one after the other, since another system on the cluster replaces it.
    """
    waiting = {item.path for item in items if _is_building("control_plane_programs", item)}
    later = {item.path for item in items if _is_building("s3", item)}
    items.sort(
        key=lambda item: (
            item.path in waiting | later,
            item.get_closest_marker("long") is None,
            item.path in later,
            _uses_default_system(item),
        )
    )


def _is_building(fixture: str, item: pytest.Item) -> bool:
    """Return whether the test asks for this fixture, whose program is being built."""
    return _IS_BUILDING in os.environ and fixture in getattr(item, "fixturenames", ())


def _uses_default_system(item: pytest.Item) -> bool:
    definitions = item._fixtureinfo.name2fixturedefs.get("system", ()) if isinstance(item, pytest.Function) else ()
    return bool(definitions) and definitions[-1].baseid == "tests/real"


class Scheduling(LoadFileScheduling):
    """Assigns all tests of a file to one process, and all tests of a folder with its own servers."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in _TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The job state, in fakeredis."""
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
    """Settings without waits, with frequent heartbeats, independent of this machine.

    They are made once per file, because that takes as long as many tests.
    """
    with pytest.MonkeyPatch.context() as patched:
        configure(patched, PLACEHOLDER_STEP_SECONDS=0.0, BEAT_SECONDS=0.1, RECONSTRUCTION_SIMULATE="unavailable")
        yield


@pytest.fixture
def rough_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Models that misbehave, found by entry points like those of another package.

    The value is the folder of their pids.
    """
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
    from tests.support.servers.objects import running_moto  # noqa: PLC0415  # the import takes seconds, and few tests need it

    with running_moto() as running:
        yield running


@pytest.fixture
def bucket(storage: S3Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, to which the environment gives access."""
    storage.use(monkeypatch)
    configure(monkeypatch, STORAGE_SCHEMES=("s3",), STORAGE_STALL_SECONDS=5.0)
    return storage.bucket(f"bucket-{next(_bucket_numbers)}")
