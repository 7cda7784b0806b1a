"""Notifier: the order of notifications, retries, marks, and the drop of those that no receiver accepts."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.notifications.notifier import Notifier
from reconstruction_operator.controller.notifications.sending import DeliveryError
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.types import Event

from tests.support.jobs import NOON, make_body
from tests.support.plans import TIMING

TIMES = "2026-03-01T12:00:00Z"
DOWN = DeliveryError("it is down", down=True)
REJECTS = DeliveryError("HTTP 400")
REFUSED = DeliveryError("host x is not on the allowlist", refused=True)


def pending(*kinds: str) -> list[dict[str, Any]]:
    return [{"kind": kind, "attempt": 1, "time": TIMES, "state": "Pending"} for kind in kinds]


class World:
    """A notifier with an API server, a receiver and a clock."""

    def __init__(self, *bodies: dict[str, Any], addresses: Sequence[tuple[str, str]] = (("*", "https://all"),)) -> None:
        self.bodies = {body["metadata"]["name"]: body for body in bodies}
        self.answers: deque[DeliveryError | None] = deque()
        self.mark_errors: deque[ApiError] = deque()
        self.sent: list[str] = []
        self.told: list[str] = []
        self.now, self.version = 100.0, 10
        self.cache = Cache()
        for body in bodies:
            self.cache.put(body)
        self.timing = replace(TIMING, notifications=tuple(addresses))
        self.notifier = self.restarted()

    def restarted(self) -> Notifier:
        parts: Any = self
        election: Any = SimpleNamespace(leading=True)
        events: Any = SimpleNamespace(record=self.record)
        self.notifier = Notifier(
            parts,
            self.cache,
            election,
            events,
            parts,
            self.timing,
            retry_seconds=86_400,
            gallery="",
            monotonic=lambda: self.now,
            utc_now=self.utc_now,
        )
        return self.notifier

    def utc_now(self) -> datetime:
        return NOON + timedelta(seconds=self.now - 100)

    def record(self, _key: object, events: tuple[Event, ...]) -> None:
        self.told += [f"{event.reason}: {event.message}" for event in events]

    async def get(self, path: str) -> dict[str, Any]:
        return copy.deepcopy(self.bodies[path.rpartition("/")[2]])

    async def request(self, _method: str, path: str, *, body: Any, **_: Any) -> dict[str, Any]:
        if self.mark_errors:
            raise self.mark_errors.popleft()
        name = path.split("/")[-2]
        *tests, mark = body
        place = int(mark["path"].split("/")[3])
        stored = self.bodies[name]["status"]["notifications"][place]
        assert [test["value"] for test in tests] == [f"uid-{name}", stored["kind"], stored["attempt"]]
        stored["state"] = mark["value"]
        self.version += 1
        self.bodies[name]["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.bodies[name])

    async def send(self, address: str, event: Any, key_name: str) -> None:
        self.sent.append(f"{event.id} to {address} with {key_name}")
        if self.answers and (error := self.answers.popleft()) is not None:
            raise error

    async def pass_over(self, seconds: float = 0.0) -> list[str]:
        """Let that time pass, handle what is due then, and return what was sent."""
        self.now += seconds
        self.sent.clear()
        for entry in list(self.notifier.due(self.now)):
            await self.notifier._handle(entry)
        return [*self.sent]

    def states(self, name: str = "banana") -> list[str]:
        return [one["state"] for one in self.bodies[name]["status"]["notifications"]]


async def test_a_jobs_notifications_are_sent_in_order_and_marked() -> None:
    world = World(make_body(phase="Succeeded", notifications=pending("CancelRequested", "Fine")))

    sent = [await world.pass_over() for _ in range(3)]

    assert sent == [
        ["uid-banana-1-CancelRequested to https://all with OTHERS"],
        ["uid-banana-1-Fine to https://all with OTHERS"],
        [],
    ]
    assert world.states() == ["Sent", "Sent"]


async def test_a_namespace_with_an_address_of_its_own_has_its_own_key() -> None:
    body = make_body(phase="Succeeded", notifications=pending("Fine"))
    world = World(body, addresses=[("*", "https://all"), ("default", "https://own")])

    assert await world.pass_over() == ["uid-banana-1-Fine to https://own with default"]


async def test_what_is_not_accepted_is_sent_again_with_a_growing_pause() -> None:
    world = World(make_body(phase="Succeeded", notifications=pending("Fine")))
    world.answers.extend([DOWN, REJECTS, None])

    counts = [len(await world.pass_over(seconds)) for seconds in (0, 0.9, 0.2, 1.8, 0.3, 60)]

    assert counts == [1, 0, 1, 0, 1, 0]
    assert world.states() == ["Sent"]


async def test_the_next_notification_of_a_job_begins_with_the_shortest_pause() -> None:
    world = World(make_body(phase="Succeeded", notifications=pending("CancelRequested", "Fine")))
    world.answers.extend([REJECTS, REJECTS, None, REJECTS, None])

    counts = [len(await world.pass_over(seconds)) for seconds in (0, 1.1, 2.1, 0, 1.1)]

    assert counts == [1, 1, 1, 1, 1]
    assert world.states() == ["Sent", "Sent"]


async def test_while_a_receiver_is_down_one_event_at_a_time_tries_it() -> None:
    names = ("a", "b", "c")
    world = World(*(make_body(name, phase="Succeeded", notifications=pending("Fine")) for name in names))
    world.answers.extend([DOWN, DOWN])

    counts = [len(await world.pass_over(seconds)) for seconds in (0, 30, 30, 30)]

    assert counts == [1, 1, 1, 2]


async def test_an_event_that_its_receiver_rejects_holds_up_no_other() -> None:
    world = World(*(make_body(name, phase="Succeeded", notifications=pending("Fine")) for name in ("bad", "good")))
    world.answers.extend([REJECTS])

    await world.pass_over()

    assert (world.states("bad"), world.states("good")) == (["Pending"], ["Sent"])


async def test_after_a_crash_before_the_mark_the_event_is_sent_again_with_the_same_id() -> None:
    world = World(make_body(phase="Succeeded", notifications=pending("Fine")))
    world.mark_errors.append(ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "Down", "no answer", 1.0))
    first = await world.pass_over()
    world.cache.reset()
    world.restarted()

    assert await world.pass_over() == first != []
    assert world.states() == ["Sent"]


async def test_a_failed_mark_alone_is_repeated() -> None:
    world = World(make_body(phase="Succeeded", notifications=pending("Fine")))
    world.mark_errors.append(ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "Down", "no answer", 1.0))
    await world.pass_over()

    assert await world.pass_over(2) == []
    assert world.states() == ["Sent"]


async def test_a_refusal_is_reported_once_by_an_event() -> None:
    world = World(make_body(phase="Succeeded", notifications=pending("Fine")))
    world.answers.extend([REFUSED, REFUSED])

    await world.pass_over()
    await world.pass_over(60)

    message = f"The notification Fine of attempt 1 is not sent, and tried again: {REFUSED}"
    assert world.told == [f"NotificationRefused: {message}"]


@pytest.mark.parametrize("error", [DOWN, REJECTS, REFUSED], ids=["down", "rejects", "refused"])
async def test_after_a_day_a_notification_is_dropped_with_an_event(error: DeliveryError) -> None:
    world = World(make_body(phase="Succeeded", notifications=pending("Fine")))
    world.answers.extend([error] * 2)
    await world.pass_over()

    await world.pass_over(86_401)

    assert world.states() == ["Dropped"]
    assert world.told[-1] == f"NotificationDropped: The notification Fine of attempt 1 is dropped: {error}"


async def test_without_an_address_a_notification_is_dropped_silently() -> None:
    world = World(make_body(phase="Succeeded", notifications=pending("Fine")), addresses=[])

    assert (await world.pass_over(), world.states(), world.told) == ([], ["Dropped"], [])


async def test_jobs_of_another_controller_are_left_alone() -> None:
    body = make_body(phase="Succeeded", notifications=pending("Fine"), spec={"managedBy": "example.com/other"})

    assert await World(body).pass_over() == []
