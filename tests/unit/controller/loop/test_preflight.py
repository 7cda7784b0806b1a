"""Preflight: which jobs are checked, how many at once, and what follows from the answers. Redis is fakeredis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
from reconstruction_operator.api.status import Condition, Phase, Status
from reconstruction_operator.contract import announcement
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Usability
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.preflight import Preflight
from reconstruction_operator.controller.redis_view.catalogue import Catalogue
from reconstruction_operator.state import calls, worker_calls
from reconstruction_operator.state.replies import WorkerInfo

from tests.support.controller.entries import entry_of
from tests.support.jobs import make_body

MODELS = {"photogrammetry": ModelInfo(), "placeholder": ModelInfo(reads_photos=False)}
DIGEST = announcement.digest(announcement.to_text(MODELS))
WORKER = WorkerInfo("w@a", ("celery-high", "celery", "celery-low"), announced=DIGEST)
WAITING = Status(phase=Phase.PENDING)
CHECKED = replace(WAITING, conditions=(Condition("InputChecked", "True", "Usable"),))
USABLE = Checked(Usability.USABLE, message="12 photos")


class Desk:
    """A preflight, a worker's view of Redis, and a clock."""

    def __init__(self, client: fakeredis.FakeAsyncRedis) -> None:
        self.now, self.client, self.keys = 100.0, client, Keys(prefix="")
        self.cache = Cache(monotonic=lambda: self.now)
        self.catalogue = Catalogue()
        self.serve(WORKER)
        view: Any = SimpleNamespace(state=client, keys=self.keys, catalogue=self.catalogue)
        election: Any = SimpleNamespace(fence=1)
        self.preflight = Preflight(self.cache, view, election, "install", 2.0, lambda: self.now)

    def serve(self, *workers: WorkerInfo) -> None:
        self.catalogue.update(workers, {DIGEST: MODELS})

    def wait(
        self, name: str, status: Status = WAITING, model: str = "photogrammetry", namespace: str = "default"
    ) -> Entry:
        self.cache.put(make_body(name, namespace=namespace, spec={"modelType": model}))
        entry = entry_of(self.cache, name)
        self.preflight.planned(entry, status)
        return entry

    async def round(self, after: float = 0.0) -> list[CheckRequest]:
        """Run a round that long after the last one; return the requests that a worker would find."""
        self.now += after
        await self.preflight.round(1)
        texts = await self.client.lrange(self.keys.checks("celery"), 0, -1)
        return [CheckRequest.from_text(text) for text in reversed(texts)]

    async def answer(self, request: CheckRequest, result: Checked = USABLE) -> None:
        call = worker_calls.report_check(self.keys, request.job, replace(result, token=request.token))
        await calls.arun(self.client, call)
        await self.client.lrem(self.keys.checks("celery"), 1, request.to_text())


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with fakeredis.FakeAsyncRedis(decode_responses=True) as client:
        yield Desk(client)


async def test_a_job_is_checked_once_it_has_waited(desk: Desk) -> None:
    entry = desk.wait("banana")
    assert await desk.round(after=1.9) == []
    (request,) = await desk.round(after=0.2)
    expected = CheckRequest(
        replace(entry.key, install_id="install"), request.token, "photogrammetry", "file:///photos/banana"
    )
    assert request == expected
    assert await desk.round(after=5.0) == [request]


@pytest.mark.parametrize(
    ("status", "model", "after_seconds"),
    [
        pytest.param(Status(phase=Phase.RUNNING, attempt=1), "photogrammetry", 2.0, id="running"),
        pytest.param(Status(phase=Phase.SUSPENDED), "photogrammetry", 2.0, id="suspended"),
        pytest.param(Status(phase=Phase.PENDING, attempt=2), "photogrammetry", 2.0, id="retried"),
        pytest.param(CHECKED, "photogrammetry", 2.0, id="checked by an earlier leader"),
        pytest.param(WAITING, "placeholder", 2.0, id="its model reads no photos"),
        pytest.param(WAITING, "photogrammetry", 0.0, id="switched off"),
    ],
)
async def test_a_job_that_does_not_wait_for_its_first_check_is_not_checked(
    status: Status, model: str, after_seconds: float, desk: Desk
) -> None:
    desk.preflight.after_seconds = after_seconds
    desk.wait("banana", status, model)
    assert await desk.round(after=10.0) == []


async def test_without_a_worker_no_check_is_requested(desk: Desk) -> None:
    desk.serve()
    desk.wait("banana")
    assert await desk.round(after=10.0) == []


async def test_each_thread_has_two_requests_at_most_and_the_oldest_jobs_come_first(desk: Desk) -> None:
    for index in range(5):
        desk.wait(f"job-{index}")
        desk.now += 0.1
    first = await desk.round(after=3.0)
    assert [request.job.uid for request in first] == ["uid-job-0", "uid-job-1"]
    await desk.answer(first[0])
    assert [request.job.uid for request in await desk.round()] == ["uid-job-1", "uid-job-2"]


async def test_a_namespace_with_many_waiting_jobs_delays_no_other(desk: Desk) -> None:
    for index in range(30):
        desk.wait(f"many-{index}", namespace="many")
    requests = await desk.round(after=3.0)
    for namespace in ("few", "fewer"):
        desk.wait(f"only-{namespace}", namespace=namespace)
    checked = []
    desk.now += 3.0
    for _ in range(6):
        checked.append(requests[0].job.namespace)
        await desk.answer(requests[0])
        requests = await desk.round()
    assert checked == ["many", "many", "few", "many", "fewer", "many"]


async def test_an_answer_enqueues_its_job_and_is_kept_until_the_status_has_it(desk: Desk) -> None:
    entry = desk.wait("banana")
    (request,) = await desk.round(after=3.0)
    desk.cache.take(10)
    await desk.answer(request)
    assert await desk.round() == []
    assert entry.checked.message == "12 photos"
    assert desk.cache.take(10) == [entry]
    entry.job = replace(entry.job, status=CHECKED)
    desk.preflight.planned(entry, CHECKED)
    assert entry.checked is None
    assert await desk.round(after=10.0) == []


async def test_an_answer_to_another_request_is_ignored(desk: Desk) -> None:
    entry = desk.wait("banana")
    (request,) = await desk.round(after=3.0)
    await desk.answer(replace(request, token="another"))
    await desk.round()
    assert entry.checked is None


async def test_a_lost_request_is_repeated_three_times_and_then_reported(desk: Desk) -> None:
    entry = desk.wait("banana")
    tokens = set()
    for pause in (3.0, 61.0, 61.0):
        (request,) = await desk.round(after=pause)
        tokens.add(request.token)
        await desk.client.delete(desk.keys.checks("celery"))
    assert len(tokens) == 3
    assert await desk.round(after=61.0) == []
    assert entry.checked.usability is Usability.UNKNOWN


async def test_a_deleted_job_leaves_nothing(desk: Desk) -> None:
    entry = desk.wait("banana")
    (request,) = await desk.round(after=3.0)
    desk.cache.remove(entry.key)
    await desk.answer(request)
    await desk.round()
    assert entry.checked is None
    assert not desk.preflight._waiting
    assert not await desk.client.exists(desk.keys.checked("install"))
