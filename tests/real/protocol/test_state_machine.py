"""The protocol under everything that can go wrong, on a real Redis: what the design promises, as invariants.

`PROTOCOL_EXAMPLES=20000 pytest tests/real/protocol` drives it harder, and differently each time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from reconstruction_operator import config
from reconstruction_operator.services import file_handler, job_manager, protocol
from reconstruction_operator.tasks import attempt, ending

from tests.real.protocol import world
from tests.real.protocol.fibers import Fiber
from tests.real.protocol.machine import Protocol

pytestmark = [pytest.mark.real, pytest.mark.long]

_EXAMPLES = 200
EXAMPLES = int(os.environ.get("PROTOCOL_EXAMPLES", _EXAMPLES))
STEPS = int(os.environ.get("PROTOCOL_STEPS", "50"))  # of one example


def _at_a_point(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, before which a run may stand still."""

    def stopping(*args: Any, **kwargs: Any) -> Any:
        Fiber.stand_still(name)
        return function(*args, **kwargs)

    return stopping


@pytest.fixture
def client(redis_state_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Redis; and a worker whose times are short, and which stands still before each change on the disk."""
    monkeypatch.setattr(config, "REDIS_STATE_DB", redis_state_url)
    monkeypatch.setattr(config, "JOBS_DIR", config.JOBS_DIR)
    monkeypatch.setattr(config, "ALIVE_TTL_SECONDS", 3_600.0)  # it runs out only when the machine says so
    monkeypatch.setattr(config, "WORKER_TTL_SECONDS", 3_600.0)
    monkeypatch.setattr(protocol, "run", protocol.run)
    monkeypatch.setattr(attempt, "choose", world.choose)
    for name in ("_FIRST_PAUSE_SECONDS", "_LAST_PAUSE_SECONDS", "_FORGOTTEN_SECONDS"):
        monkeypatch.setattr(ending, name, 0.0)
    for method in ("rename", "mkdir"):
        monkeypatch.setattr(Path, method, _at_a_point(method, getattr(Path, method)))
    monkeypatch.setattr(file_handler, "delete_tree", _at_a_point("delete", file_handler.delete_tree))
    logging.disable(logging.CRITICAL)  # of all that goes wrong here on purpose
    job_manager.get_redis_client.cache_clear()
    yield job_manager.get_redis_client()
    logging.disable(logging.NOTSET)
    job_manager.get_redis_client().close()
    job_manager.get_redis_client.cache_clear()


@pytest.mark.timeout(7200)
def test_the_protocol_keeps_its_promises_whatever_happens(client: redis.Redis) -> None:
    class OnThisRedis(Protocol):
        pass

    OnThisRedis.client = client
    run_state_machine_as_test(
        OnThisRedis,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=EXAMPLES == _EXAMPLES,  # in `make test` the same each time
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
