"""The status writer: order, coalescing, pace, and what it does with refusals. The API server is the only stand-in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Condition, Phase, Progress, Status
from reconstruction_operator.controller.kube import patches
from reconstruction_operator.controller.kube.backlog import Backlog, Kind, Pending, kind_of
from reconstruction_operator.controller.kube.client import ApiError
from reconstruction_operator.controller.kube.status_writer import StatusWriter
from reconstruction_operator.controller.loop.cache import Store
from reconstruction_operator.planning.types import Event, Job

from chaos import remains
from tests.support.jobs import make_body

RUNNING = Status(observed_generation=1, phase=Phase.RUNNING, attempt=1, progress=Progress(percent=10))


def key(name: str) -> JobKey:
    return JobKey("default", name, f"uid-{name}")


def pending(name: str, kind: Kind, since: float = 0.0, status: Status = RUNNING) -> Pending:
    return Pending(key(name), Status(), status, kind, (), since)


@pytest.mark.parametrize(
    ("stored", "wanted", "kind"),
    [
        pytest.param(RUNNING, replace(RUNNING, phase=Phase.SUCCEEDED), Kind.FINISHED, id="finished"),
        pytest.param(Status(), replace(RUNNING, phase=Phase.CANCELLED), Kind.FINISHED, id="finished at once"),
        pytest.param(RUNNING, replace(RUNNING, phase=Phase.CANCELLING), Kind.PHASE, id="phase"),
        pytest.param(RUNNING, replace(RUNNING, attempt=2), Kind.PHASE, id="attempt"),
        pytest.param(RUNNING, replace(RUNNING, observed_generation=2), Kind.PHASE, id="a new spec was seen"),
        pytest.param(
            replace(RUNNING, conditions=(Condition("CancelRequested", "False", "No"),)),
            replace(RUNNING, conditions=(Condition("CancelRequested", "True", "Requested"),)),
            Kind.PHASE,
            id="a condition turned",
        ),
        pytest.param(RUNNING, replace(RUNNING, progress=Progress(percent=11)), Kind.PROGRESS, id="progress"),
        pytest.param(RUNNING, replace(RUNNING, message="later"), Kind.PROGRESS, id="message"),
    ],
)
def test_how_urgent_a_write_is(stored: Status, wanted: Status, kind: Kind) -> None:
    assert kind_of(stored, wanted) is kind


def taken(backlog: Backlog) -> list[str]:
    names = []
    while (one := backlog.take(set())) is not None:
        names.append(one.key.name)
    return names


def test_the_finished_go_first_then_phases_then_progress_each_in_order() -> None:
    backlog = Backlog()
    for name, kind in (("p1", Kind.PROGRESS), ("q1", Kind.PHASE), ("p2", Kind.PROGRESS), ("f1", Kind.FINISHED)):
        backlog.put(pending(name, kind))
    backlog.put(pending("q2", Kind.PHASE))

    assert taken(backlog) == ["f1", "q1", "q2", "p1", "p2"]


def test_only_the_newest_status_of_a_job_waits_and_it_keeps_its_place_and_age() -> None:
    backlog = Backlog()
    backlog.put(pending("a", Kind.PROGRESS, since=1.0))
    backlog.put(pending("b", Kind.PROGRESS, since=2.0))
    backlog.put(pending("a", Kind.PROGRESS, since=3.0, status=replace(RUNNING, message="newest")))

    first = backlog.take(set())

    assert first is not None
    assert (first.key.name, first.status.message, first.since) == ("a", "newest", 1.0)
    assert taken(backlog) == ["b"]


def test_progress_that_becomes_an_end_overtakes_the_others() -> None:
    backlog = Backlog()
    backlog.put(pending("b", Kind.PHASE))
    backlog.put(pending("a", Kind.PROGRESS))
    backlog.put(pending("a", Kind.FINISHED))

    assert (len(backlog), taken(backlog)) == (2, ["a", "b"])


def test_a_job_whose_write_is_under_way_is_passed_over() -> None:
    backlog = Backlog()
    backlog.put(pending("a", Kind.FINISHED))
    backlog.put(pending("b", Kind.PROGRESS))

    one = backlog.take({key("a")})

    assert one is not None
    assert one.key.name == "b"
    assert backlog.take({key("a")}) is None


def test_jobs_take_turns_with_their_progress() -> None:
    backlog = Backlog()
    order = []
    for name in ("a", "b", "c"):
        backlog.put(pending(name, Kind.PROGRESS))
    for _ in range(6):
        one = backlog.take(set())
        assert one is not None
        order.append(one.key.name)
        backlog.put(pending(one.key.name, Kind.PROGRESS))  # it reports again at once

    assert order == ["a", "b", "c", "a", "b", "c"]


class Server:
    """Stands in for the API server: keeps the patches, and answers as it is told, else with the next version."""

    def __init__(self) -> None:
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.times: list[float] = []
        self.answers: list[ApiError] = []
        self.asked = asyncio.Event()
        self.version = 100

    async def request(
        self, method: str, path: str, *, body: Any, content_type: str, timeout_seconds: float
    ) -> dict[str, Any]:
        assert (method, content_type) == ("PATCH", "application/json-patch+json")
        status = {}
        for change in body[1:]:
            name = change["path"].rpartition("/")[2]
            status.update(change["value"] if name == "status" else {name: change["value"]})
        assert timeout_seconds < 10.0  # a hanging server must not hold a sender for long
        self.patches.append((path.rsplit("/", 2)[1], status))
        self.times.append(time.monotonic())
        self.asked.set()
        await asyncio.sleep(0)
        if self.answers:
            raise self.answers.pop(0)
        self.version += 1
        name = path.rsplit("/", 2)[1]
        metadata = {"namespace": "default", "name": name, "uid": f"uid-{name}", "resourceVersion": str(self.version)}
        return {"metadata": metadata, "status": {"phase": status.get("phase"), "attempt": 1}}

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.patches]


class Fixture:
    """A writer on a stand-in server, with what it reported."""

    def __init__(self, *, per_second: float = 1_000.0) -> None:
        self.server = Server()
        self.store = Store()
        self.leading = True
        self.stored: list[tuple[str, tuple[Event, ...]]] = []
        self.again: list[tuple[str, float]] = []
        self.writer = StatusWriter(
            self.server,
            self.store,
            writes_per_second=per_second,
            allowed=lambda: self.leading,
            stored=lambda job, _status, events: self.stored.append((job.key.name, events)),
            again=lambda key, seconds: self.again.append((key.name, seconds)),
        )

    def job(self, name: str, **status: Any) -> Job:
        self.store.put(make_body(name, **status))
        found = self.store.get(key(name))
        assert found is not None
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.writer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def written(self) -> None:
        assert await self.writer.flush(20.0), f"not written after 20 s: {self.server.patches}"


@pytest.fixture
def fixture() -> Fixture:
    return Fixture()


async def test_a_wish_is_stored_and_feeds_the_store(fixture: Fixture) -> None:
    event = Event("Normal", "Started", "…")
    async with fixture.running():
        fixture.writer.offer(fixture.job("a"), RUNNING, (event,))
        await fixture.written()

    stored = fixture.store.get(key("a"))
    assert stored is not None
    assert stored.status.phase is Phase.RUNNING
    assert fixture.stored == [("a", (event,))]


async def test_before_the_lease_is_held_nothing_is_written_and_then_the_important_first(fixture: Fixture) -> None:
    fixture.leading = False
    async with fixture.running():
        fixture.writer.offer(fixture.job("progress", phase="Running", attempt=1, observedGeneration=1), RUNNING, ())
        fixture.writer.offer(fixture.job("phase"), RUNNING, ())
        fixture.writer.offer(fixture.job("finished"), replace(RUNNING, phase=Phase.FAILED), ())
        await asyncio.sleep(0.2)  # in which a writer that does not ask would have written
        before = list(fixture.server.names)
        fixture.leading = True
        await fixture.written()

    assert (before, fixture.server.names) == ([], ["finished", "phase", "progress"])


async def test_of_many_wishes_for_a_job_the_newest_is_written(fixture: Fixture) -> None:
    fixture.leading = False
    async with fixture.running():
        job = fixture.job("a")
        for percent in range(50):
            fixture.writer.offer(job, replace(RUNNING, progress=Progress(percent=percent)), ())
        fixture.leading = True
        await fixture.written()

    assert [status["progress"]["percent"] for _, status in fixture.server.patches] == [49]


async def test_a_wish_for_what_is_stored_takes_the_older_wish_back(fixture: Fixture) -> None:
    fixture.leading = False
    job = fixture.job("a")
    fixture.writer.offer(job, RUNNING, ())
    fixture.writer.offer(job, job.status, ())

    assert fixture.writer.idle


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ApiError(0, "ClientConnectorError", "refused"), id="not reached"),
        pytest.param(ApiError(503, "ServiceUnavailable", "starting"), id="503"),
        pytest.param(ApiError(500, "InternalError", "etcd"), id="500"),
        pytest.param(ApiError(429, "TooManyRequests", "slow down", 0.1), id="429"),
        pytest.param(ApiError(401, "Unauthorized", "token"), id="401"),
    ],
)
async def test_what_the_server_could_not_take_is_tried_again(fixture: Fixture, error: ApiError) -> None:
    fixture.server.answers = [error, error]
    async with fixture.running():
        fixture.writer.offer(fixture.job("a"), RUNNING, ())
        await fixture.written()

    assert fixture.server.names == ["a", "a", "a"]
    assert [name for name, _ in fixture.stored] == ["a"]


async def test_writes_that_fail_together_are_one_failure_and_no_reason_to_wait_for_longer(fixture: Fixture) -> None:
    fixture.server.answers = [ApiError(503, "ServiceUnavailable", "starting") for _ in range(8)]
    fixture.leading = False
    async with fixture.running():
        for name in "abcdefgh":
            fixture.writer.offer(fixture.job(name), RUNNING, ())
        fixture.leading = True
        await fixture.server.asked.wait()
        while fixture.server.answers:  # noqa: ASYNC110  # the stand-in tells of its first question only
            await asyncio.sleep(0)
        failures = fixture.writer._failures
        await fixture.written()

    assert failures == 1
    assert sorted(name for name, _ in fixture.stored) == list("abcdefgh")


async def test_the_server_says_when_to_come_again(fixture: Fixture) -> None:
    fixture.server.answers = [ApiError(429, "TooManyRequests", "slow down", retry_after_seconds=1.0)]
    async with fixture.running():
        fixture.writer.offer(fixture.job("a"), RUNNING, ())
        fixture.writer.offer(fixture.job("b"), RUNNING, ())
        await fixture.written()

    first, *_, last = fixture.server.times
    assert last - first >= 1.0


async def test_a_newer_wish_replaces_the_one_that_failed(fixture: Fixture) -> None:
    fixture.server.answers = [ApiError(503, "ServiceUnavailable", "starting")]
    async with fixture.running():
        job = fixture.job("a")
        fixture.writer.offer(job, RUNNING, ())
        await fixture.server.asked.wait()
        fixture.writer.offer(job, replace(RUNNING, phase=Phase.SUCCEEDED), ())
        await fixture.written()

    assert [status["phase"] for _, status in fixture.server.patches] == ["Running", "Succeeded"]


@pytest.mark.parametrize(
    ("error", "pause_seconds"),
    [
        pytest.param(ApiError(404, "NotFound", "gone"), 1.0, id="gone"),
        pytest.param(ApiError(422, "Invalid", patches.DOES_NOT_FIT), 1.0, id="another object, or a newer version"),
        pytest.param(ApiError(409, "Conflict", "too many writers"), 1.0, id="conflict"),
        pytest.param(ApiError(422, "Invalid", "a finished phase never changes"), 10.0, id="refused by a rule"),
        pytest.param(ApiError(403, "Forbidden", "role"), 10.0, id="refused by the role"),
    ],
)
async def test_what_the_server_refused_is_dropped_and_looked_at_later(
    fixture: Fixture, error: ApiError, pause_seconds: float
) -> None:
    fixture.server.answers = [error]
    async with fixture.running():
        fixture.writer.offer(fixture.job("a"), RUNNING, ())
        await fixture.written()

    assert fixture.server.names == ["a"]
    assert fixture.stored == []
    assert fixture.again == [("a", pause_seconds)]


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (ApiError(422, "Invalid", "a finished phase never changes"), True),
        (ApiError(403, "Forbidden", "a server that has just started knows no role"), False),
    ],
)
async def test_fault_runs_find_in_the_log_what_a_rule_refused(
    fixture: Fixture, error: ApiError, found: bool, caplog: pytest.LogCaptureFixture
) -> None:
    fixture.server.answers = [error]
    async with fixture.running():
        fixture.writer.offer(fixture.job("a"), RUNNING, ())
        await fixture.written()

    assert [error.message in line for line in remains.refusals(caplog.text)] == [True] * found


async def test_a_job_that_is_gone_meanwhile_is_not_written(fixture: Fixture) -> None:
    fixture.leading = False
    async with fixture.running():
        fixture.writer.offer(fixture.job("a"), RUNNING, ())
        fixture.store.remove(key("a"))
        fixture.leading = True
        await fixture.written()

    assert fixture.server.patches == []


async def test_what_was_decided_from_an_older_status_is_not_written(fixture: Fixture) -> None:
    fixture.leading = False
    async with fixture.running():
        old = fixture.job("a", version=1)
        fixture.job("a", version=2, phase="Succeeded")
        fixture.writer.offer(old, RUNNING, ())
        fixture.leading = True
        await fixture.written()

    assert fixture.server.patches == []
    assert fixture.store.take_dirty(1) == [key("a")]


async def test_writes_keep_to_the_rate() -> None:
    fixture = Fixture(per_second=50.0)  # a burst of 25, then one each 20 ms
    async with fixture.running():
        started = time.monotonic()
        for number in range(75):
            fixture.writer.offer(fixture.job(f"job-{number}"), RUNNING, ())
        await fixture.written()
        took_seconds = time.monotonic() - started

    assert len(fixture.server.patches) == 75
    assert took_seconds >= 0.98


async def test_a_new_leader_starts_without_old_wishes(fixture: Fixture) -> None:
    fixture.leading = False
    fixture.writer.offer(fixture.job("a"), RUNNING, ())
    fixture.writer.forget()

    assert fixture.writer.idle
    assert fixture.writer.lag_seconds() == 0.0
