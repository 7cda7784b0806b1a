"""Resync requests: which cause counts, and a request ends a wait."""

from __future__ import annotations

import asyncio

import pytest
from reconstruction_operator.controller.redis_view.resync import ResyncRequests


@pytest.fixture
def requests() -> ResyncRequests:
    return ResyncRequests()


def test_a_resync_is_for_the_period_unless_one_was_requested(requests: ResyncRequests) -> None:
    assert [requests.take(), requests.take()] == ["start", "period"]
    requests.request("reconnect")
    requests.request("leading")
    assert [requests.take(), requests.take()] == ["leading", "period"]


def test_a_failed_resync_is_repeated_with_its_cause(requests: ResyncRequests) -> None:
    requests.request("leading")
    requests.restore(requests.take())
    assert requests.take() == "leading"


@pytest.mark.parametrize(
    ("failed", "requested", "expected"),
    [("period", "epoch", "epoch"), ("leading", "epoch", "epoch"), ("epoch", "resubscribed", "epoch")],
)
def test_a_failed_resync_hides_no_request_that_came_meanwhile(
    failed: str, requested: str, expected: str, requests: ResyncRequests
) -> None:
    requests.take()
    requests.request(failed)
    cause = requests.take()
    requests.request(requested)
    requests.restore(cause)

    assert [requests.take(), requests.take()] == [expected, "period"]


def test_no_later_request_hides_a_loss_of_data(requests: ResyncRequests) -> None:
    """A restarted Redis has lost data and all subscriptions, and both are noticed during one sweep."""
    requests.request("epoch")
    requests.request("resubscribed")

    assert [requests.take(), requests.take()] == ["epoch", "period"]


async def test_a_wait_ends_after_its_time_or_at_once_for_a_request(requests: ResyncRequests) -> None:
    await requests.wait(0.001)
    requests.request("leading")
    async with asyncio.timeout(10):
        await requests.wait(3_600.0)


async def test_a_request_during_a_wait_ends_it(requests: ResyncRequests) -> None:
    waiting = asyncio.create_task(requests.wait(3_600.0))
    await asyncio.sleep(0)
    assert not waiting.done()

    requests.request("reconnect")

    async with asyncio.timeout(10):
        await waiting


async def test_one_request_ends_one_wait(requests: ResyncRequests) -> None:
    requests.request("epoch")
    await requests.wait(3_600.0)
    second = asyncio.create_task(requests.wait(3_600.0))
    await asyncio.sleep(0)

    assert not second.done()
    second.cancel()
