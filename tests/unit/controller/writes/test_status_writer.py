"""Status writer: order, writes at once, retries and rejections, on a stand-in for the API server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.attempt_status import Progress
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.writes import status_writer
from reconstruction_operator.controller.writes.status_writer import AT_ONCE, StatusWriter
from reconstruction_operator.kube.errors import ApiError

from chaos.witnesses import remains
from tests.support.controller.entries import entry_of, names
from tests.support.controller.stored import Stored
from tests.support.jobs import make_body

RUNNING = Status(observed_generation=1, phase=Phase.RUNNING, attempt=1, progress=Progress(percent=10))


class Server:
    """Stands in for the API server: keeps the patches, and returns the next error of `answers`, or else the next
    version.
    """

    def __init__(self) -> None:
        self.patches: list[tuple[str, dict[str, Any]]] = []
        self.times: list[float] = []
        self.answers: list[ApiError] = []
        self.asked = asyncio.Event()
        self.answering = asyncio.Event()
        self.answering.set()
        self.version = 100

    async def request(
        self, method: str, path: str, *, body: Any, content_type: str, timeout_seconds: float
    ) -> dict[str, Any]:
        assert (method, content_type) == ("PATCH", "application/json-patch+json")
        status = body[-1]["value"]
        assert timeout_seconds < 10.0  # a hanging server must not hold a sender for long
        self.patches.append((path.rsplit("/", 2)[1], status))
        self.times.append(time.monotonic())
        self.asked.set()
        await self.answering.wait()
        if self.answers:
            raise self.answers.pop(0)
        self.version += 1
        name = path.rsplit("/", 2)[1]
        return make_body(name, version=self.version, phase=status.get("phase"), attempt=1)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.patches]


class Fixture:
    """A writer on a stand-in server. The clock of the work queue stays at 0."""

    def __init__(self) -> None:
        self.server = Server()
        self.cache = Cache(monotonic=lambda: 0.0)
        self.election: Any = SimpleNamespace(leading=True)
        events: Any = Stored()
        self.stored: list[str] = events.stored
        self.writer = StatusWriter(self.server, self.cache, self.election, events)

    def due_after(self, seconds: float) -> list[str]:
        return names(self.cache.timers.due(seconds))

    def entry(self, name: str, **status: Any) -> Entry:
        self.cache.put(make_body(name, **status))
        return entry_of(self.cache, name)

    def offer(self, *names: str) -> None:
        """Offer that these new jobs run."""
        for name in names:
            self.writer.offer(self.entry(name), RUNNING, ())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the writer. At the end the replica leads, and all that was offered is written."""
        task = asyncio.create_task(self.writer.run())
        try:
            yield
            self.election.leading = True
            assert await self.writer.flush(20.0), f"not written after 20 s: {self.server.patches}"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def fixture() -> Fixture:
    return Fixture()


async def test_nothing_is_written_until_the_lease_is_held_then_ends_first(fixture: Fixture) -> None:
    fixture.election.leading = False
    async with fixture.running():
        entry = fixture.entry("progress", phase="Running", attempt=1, observedGeneration=1)
        for percent in (48, 49):  # only the newest is written
            fixture.writer.offer(entry, replace(RUNNING, progress=Progress(percent=percent)), ())
        fixture.offer("phase")
        fixture.writer.offer(fixture.entry("finished"), replace(RUNNING, phase=Phase.FAILED), ())
        await asyncio.sleep(0.2)  # in which a writer that ignores the Lease would write
        before = list(fixture.server.names)

    assert (before, fixture.server.names) == ([], ["finished", "phase", "progress"])
    assert fixture.server.patches[-1][1]["progress"]["percent"] == 49


async def test_an_offer_of_the_stored_status_or_another_leader_drops_the_older_offer(fixture: Fixture) -> None:
    entry, writes = fixture.entry("a"), fixture.writer.writes
    fixture.writer.offer(entry, RUNNING, ())
    fixture.writer.offer(entry, entry.job.status, ())
    assert writes.idle
    fixture.writer.offer(entry, RUNNING, ())
    fixture.cache.reset()

    assert (writes.idle, writes.lag_seconds()) == (True, 0.0)


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
async def test_a_write_that_the_server_could_not_accept_is_retried(fixture: Fixture, error: ApiError) -> None:
    fixture.server.answers = [error, error]
    async with fixture.running():
        fixture.offer("a")

    assert fixture.server.names == ["a", "a", "a"]
    assert fixture.stored == ["a"]


