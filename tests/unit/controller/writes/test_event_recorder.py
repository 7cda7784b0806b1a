"""Event recorder: the bodies of Events, within the API's limits, and how they are posted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.controller.kube.client import ApiError
from reconstruction_operator.controller.kube.objects import EventSubject
from reconstruction_operator.controller.writes import event_recorder
from reconstruction_operator.controller.writes.event_queue import PendingEvent
from reconstruction_operator.controller.writes.event_recorder import EventRecorder, event_body
from reconstruction_operator.controller.writes.write_queue import WriteQueue
from reconstruction_operator.planning.types import Event

KEY = JobKey("default", "banana", "uid-1")
NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def test_an_event_names_the_object_with_its_uid() -> None:
    pending = PendingEvent(EventSubject.of(KEY), Event("Warning", "Failed", "3 of 29 photos overlap"), NOON, NOON, 0.0)

    assert event_body(pending, "banana.1", "pod-1_x") == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "banana.1", "namespace": "default"},
        "eventTime": "2026-03-01T12:00:00.250000Z",
        "reportingController": "reconstruction.dev/operator",
        "reportingInstance": "pod-1_x",
        "action": "Failed",
        "reason": "Failed",
        "type": "Warning",
        "note": "3 of 29 photos overlap",
        "regarding": {
            "apiVersion": "reconstruction.dev/v1alpha1",
            "kind": "ReconstructionJob",
            "namespace": "default",
            "name": "banana",
            "uid": "uid-1",
        },
    }


def test_an_event_about_all_jobs_names_the_operators_lease() -> None:
    lease = EventSubject("here", "operator", "uid-2", kind="Lease", api_version="coordination.k8s.io/v1")
    pending = PendingEvent(lease, Event("Warning", "DeletionsHeld", "etcd was restored"), NOON, NOON, 0.0)

    assert event_body(pending, "operator.1", "pod-1_x")["regarding"] == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "namespace": "here",
        "name": "operator",
        "uid": "uid-2",
    }


def test_merged_events_are_a_series() -> None:
    pending = PendingEvent(
        EventSubject.of(KEY), Event("Normal", "Succeeded", "…"), NOON, NOON + timedelta(seconds=1), 0.0, 5
    )

    series = event_body(pending, "banana.1", "pod-1_x")["series"]

    assert series == {"count": 5, "lastObservedTime": "2026-03-01T12:00:01.250000Z"}


@pytest.mark.parametrize(("field", "limit"), [("note", 1024), ("reportingInstance", 128)])
def test_long_texts_are_cut_to_the_apis_limits(field: str, limit: int) -> None:
    pending = PendingEvent(EventSubject.of(KEY), Event("Normal", "Started", "x" * 5_000), NOON, NOON, 0.0)

    assert len(event_body(pending, "banana.1", "p" * 5_000)[field]) == limit


async def test_too_many_events_are_dropped_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    api: Any = None  # nothing is posted
    recorder = EventRecorder(api, WriteQueue(least=1.0, most=1.0), instance="pod-1_x")
    for number in range(2_003):
        recorder.record(KEY, (Event("Warning", "Failed", str(number)),))

    assert caplog.messages == ["2000 Events wait to be posted: older ones are dropped"]


class Server:
    """Accepts Events, after it has raised the errors in `answers`."""

    def __init__(self, *answers: ApiError | None) -> None:
        self.answers = [*answers]
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.asked = asyncio.Event()

    async def request(self, method: str, _path: str, *, body: Any, **_: Any) -> dict[str, Any]:
        self.asked.set()
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            raise error
        self.taken.append((method, body))
        return {}


FAILED = Event("Warning", "Failed", "3 of 29 photos overlap")
BUSY = ApiError(429, "TooManyRequests", "slow down")
PATIENCE_SECONDS = 30.0


async def flushed(server: Server, *, times: int = 2) -> list[tuple[str, int]]:
    """Record an Event that often; return for each post the method, and the count of the series."""
    recorder = EventRecorder(server, WriteQueue(least=1.0, most=1.0), instance="pod-1_x")
    for _ in range(times):
        recorder.record(KEY, (FAILED,))
        await recorder.flush(PATIENCE_SECONDS)
    return [(method, body.get("series", {"count": 1})["count"]) for method, body in server.taken]


async def test_the_same_event_again_is_counted_on_the_first() -> None:
    assert await flushed(Server(), times=3) == [("POST", 1), ("PATCH", 2), ("PATCH", 3)]


async def test_a_repetition_that_is_posted_again_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_recorder, "_RETRY_SECONDS", 0.0)
    assert await flushed(Server(None, BUSY, BUSY)) == [("POST", 1), ("PATCH", 2)]


async def test_at_shutdown_a_failed_event_is_retried_while_time_remains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_recorder, "_RETRY_SECONDS", 0.0)
    assert await flushed(Server(BUSY), times=1) == [("POST", 1)]


async def test_a_repetition_of_an_event_that_was_deleted_is_a_new_event() -> None:
    assert await flushed(Server(None, ApiError(404, "NotFound", "no such Event"))) == [("POST", 1), ("POST", 1)]


async def test_an_event_of_a_deleted_namespace_is_dropped() -> None:
    assert await flushed(Server(ApiError(404, "NotFound", "no such namespace")), times=1) == []


async def test_progress_that_takes_every_token_does_not_starve_events() -> None:
    server, writes = Server(), WriteQueue(least=5.0, most=5.0, monotonic=lambda: 0.0)
    while writes.budget.take(0.0):
        pass
    recorder = EventRecorder(server, writes, instance="pod-1_x", monotonic=lambda: 0.0)
    recorder.record(KEY, (FAILED,))
    task = asyncio.create_task(recorder.run())
    try:
        await asyncio.wait_for(server.asked.wait(), PATIENCE_SECONDS / 6)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
