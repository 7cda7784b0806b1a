"""The servers that tests on real parts run against: one control plane and one Redis a test session.

A test that breaks one of them on purpose (`cluster.pause_apiserver()`, `redis_server.kill()`) need not mend it: the
fixtures for a single test, `namespace` and `redis_url`, heal what they find broken. With several workers of pytest-xdist
each has servers of its own.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import devcluster
from devcluster.programs.control_plane import programs

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the control plane before the first test: it takes minutes, once, and a test's time limit is shorter."""
    if session.config.option.collectonly:
        return
    if any("control_plane_programs" in getattr(item, "fixturenames", ()) for item in session.items):
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():  # so that one sees the progress
            programs()


@pytest.fixture(scope="session")
def control_plane_programs() -> None:
    """For a test that starts a cluster of its own: the programs are built before the first test runs."""
    programs()


@pytest.fixture(scope="session")
def cluster(control_plane_programs: None) -> Iterator[devcluster.Cluster]:
    """A control plane, shared by all tests; use `namespace` to be alone in it."""
    with devcluster.Cluster() as running:
        yield running


@pytest.fixture
def namespace(cluster: devcluster.Cluster) -> Iterator[str]:
    """A fresh namespace of a cluster that is well. It is gone soon after the test, with all that is in it."""
    cluster.heal()
    name = f"test-{secrets.token_hex(4)}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    cluster.heal()
    if cluster.api.is_there(f"/api/v1/namespaces/{name}"):  # a test may have deleted it
        cluster.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[devcluster.Redis]:
    """A Redis, shared by all tests; use `redis_url` to find it empty."""
    with devcluster.Redis() as running:
        yield running


@pytest.fixture
def redis_url(redis_server: devcluster.Redis) -> str:
    """Address of an empty Redis that is well, DB 0: broker and results."""
    redis_server.heal()
    redis_server.flushall()
    return redis_server.url(db=0)


@pytest.fixture
def redis_state_url(redis_server: devcluster.Redis, redis_url: str) -> str:
    """Address of the same, DB 1: the state of jobs."""
    return redis_server.url(db=1)
