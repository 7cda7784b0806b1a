"""Settings that point at the real Redis of the test, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import redis
import redis.asyncio
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import connections

from tests.support.settings import configure


@pytest.fixture
def redis_settings(redis_url: str, redis_state_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, CELERY_BROKER_URL=redis_url)
    configure(monkeypatch, CELERY_RESULT_BACKEND=redis_url)
    configure(monkeypatch, REDIS_STATE_DB=redis_state_url)


@pytest.fixture
def client(redis_settings: None) -> Iterator[redis.Redis]:
    """The job manager's own client of the job state."""
    job_manager.get_redis_client.cache_clear()
    yield job_manager.get_redis_client()
    job_manager.get_redis_client().close()
    job_manager.get_redis_client.cache_clear()


@pytest.fixture
async def async_client(redis_settings: None) -> AsyncIterator[redis.asyncio.Redis]:
    async with connections.async_state_client() as opened:
        yield opened


@pytest.fixture
def keys() -> Keys:
    return Keys(prefix="")
