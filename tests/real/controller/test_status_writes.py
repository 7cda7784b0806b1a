"""The status writer and the Events against a real API server: preconditions, rules, and what stays stored."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Failure, Phase, Progress, Status
from reconstruction_operator.controller.kube import client as kubernetes_client
from reconstruction_operator.controller.kube import objects
from reconstruction_operator.controller.kube.client import Api, ApiError
from reconstruction_operator.controller.kube.event_recorder import EventPoster
from reconstruction_operator.controller.kube.status_writer import StatusWriter
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.controller.loop.sweeper import list_keys
from reconstruction_operator.planning.types import Event, Job

from devcluster import Cluster
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE

pytestmark = pytest.mark.real

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
def kubeconfig(jobs: Jobs, cluster: Cluster) -> Path:
    """Of the operator's own account: what the shipped role lacks fails here."""
    return cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)


@pytest.fixture
async def api(kubeconfig: Path) -> AsyncIterator[Api]:
    async def connect() -> kubernetes_client.Connection:
        return await kubernetes_client.connection({**os.environ, "KUBECONFIG": str(kubeconfig)})

    client = Api(await connect(), connect)
    yield client
    await client.close()


class Desk:
    """A running writer, the store that it feeds, and what it said."""

    def __init__(self, api: Api, jobs: Jobs) -> None:
        self.api = api
        self.jobs = jobs
        self.store = Store()
        self.again: list[str] = []
        self.stored: list[str] = []
        self.writer = StatusWriter(
            api,
            self.store,
            writes_per_second=1_000.0,
            allowed=lambda: True,
            stored=lambda job, _status, _events: self.stored.append(job.key.name),
            again=lambda key, _seconds: self.again.append(key.name),
        )

    def load(self, name: str) -> Job:
        key = self.store.put(self.jobs.get(name))
        assert key is not None
        job = self.store.get(key)
        assert job is not None
        return job

    async def write(self, job: Job, status: Status) -> None:
        self.writer.offer(job, status, ())
        assert await self.writer.flush(30.0)

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.jobs.get(name)["status"]
        return status


