"""Pause log: each cause is logged once, until no job of the queue waits."""

from __future__ import annotations

import pytest
from reconstruction_operator.controller.loop.pauses import PauseLog
from reconstruction_operator.controller.redis_view.queues import QueueFacts
from reconstruction_operator.planning.quotas import Quotas
from reconstruction_operator.planning.scheduling import DispatchWindow, Load, Room

from tests.support.controller.dispatch import read

WINDOW = DispatchWindow(queue=2, namespace=2, total=3, total_bytes=1_000)


@pytest.fixture
def facts() -> QueueFacts:
    return read(QueueFacts(memory_share=0.75), "celery")


def room(**messages: int) -> Room:
    return Room(Load(messages), WINDOW, Quotas())


@pytest.mark.parametrize(
    ("queue", "left", "causes"),
    [
        pytest.param("celery", room(celery=1), [], id="room"),
        pytest.param("lonely", room(), ["no live worker listens to it"], id="no-workers"),
        pytest.param(
            "celery", room(celery=2), ["as many messages as DISPATCH_WINDOW allows wait in it"], id="a-full-queue"
        ),
        pytest.param(
            "celery",
            room(celery=1, gpu=2),
            ["as many messages as DISPATCH_TOTAL_WINDOW allows wait in all queues"],
            id="all-queues-together",
        ),
    ],
)
def test_the_cause_of_a_pause_is_logged(
    queue: str, left: Room, causes: list[str], facts: QueueFacts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    PauseLog().log([queue], facts, left)

    assert caplog.messages == [f"Queue {queue}: further jobs wait in the API server: {cause}" for cause in causes]


def test_a_cause_is_logged_again_only_after_no_job_waited(facts: QueueFacts, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    pauses = PauseLog()
    for _ in range(2):
        for left in (room(celery=2), room(celery=1), room(celery=2)):
            pauses.log(["celery"], facts, left)
        pauses.forget("celery")
    pauses.log([], facts, room())

    assert len(caplog.messages) == 2
