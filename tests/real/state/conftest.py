"""Clients of a real Redis, and the calls of the protocol."""

from collections.abc import AsyncIterator, Iterator

import pytest
import redis
import redis.asyncio
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import connections

from tests.support.protocol.caller import Caller


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


@pytest.fixture
def do(client: redis.Redis, keys: Keys) -> Caller:
    return Caller(client, keys)