async def test_a_refused_write_waits_for_its_retry_after_and_takes_a_place_meanwhile(fixture: Fixture) -> None:
    refused = [ApiError(429, "TooManyRequests", "slow down", retry_after_seconds=0.5) for _ in range(AT_ONCE)]
    fixture.server.answers = list(refused)
    async with fixture.running():
        fixture.offer(*(f"job-{number}" for number in range(2 * AT_ONCE)))

    begun = fixture.server.times[0]
    early = [at for at in fixture.server.times if at - begun < 0.5]
    assert (len(early), len(fixture.server.times)) == (AT_ONCE, 3 * AT_ONCE)
    assert len(fixture.stored) == 2 * AT_ONCE


async def test_a_newer_offer_replaces_the_write_that_failed(fixture: Fixture) -> None:
    fixture.server.answers = [ApiError(503, "ServiceUnavailable", "starting")]
    async with fixture.running():
        entry = fixture.entry("a")
        fixture.writer.offer(entry, RUNNING, ())
        await fixture.server.asked.wait()
        fixture.writer.offer(entry, replace(RUNNING, phase=Phase.SUCCEEDED), ())

    assert [status["phase"] for _, status in fixture.server.patches] == ["Running", "Succeeded"]


BY_A_RULE = ApiError(422, "Invalid", "a finished phase never changes")


@pytest.mark.parametrize(
    ("error", "pause_seconds"),
    [
        pytest.param(ApiError(404, "NotFound", "gone"), 1.0, id="gone"),
        pytest.param(
            ApiError(422, "Invalid", status_writer.DOES_NOT_FIT), 1.0, id="another object, or a newer version"
        ),
        pytest.param(ApiError(409, "Conflict", "too many writers"), 1.0, id="conflict"),
        pytest.param(BY_A_RULE, 10.0, id="rejected by a rule"),
        pytest.param(ApiError(403, "Forbidden", "role"), 10.0, id="rejected by the role"),
    ],
)
async def test_a_rejected_write_is_dropped_and_its_job_is_requeued(
    fixture: Fixture, error: ApiError, pause_seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    fixture.server.answers = [error]
    async with fixture.running():
        fixture.offer("a")

    assert (fixture.server.names, fixture.stored) == (["a"], [])
    assert (fixture.due_after(pause_seconds - 0.1), fixture.due_after(pause_seconds)) == ([], ["a"])
    # Fault runs search the log for rejections by a rule, and for no others.
    assert [error.message in line for line in remains.refusals(caplog.text)] == [True] * (error is BY_A_RULE)
    assert fixture.writer.refused is (error.status == 403)
    async with fixture.running():
        fixture.offer("a")
    assert (fixture.stored, fixture.writer.refused) == (["a"], False)


async def test_a_stored_status_enqueues_its_job_only_if_more_follows_from_it(fixture: Fixture) -> None:
    fixture.cache.take(10)
    entries = [fixture.entry(name) for name in ("a", "b")]
    fixture.cache.take(10)
    async with fixture.running():
        for entry in entries:
            fixture.writer.offer(entry, Status(phase=Phase.RUNNING, attempt=1), (), again=entry.key.name == "b")

    assert names(fixture.cache.take(10)) == ["b"]


async def test_a_job_is_planned_again_if_the_status_of_its_plan_was_replaced(fixture: Fixture) -> None:
    fixture.writer.offer(fixture.entry("a"), RUNNING, ())
    fixture.entry("a", version=2, phase="Queued")
    fixture.cache.take(10)
    async with fixture.running():
        pass

    assert fixture.server.names == []
    assert names(fixture.cache.take(10)) == ["a"]


async def test_a_job_is_planned_again_if_its_write_was_withdrawn_too_late(fixture: Fixture) -> None:
    entry = fixture.entry("a")
    fixture.cache.take(10)
    fixture.server.answering.clear()
    async with fixture.running():
        fixture.writer.offer(entry, Status(phase=Phase.RUNNING, attempt=1), ())
        await fixture.server.asked.wait()
        fixture.writer.offer(entry, entry.job.status, ())
        fixture.server.answering.set()

    assert names(fixture.cache.take(10)) == ["a"]


async def test_an_end_that_the_watch_shows_before_its_answer_is_written_once(fixture: Fixture) -> None:
    """The cache keeps few fields of a finished job: a second write from there would remove the
    others from the object.
    """
    failed = Status(observed_generation=1, phase=Phase.FAILED, attempt=3, failures=3, progress=Progress(percent=60))
    entry = fixture.entry("a", phase="Running", attempt=3)
    fixture.server.answering.clear()
    async with fixture.running():
        fixture.writer.offer(entry, failed, ())
        await fixture.server.asked.wait()
        fixture.entry("a", version=101, **codec.encode(failed))
        fixture.writer.offer(entry, entry.job.status, ())
        fixture.server.answering.set()

    assert [status.get("failures") for _, status in fixture.server.patches] == [3]
