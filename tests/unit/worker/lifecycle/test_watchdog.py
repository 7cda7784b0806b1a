"""Watchdog: which shutdowns it ends."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from reconstruction_operator.worker.lifecycle.watchdog import watch

_GUARD_SECONDS = 30.0  # against hanging


@dataclass
class Worker:
    """The events of one worker, and its watchdog."""

    patience_seconds: float
    stopping: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    killed: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(
            target=watch,
            args=(self.stopping.is_set, self.ended),
            kwargs={"patience_seconds": self.patience_seconds, "kill": self.killed.set, "poll_seconds": 0.01},
            daemon=True,
        )
        self.thread.start()


@pytest.mark.parametrize(
    ("asked", "patience_seconds"),
    [pytest.param(True, _GUARD_SECONDS, id="in time"), pytest.param(False, 0.0, id="without being asked to stop")],
)
def test_a_worker_that_ends_is_not_killed(asked: bool, patience_seconds: float) -> None:
    worker = Worker(patience_seconds)

    if asked:
        worker.stopping.set()
    worker.ended.set()
    worker.thread.join(_GUARD_SECONDS)

    assert not worker.thread.is_alive()
    assert not worker.killed.is_set()
