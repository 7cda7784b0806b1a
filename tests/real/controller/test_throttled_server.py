"""Status writes to an API server that limits the operator (API Priority and Fairness), and rejects
the rest with 429.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.writes.status_writer import StatusWriter
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError

from devcluster import Cluster
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from tests.support.controller.stored import Stored
from tests.support.controller.throttling import EVERYTHING, throttled
from tests.support.systems import SharedSystems

JOBS = 60
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUNNING = Status(
    observed_generation=1,
    phase=Phase.RUNNING,
    attempt=1,
    worker="w1",
    start_time=NOON,
    progress=Progress(percent=60, step="Running reconstruction", step_index=3),
)


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """The shipped manifests alone, which all tests here share: they start no process."""
    return start_system(operator=False)


@pytest.fixture
def three_at_a_time(cluster: Cluster, jobs: Jobs) -> Iterator[None]:
    """The operator's account may have three requests at a time."""
    with throttled(cluster, EVERYTHING, shares=1):
        yield


class CountingApi:
    """The API server as the writer sees it. Counts how often it had no room."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.sent = 0
        self.refused = 0

    async def request(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self.sent += 1
        try:
            return await self._api.request(*args, **kwargs)
        except ApiError as error:
            self.refused += error.status == 429
            raise


async def test_a_throttled_server_gets_every_status_ends_first_without_overload(
    three_at_a_time: None, api: Api, jobs: Jobs
) -> None:
    await _wait_throttled(api, jobs)
    counting = CountingApi(api)
    watcher = Stored()
    cache = Cache()
    leading: Any = SimpleNamespace(leading=True)
    recorder: Any = watcher
    writer = StatusWriter(counting, cache, leading, recorder)
    writes = writer.writes
    ends = [jobs.create() for _ in range(JOBS // 2)]
    progress = [jobs.create() for _ in range(JOBS // 2)]

    for name in progress + ends:
        entry = cache.put(jobs.get(name))
        assert entry is not None
        wanted = replace(RUNNING, phase=Phase.SUCCEEDED, completion_time=NOON) if name in ends else RUNNING
        writer.offer(entry, wanted, ())
    assert len(writes) == JOBS
    task = asyncio.create_task(writer.run())
    try:
        assert await writer.flush(120.0)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert (len(writes), writes.lag_seconds()) == (0, 0.0)
    phases = {name: jobs.get(name)["status"]["phase"] for name in ends + progress}
    assert phases == dict.fromkeys(ends, "Succeeded") | dict.fromkeys(progress, "Running")
    assert set(watcher.stored[: len(ends) - 8]) <= set(ends), "eight writes are in flight at once"
    assert counting.refused <= counting.sent / 2


async def _wait_throttled(api: Api, jobs: Jobs) -> None:
    """Wait until the API server applies the new priority level: it then rejects some of many requests at once."""

    async def refused() -> bool:
        path = f"/apis/reconstruction.dev/v1alpha1/namespaces/{jobs.namespace}/reconstructionjobs"
        answers = await asyncio.gather(*(api.get(path) for _ in range(30)), return_exceptions=True)
        return any(isinstance(answer, ApiError) and answer.status == 429 for answer in answers)

    deadline = time.monotonic() + 60.0
    while not await refused():
        assert time.monotonic() < deadline, "the API server throttles nothing"
