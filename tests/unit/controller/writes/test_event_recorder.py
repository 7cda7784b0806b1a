"""Event recorder: the bodies of Events, within the API's limits, and how they are posted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.controller.writes.event_recorder import EventRecorder, event_body
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.types import Event
from reconstruction_operator.telemetry import metrics

KEY = JobRef("default", "banana", "uid-1")
NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def test_long_texts_are_cut_to_the_apis_limits() -> None:
    body = event_body(KEY, Event("Normal", "Started", "x" * 5_000), NOON, "banana.1", "p" * 5_000)

    assert (len(body["note"]), len(body["reportingInstance"])) == (1024, 128)


async def test_of_too_many_events_warnings_have_more_room() -> None:
    api: Any = None  # nothing is posted
    recorder = EventRecorder(api, instance="pod-1_x")
    dropped = metrics.EVENTS_DROPPED.labels("full")
    before = dropped._value.get()

    recorder.record(KEY, tuple(Event("Normal", "Started", str(number)) for number in range(203)))
    assert dropped._value.get() - before == 3
    recorder.record(KEY, tuple(Event("Warning", "Failed", str(number)) for number in range(803)))
    assert dropped._value.get() - before == 6


class Server:
    """Accepts Events, after it has raised the errors in `answers`."""

    def __init__(self, *answers: ApiError) -> None:
        self.answers = [*answers]
        self.taken: list[str] = []

    async def request(self, method: str, _path: str, *, body: Any, **_: Any) -> dict[str, Any]:
        if self.answers:
            raise self.answers.pop(0)
        self.taken.append(f"{method} {body['reason']}")
        return {}


@pytest.mark.parametrize(
    ("error", "posted"),
    [
        pytest.param(ApiError(429, "TooManyRequests", "slow down", 0.01), ["Started", "Failed"], id="no room"),
        pytest.param(ApiError(404, "NotFound", "no such namespace"), ["Failed"], id="namespace deleted"),
    ],
)
async def test_an_event_is_posted_again_only_if_the_server_had_no_room(error: ApiError, posted: list[str]) -> None:
    server = Server(error)
    recorder = EventRecorder(server, instance="pod-1_x")
    recorder.record(KEY, (Event("Normal", "Started", "…"), Event("Warning", "Failed", "…")))
    await recorder.flush(30.0)

    assert server.taken == [f"POST {reason}" for reason in posted]
