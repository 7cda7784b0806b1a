"""Fixtures of the tests on real servers: one control plane and one Redis a session, and systems that tests share.

A test that breaks a server on purpose (`cluster.pause_apiserver()`, `redis_server.kill()`) need not repair it: the
fixtures of a single test (`namespace`, `redis_url`, `start_system`) repair what they find broken. Each process of
pytest-xdist has its own servers.

A test of the whole system asks for `jobs`, and gets the default system. For another one, its folder or file overrides
the fixture `system`:

    @pytest.fixture
    def system(start_system: SharedSystems) -> System:
        return start_system(Worker(concurrency=2), BACKOFF_SECONDS="0.1")

Tests that ask for the same arguments share one running system; `fresh=True` starts one that a test may harm. A test
that uses `cluster` or `namespace` without `start_system` finds no operator on the cluster.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

import devcluster
from devcluster.harness.jobs import Jobs, Seen, watch
from devcluster.harness.system import GROUP, QUICK_SETTINGS, System
from devcluster.programs.building import CONTROLLERS, VERSITYGW, built, is_built
from devcluster.programs.toolchain import kubectl
from devcluster.servers.storage.s3 import S3
from tests.support.controller.dispatch import leave, serve
from tests.support.settings import configure
from tests.support.systems import QUICK, ROUGH, SLOW, SharedSystems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

_HERE = Path(__file__).parent
_SYSTEMS = pytest.StashKey[SharedSystems]()


def pytest_configure() -> None:
    # Decided once, in the first process: all processes of pytest-xdist must have the same order of tests.
    if "PYTEST_XDIST_WORKER" not in os.environ and not is_built(VERSITYGW):
        os.environ["CONTROL_PLANE_IS_BUILDING"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Build programs before the first test that needs them: that takes minutes, longer than a test may take."""
    needed = {"control_plane_programs", "s3"}.intersection(getattr(item, "fixturenames", ()))
    if needed:
        capture = item.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():  # so that the progress is visible
            if "control_plane_programs" in needed:
                built()
                built(CONTROLLERS)
                kubectl()
            if "s3" in needed:
                built(VERSITYGW)
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Stop the shared system before a test that uses the cluster without it: its operator would run the test's jobs."""
    systems = item.config.stash.get(_SYSTEMS, None)
    used = getattr(item, "fixturenames", ())
    if systems is not None and "cluster" in used and "start_system" not in used:
        systems.stop()


@pytest.fixture(scope="session")
def control_plane_programs() -> None:
    """For a test that starts its own cluster: the programs are built before it runs, and its
    timeout begins after that.
    """


@pytest.fixture(scope="session")
def cluster(control_plane_programs: None) -> Iterator[devcluster.Cluster]:
    """A control plane, shared by all tests; use `namespace` to be alone in it."""
    with devcluster.Cluster() as running:
        yield running


@pytest.fixture
def namespace(cluster: devcluster.Cluster) -> Iterator[str]:
    """A fresh namespace of a healthy cluster. Its jobs are deleted after the test.

    The namespace stays: deleting it would cost the API server a list of every kind of object.
    """
    cluster.heal()
    name = f"test-{secrets.token_hex(4)}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    cluster.heal()
    jobs = f"{GROUP}/namespaces/{name}/reconstructionjobs"
    if cluster.api.is_there(jobs):  # not without the CRD
        cluster.api.delete(jobs)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[devcluster.Redis]:
    """A Redis, shared by all tests; use `redis_url` to find it empty."""
    with devcluster.Redis() as running:
        yield running


@pytest.fixture
def redis_url(redis_server: devcluster.Redis) -> str:
    """Address of an empty, healthy Redis, DB 0: broker and results."""
    redis_server.heal()
    redis_server.flushall()
    return redis_server.url(db=0)


@pytest.fixture
def redis_state_url(redis_server: devcluster.Redis, redis_url: str) -> str:
    """Address of the same, DB 1: the state of jobs."""
    return redis_server.url(db=1)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """A real S3 server, shared by all tests: make a bucket of your own."""
    with S3() as running:
        yield running


@pytest.fixture(scope="session")
def start_system(cluster: devcluster.Cluster, pytestconfig: pytest.Config) -> Iterator[SharedSystems]:
    """Starts systems, or returns the running one: `start_system(Worker(concurrency=2), BACKOFF_SECONDS="0.1")`."""
    systems = SharedSystems(cluster)
    pytestconfig.stash[_SYSTEMS] = systems
    yield systems
    systems.stop()


@pytest.fixture(scope="session")
def photos_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder from which the workers of the default system read photos, for sets that a test makes."""
    return tmp_path_factory.mktemp("photos")


@pytest.fixture
def system(start_system: SharedSystems, photos_root: Path) -> System:
    """One operator, a quick worker, one with slow steps (pool `slow`), and one whose models misbehave (`rough`)."""
    return start_system(QUICK, SLOW, ROUGH, INPUT_ROOTS=f"{QUICK_SETTINGS['INPUT_ROOTS']},{photos_root}")


@pytest.fixture
def jobs(system: System, namespace: str) -> Jobs:
    """ReconstructionJobs of the test's own namespace."""
    return Jobs(system, namespace)


@pytest.fixture
def seen(jobs: Jobs) -> Iterator[Seen]:
    """What a watcher of the test's namespace sees from now on."""
    collected, stop = watch(jobs.system.cluster, jobs.namespace)
    yield collected
    stop()


@pytest.fixture
def state(system: System) -> Iterator[redis.Redis]:
    """A client of the job state (DB 1) of the system."""
    with redis.Redis.from_url(system.redis.url(1), decode_responses=True) as client:
        yield client


@pytest.fixture
def held(state: redis.Redis) -> Iterator[str]:
    """A queue of the system whose worker takes no messages: a job in it stays Queued."""
    serve(state, "held")
    yield "held"
    leave(state)


@pytest.fixture
def redis_settings(redis_url: str, redis_state_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that point at that Redis."""
    configure(monkeypatch, CELERY_BROKER_URL=redis_url, CELERY_RESULT_BACKEND=redis_url, REDIS_STATE_DB=redis_state_url)


@pytest.fixture(
    scope="module"
)  # a longer one would leave Playwright's event loop to the asynchronous tests of other modules
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A headless Chromium; it needs no control plane."""
    from devcluster.harness.chromium import running_chromium  # noqa: PLC0415  # loads Playwright

    with running_chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running
