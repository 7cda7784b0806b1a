"""Redis, and a worker that can be paused at each of its points."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import redis
from reconstruction_operator import disk
from reconstruction_operator.models import registry
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import calls
from reconstruction_operator.worker.attempt import ending, run

from tests.real.protocol import world
from tests.real.protocol.fibers import Fiber, at_a_point
from tests.support.settings import configure
from tests.support.worker.deletions import delete_in_this_process

T = TypeVar("T")


def _torn(write_text: Callable[..., int]) -> Callable[..., int]:
    """`write_text` with a point before it; a write that fails leaves half of the text."""

    def stopping(path: Path, text: str, *args: Any, **kwargs: Any) -> int:
        try:
            Fiber.pause_at("write")
        except OSError:
            write_text(path, text[: len(text) // 2], *args, **kwargs)
            raise
        return write_text(path, text, *args, **kwargs)

    return stopping


def _at_once(function: Callable[[], T], check: Callable[[], None]) -> T:
    """`call_interruptibly` in the run's own thread, which has points; abandoning a thread is tested elsewhere."""
    check()
    return function()


@pytest.fixture
def client(redis_state_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Redis; a worker with short waits, which can be paused before each change on the disk."""
    # Heartbeats and registrations expire only when the state machine lets them.
    configure(monkeypatch, REDIS_STATE_DB=redis_state_url, ALIVE_TTL_SECONDS=3_600.0, WORKER_TTL_SECONDS=3_600.0)
    monkeypatch.setattr(calls, "run", calls.run)
    monkeypatch.setattr(calls, "arun", calls.arun)
    monkeypatch.setattr(run, "choose", world.choose)
    monkeypatch.setattr(registry, "find", lambda _: world.PlainModel())  # asked for the model's version
    monkeypatch.setattr(run, "call_interruptibly", _at_once)
    delete_in_this_process(monkeypatch)
    for name in ("_FIRST_PAUSE_SECONDS", "_LAST_PAUSE_SECONDS", "_FORGOTTEN_SECONDS"):
        monkeypatch.setattr(ending, name, 0.0)
    for method in ("rename", "mkdir"):
        monkeypatch.setattr(Path, method, at_a_point(method, getattr(Path, method)))
    monkeypatch.setattr(Path, "write_text", _torn(Path.write_text))
    monkeypatch.setattr(disk, "delete_tree", at_a_point("delete", disk.delete_tree))
    logging.disable(logging.CRITICAL)  # faults are intended here
    job_manager.get_redis_client.cache_clear()
    yield job_manager.get_redis_client()
    logging.disable(logging.NOTSET)
    job_manager.get_redis_client().close()
    job_manager.get_redis_client.cache_clear()
