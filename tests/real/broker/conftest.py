"""Fixtures of the tests of the broker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from reconstruction_operator import config


@pytest.fixture
def broker(redis_settings: None) -> Iterator[redis.Redis]:
    """A client of the broker's database."""
    with redis.Redis.from_url(config.settings.CELERY_BROKER_URL, decode_responses=True) as opened:
        yield opened
