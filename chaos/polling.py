"""Polling: a periodic call in a thread, and a wait for a condition."""

from __future__ import annotations

import threading
from collections.abc import Callable

from chaos import clock

_POLL_SECONDS = 0.5
_PAUSE_SECONDS = 0.1
_STOP_SECONDS = 30.0


class Poller:
    """Calls `poll` in a thread, twice a second, from `start` to `stop`."""

    def __init__(self, name: str, poll: Callable[[], None]) -> None:
        self._poll = poll
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Look a last time and end the thread."""
        self._stopping.set()
        self._thread.join(timeout=_STOP_SECONDS)

    def _work(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            self._poll()
        self._poll()


def wait_for(holds: Callable[[], bool], seconds: float, between: Callable[[], object]) -> float | None:
    """Return the time when `holds` became true, or None after `seconds`; call `between` between two polls."""
    begin = clock.now()
    pause = threading.Event()
    while clock.now() - begin < seconds:
        if holds():
            return clock.now()
        between()
        pause.wait(_PAUSE_SECONDS)
    return None