@pytest.fixture
async def desk(api: Api, jobs: Jobs) -> AsyncIterator[Desk]:
    made = Desk(api, jobs)
    task = asyncio.create_task(made.writer.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_status_is_stored_and_the_answer_feeds_the_store(desk: Desk) -> None:
    job = desk.load(desk.jobs.create("a"))

    await desk.write(job, RUNNING)

    assert desk.status("a")["phase"] == "Running"
    stored = desk.store.get(job.key)
    assert stored is not None
    assert stored.status == RUNNING
    assert desk.stored == ["a"]


async def test_fields_that_went_are_gone_on_the_server(desk: Desk) -> None:
    await desk.write(desk.load(desk.jobs.create("a")), replace(RUNNING, failure=Failure("WORKER_LOST", "gone")))
    job = desk.store.by_id(desk.jobs.get("a")["metadata"]["uid"])
    assert job is not None

    await desk.write(job, replace(RUNNING, phase=Phase.QUEUED, attempt=2, worker=None, progress=None, start_time=None))

    assert desk.status("a") == {"observedGeneration": 1, "phase": "Queued", "attempt": 2, "failures": 0}


async def test_a_new_object_of_the_same_name_is_never_written(desk: Desk) -> None:
    old = desk.load(desk.jobs.create("a"))
    desk.jobs.delete("a")
    desk.jobs.wait_gone("a")
    desk.jobs.create("a")

    await desk.write(old, RUNNING)

    assert "phase" not in desk.status("a")
    assert (desk.stored, desk.again) == ([], ["a"])


async def test_nothing_is_written_over_what_was_not_seen(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """As by a leader that stood still while another one went on."""
    old = desk.load(desk.jobs.create("a"))
    successor = Desk(desk.api, desk.jobs)
    task = asyncio.create_task(successor.writer.run())
    newer = replace(RUNNING, progress=Progress(percent=83, step="Post-processing mesh", step_index=4))
    await successor.write(successor.load("a"), newer)
    task.cancel()

    await desk.write(old, RUNNING)

    assert desk.status("a")["progress"]["percent"] == 83
    assert (desk.stored, desk.again) == ([], ["a"])
    assert "refused" not in caplog.text, "it is a conflict as any other, and no rule was broken"


async def test_a_job_that_is_gone_is_no_trouble(desk: Desk) -> None:
    old = desk.load(desk.jobs.create("a"))
    desk.jobs.delete("a")
    desk.jobs.wait_gone("a")

    await desk.write(old, RUNNING)

    assert (desk.stored, desk.again) == ([], ["a"])


async def test_the_rule_that_an_end_is_final_is_the_servers_and_a_refusal_is_looked_at_later(desk: Desk) -> None:
    job = desk.load(desk.jobs.create("a"))
    await desk.write(job, replace(RUNNING, phase=Phase.SUCCEEDED))
    stale = Store()  # as a deposed leader would have it
    desk.store = desk.writer._store = stale
    stale.put({"metadata": {**desk.jobs.get("a")["metadata"], "resourceVersion": "1"}, "spec": {}, "status": {}})

    await desk.write(job, RUNNING)

    assert desk.status("a")["phase"] == "Succeeded"
    assert desk.again == ["a"]


async def test_our_fields_are_managed_under_our_name(desk: Desk) -> None:
    await desk.write(desk.load(desk.jobs.create("a")), RUNNING)

    owners = {entry["manager"] for entry in desk.jobs.get("a")["metadata"]["managedFields"] if "subresource" in entry}
    assert owners == {"reconstruction-operator"}


async def test_a_repeated_event_is_counted_on_the_first(desk: Desk, api: Api) -> None:
    job = desk.load(desk.jobs.create("a"))
    poster = EventPoster(api, desk.writer, instance="test")
    event = Event("Warning", "NoWorker", "No live worker listens to queue celery")

    for _ in range(3):
        poster.tell(job.key, (event,))
    await poster.flush(30.0)

    found = desk.jobs.system.cluster.api.get(f"/apis/events.k8s.io/v1/namespaces/{desk.jobs.namespace}/events")["items"]
    assert [(one["reason"], one["regarding"]["name"], one["series"]["count"]) for one in found] == [
        ("NoWorker", "a", 3)
    ]
    described = desk.jobs.system.cluster.kubectl("-n", desk.jobs.namespace, "describe", "recon", "a").stdout
    assert "NoWorker" in described


async def test_a_list_is_paged_and_complete(desk: Desk, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconstruction_operator.controller.loop.sweeper._PAGE", 3)
    names = {desk.jobs.create() for _ in range(8)}

    found = await list_keys(api, [desk.jobs.namespace])

    assert {key.name for key in found} == names
    assert found <= await list_keys(api, [])
    assert await list_keys(api, ["no-such-namespace"]) == set()


async def test_a_request_that_is_refused_says_what_the_server_said(api: Api, desk: Desk) -> None:
    with pytest.raises(ApiError) as refused:
        await api.get(objects.path(JobKey(desk.jobs.namespace, "nobody", "uid")))

    assert (refused.value.status, refused.value.reason) == (404, "NotFound")
    assert "nobody" in refused.value.message


async def test_the_operators_account_may_not_read_secrets(api: Api) -> None:
    with pytest.raises(ApiError) as refused:
        await api.get("/api/v1/namespaces/default/secrets")

    assert refused.value.status == 403


async def test_refused_credentials_are_read_again(kubeconfig: Path) -> None:
    good = await kubernetes_client.connection({"KUBECONFIG": str(kubeconfig), "HOME": "/nonexistent"})
    stale = await kubernetes_client.connection({"KUBECONFIG": str(kubeconfig), "HOME": "/nonexistent"})
    stale.configuration.api_key["BearerToken"] = "Bearer expired"

    async def reconnect() -> kubernetes_client.Connection:
        return good

    client = Api(stale, reconnect)
    try:
        with pytest.raises(ApiError) as refused:
            await client.get(objects.GROUP_PATH)
        again = await client.get(objects.GROUP_PATH)
    finally:
        await client.close()

    assert (refused.value.status, refused.value.transient) == (401, True)
    assert again["kind"] == "APIResourceList"
