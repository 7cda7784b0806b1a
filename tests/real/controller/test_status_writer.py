"""Status writes and Events on a real API server: preconditions, rules, and what is stored in the end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Failure, Phase, Status
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube import listing
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.writes.event_recorder import EventRecorder
from reconstruction_operator.controller.writes.status_writer import StatusWriter
from reconstruction_operator.kube import access, parsing, paths
from reconstruction_operator.kube.client import Api
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.types import Event

from devcluster.harness.jobs import Jobs
from devcluster.harness.system import System
from tests.support.controller.entries import names
from tests.support.controller.stored import Stored
from tests.support.systems import SharedSystems

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUNNING = Status(
    observed_generation=1,
    phase=Phase.RUNNING,
    attempt=1,
    worker="w1",
    start_time=NOON,
    progress=Progress(percent=60, step="Running reconstruction", step_index=3, eta_seconds=30),
)


@pytest.fixture
def system(start_system: SharedSystems) -> System:
    """The shipped manifests alone, which all tests here share: they start no process."""
    return start_system(operator=False)


class Desk:
    """A running writer, and the cache that it feeds."""

    def __init__(self, api: Api, jobs: Jobs) -> None:
        self.api = api
        self.jobs = jobs
        self.cache = Cache(monotonic=lambda: 0.0)
        leading: Any = SimpleNamespace(leading=True)
        self.events: Any = Stored()
        self.writer = StatusWriter(api, self.cache, leading, self.events)

    @property
    def stored(self) -> list[str]:
        return self.events.stored

    def requeued(self) -> list[str]:
        return names(self.cache.timers.due(1_000.0))

    def load(self, name: str) -> Entry:
        entry = self.cache.put(self.jobs.get(name))
        assert entry is not None
        return entry

    async def write(self, entry: Entry, status: Status) -> None:
        self.writer.offer(entry, status, ())
        assert await self.writer.flush(30.0)

    def status(self, name: str) -> dict[str, Any]:
        return self.jobs.get(name)["status"]


@pytest.fixture
async def desk(api: Api, jobs: Jobs) -> AsyncIterator[Desk]:
    running = Desk(api, jobs)
    task = asyncio.create_task(running.writer.run())
    yield running
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_fields_without_a_value_are_removed_on_the_server(desk: Desk) -> None:
    failed = replace(RUNNING, failure=Failure("WORKER_LOST", "lost"))
    entry = desk.load(desk.jobs.create("a"))
    await desk.write(entry, failed)
    assert (entry.job.status, desk.stored) == (failed, ["a"])  # the response is cached

    await desk.write(
        entry, replace(RUNNING, phase=Phase.QUEUED, attempt=2, worker=None, progress=None, start_time=None)
    )

    assert desk.status("a") == {"observedGeneration": 1, "phase": "Queued", "attempt": 2, "failures": 0}


async def test_a_new_object_of_the_same_name_is_never_written(desk: Desk) -> None:
    old = desk.load(desk.jobs.create("a"))
    desk.jobs.delete("a")
    desk.jobs.wait_gone("a")
    desk.jobs.create("a")

    await desk.write(old, RUNNING)

    assert "phase" not in desk.status("a")
    assert (desk.stored, desk.requeued()) == ([], ["a"])


async def test_a_newer_status_is_never_overwritten(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """A leader may have been paused while its successor continued."""
    old = desk.load(desk.jobs.create("a"))
    successor = Desk(desk.api, desk.jobs)
    task = asyncio.create_task(successor.writer.run())
    newer = replace(RUNNING, progress=Progress(percent=83, step="Post-processing mesh", step_index=4))
    await successor.write(successor.load("a"), newer)
    task.cancel()

    await desk.write(old, RUNNING)

    assert desk.status("a")["progress"]["percent"] == 83
    assert (desk.stored, desk.requeued()) == ([], ["a"])
    assert "rejected" not in caplog.text, "it is a conflict, and no rule was broken"


async def test_the_server_rejects_a_change_of_an_end_and_the_job_is_requeued(desk: Desk) -> None:
    await desk.write(desk.load(desk.jobs.create("a")), replace(RUNNING, phase=Phase.SUCCEEDED))
    stale = Cache(monotonic=lambda: 0.0)  # as a deposed leader would have it
    desk.cache = desk.writer.cache = stale
    entry = stale.put(
        {"metadata": {**desk.jobs.get("a")["metadata"], "resourceVersion": "1"}, "spec": {}, "status": {}}
    )

    assert entry is not None
    await desk.write(entry, RUNNING)

    assert desk.status("a")["phase"] == "Succeeded"
    assert desk.requeued() == ["a"]


async def test_the_status_is_managed_by_the_operators_name(desk: Desk) -> None:
    await desk.write(desk.load(desk.jobs.create("a")), RUNNING)

    owners = {entry["manager"] for entry in desk.jobs.get("a")["metadata"]["managedFields"] if "subresource" in entry}
    assert owners == {"reconstruction-operator"}


async def test_each_event_keeps_its_reason(desk: Desk, api: Api) -> None:
    job = desk.load(desk.jobs.create("a"))
    recorder = EventRecorder(api, instance="test")

    for reason in ("Accepted", "Dispatched", "Started", "Succeeded"):
        recorder.record(job.key, (Event("Normal", reason, f"It is {reason}"),))
    await recorder.flush(30.0)

    described = desk.jobs.system.cluster.kubectl("-n", desk.jobs.namespace, "describe", "recon", "a").stdout
    assert [f"{reason} " in described for reason in ("Accepted", "Dispatched", "Started", "Succeeded")] == [True] * 4
    assert desk.jobs.events("a") == [
        ("Normal", reason, f"It is {reason}") for reason in ("Accepted", "Dispatched", "Started", "Succeeded")
    ]


async def test_a_list_is_paged_and_complete(desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconstruction_operator.kube.pages.PAGE", 3)
    names = {desk.jobs.create() for _ in range(8)}

    listed = await listing.list_jobs(api, ["no-such-namespace", desk.jobs.namespace])
    later = await listing.list_jobs(api, [])

    assert {key.name for key in listed} == names
    assert listed <= later


async def test_unfinished_jobs_are_listed_without_the_finished_ones(desk: Desk, api: Api) -> None:
    lives = desk.load(desk.jobs.create())
    over = desk.load(desk.jobs.create())
    await desk.write(over, replace(RUNNING, phase=Phase.SUCCEEDED, completion_time=NOON))
    path = paths.jobs(desk.jobs.namespace)

    pages = [page async for page in listing.pages(api, path, fieldSelector=listing.UNFINISHED)]

    assert [parsing.head(item) for page in pages for item in page.items] == [parsing.Head(lives.key, lives.job.version)]


async def test_a_rejected_request_reports_the_servers_reason_and_message(api: Api, desk: Desk) -> None:
    with pytest.raises(ApiError) as refused:
        await api.get(paths.of(JobRef(desk.jobs.namespace, "unknown", "uid")))

    assert (refused.value.status, refused.value.reason) == (404, "NotFound")
    assert "unknown" in refused.value.message


async def test_rejected_credentials_are_read_again(kubeconfig: Path) -> None:
    good = access.find_cluster({"KUBECONFIG": str(kubeconfig), "HOME": "/nonexistent"})
    stale = access.find_cluster({"KUBECONFIG": str(kubeconfig), "HOME": "/nonexistent"})
    stale.configuration.api_key["BearerToken"] = "Bearer expired"
    stale.configuration.refresh_api_key_hook = None  # which would restore the token of the file

    async def reconnect() -> access.ClusterAccess:
        return good

    client = Api(stale, reconnect)
    try:
        with pytest.raises(ApiError) as refused:
            await client.get(paths.GROUP_PATH)
        again = await client.get(paths.GROUP_PATH)
    finally:
        await client.close()

    assert (refused.value.status, refused.value.transient) == (401, True)
    assert again["kind"] == "APIResourceList"
