"""Celery's results and the subscription to them, with what a real Celery backend writes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis.asyncio
from celery import Celery
from reconstruction_operator.api.attempt_status import Inputs
from reconstruction_operator.broker import celery_settings
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.records import ProgressReport
from reconstruction_operator.state import connections, results

from devcluster import Redis
from tests.support.settings import configure

pytestmark = [
    pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")  # Celery's own call of redis-py
]

DEADLINE_SECONDS = 60
META: dict[str, Any] = {
    "progress": 35,
    "step": "Running reconstruction",
    "stepIndex": 3,
    "stepCount": 6,
    "fraction": 0.3,
    "startedAt": 1_700_000_000.5,
    "at": 1_700_000_060,
    "message": "depth map 4/12",
    "worker": "celery@w",
    "attempt": 1,
    "findings": {"inputs": {"images": 12, "bytes": 3_000_000}},
}


@pytest.fixture
async def client(redis_settings: None) -> AsyncIterator[redis.asyncio.Redis]:
    async with connections.async_results_client() as opened:
        yield opened


def report(task_id: str, meta: object, state: str = "PROGRESS") -> None:
    """Store a state as a worker does."""
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_settings.settings())
    app.backend.store_result(task_id, meta, state)
    app.backend.client.close()


async def test_progress_is_read_as_a_worker_reports_it(client: redis.asyncio.Redis) -> None:
    await asyncio.to_thread(report, "job-1", META)
    assert await results.read(client, ["job-0", "job-1"]) == {
        "job-1": ProgressReport(
            percent=35,
            step="Running reconstruction",
            step_index=3,
            fraction=0.3,
            started_at=datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=UTC),
            at=datetime(2023, 11, 14, 22, 14, 20, tzinfo=UTC),
            message="depth map 4/12",
            worker="celery@w",
            findings=Findings(Inputs(images=12, bytes=3_000_000)),
        )
    }


@pytest.mark.parametrize("state", ["STARTED", "SUCCESS", "FAILURE", "REVOKED", "RETRY"])
async def test_other_states_are_not_progress(client: redis.asyncio.Redis, state: str) -> None:
    await asyncio.to_thread(report, "job-1", None, state)
    assert await results.read(client, ["job-1"]) == {}


Message = str | None


@contextlib.asynccontextmanager
async def subscribed(
    client: redis.asyncio.Redis, silence_seconds: float = 10.0
) -> AsyncIterator[Callable[[], Awaitable[Message]]]:
    """A subscription that has begun; yields a function that waits for its next message."""
    subscription = results.subscribe(client, silence_seconds=silence_seconds)

    async def following() -> Message:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await anext(subscription)

    assert await following() is None
    yield following
    await subscription.aclose()


async def test_a_subscription_begins_with_a_resync_and_then_names_tasks(client: redis.asyncio.Redis) -> None:
    async with subscribed(client) as following:
        await client.publish("something-else", "x")
        await asyncio.to_thread(report, "job-1", META)
        await asyncio.to_thread(report, "job-2", META)
        assert [await following(), await following()] == ["job-1", "job-2"]


async def test_with_a_prefix_only_our_own_results_are_read_and_heard(
    client: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, REDIS_KEY_PREFIX="team-a")
    async with subscribed(client) as following:
        await client.publish("celery-task-meta-stranger-1", "x")
        await asyncio.to_thread(report, "job-1", META)
        assert await following() == "job-1"
        assert list(await results.read(client, ["job-1"])) == ["job-1"]


async def test_after_a_restart_of_redis_there_is_a_resync(client: redis.asyncio.Redis, redis_server: Redis) -> None:
    async with subscribed(client) as following:
        await asyncio.to_thread(redis_server.restart)
        assert await following() is None
        await client.publish("celery-task-meta-job-1", "x")
        assert await following() == "job-1"


async def test_a_connection_that_stays_open_without_a_reply_is_closed(
    client: redis.asyncio.Redis, redis_server: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with subscribed(client, silence_seconds=1.0) as following:
        waiting = asyncio.ensure_future(following())
        redis_server.pause()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while "Lost the subscription to task states" not in caplog.text:  # noqa: ASYNC110  # a log has no event
                await asyncio.sleep(0.05)
        redis_server.resume()
        assert await waiting is None
