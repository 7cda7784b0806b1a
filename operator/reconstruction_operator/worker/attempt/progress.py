"""Progress sender: sends an attempt's progress to Celery's result backend from its own thread, so that a slow Redis
never delays the run.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final, Self

from reconstruction_operator import exhaustion

logger = logging.getLogger(__name__)

Meta = Mapping[str, Any]
"""What `AsyncResult.info` shows while a task is in state PROGRESS."""

Send = Callable[[Meta], None]
"""Sends one of them. Raises any exception if it did not arrive."""


@dataclass(frozen=True, slots=True)
class Pauses:
    """How long a sender waits, in seconds."""

    first: float = 0.1  # an attempt that ends earlier need not be shown as running
    within_step: float = 0.5  # between reports of a step, to protect Redis
    after_error: float = 1.0
    last: float = 5.0  # limit of the wait for a send that is under way when the run ends


_PAUSES: Final = Pauses()


class ProgressSender:
    """Sends inside a `with` block.

    Reports offered with `keep` (start and end of a step) are sent in order and retried until they arrive. Of all
    others, only the latest is sent, once, at a limited rate. With `flush`, kept reports that are unsent when the run
    ends are tried once.
    """

    def __init__(self, send: Send, *, flush: bool, pauses: Pauses = _PAUSES) -> None:
        self._send = send
        self._pauses = pauses
        self._flush = flush
        self._kept: deque[Meta] = deque()
        self._latest: Meta | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()  # the run has ended
        self._over = False  # nothing more is sent
        self._failed = False
        context = copy_context()  # names the job in the log lines of the thread
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="progress", daemon=True)

    def __enter__(self) -> Self:
        """Raise ExhaustedError if the thread cannot be started."""
        with exhaustion.starting():
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed.set()
            self._over = not self._flush
            self._changed.notify()
        self._thread.join(self._pauses.last)
        self._over = True

    def offer(self, meta: Meta, *, keep: bool) -> None:
        """Queue `meta`; returns at once."""
        with self._changed:
            if keep:
                self._kept.append(meta)
                self._latest = None  # older than this one
            else:
                self._latest = meta
            self._changed.notify()

    def _run(self) -> None:
        # Not the condition: each report of a short attempt would wake this thread.
        self._closed.wait(self._pauses.first)
        while self._wait():
            self._send_all()
            if self._failed:
                self._closed.wait(self._pauses.after_error)
                continue
            with self._changed:
                self._changed.wait_for(lambda: self._closed.is_set() or self._kept, self._pauses.within_step)
        self._send_all()

    def _wait(self) -> bool:
        """Wait for a report; return False once the run has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed.is_set() or self._kept or self._latest is not None)
            return not self._closed.is_set()

    def _send_all(self) -> None:
        try:
            while self._kept and not self._over:
                self._send(self._kept[0])
                self._kept.popleft()
            with self._changed:
                latest, self._latest = self._latest, None
            if latest is not None and not self._over:
                self._send(latest)
            self._failed = False
        except Exception as error:  # noqa: BLE001  # the result backend may raise anything
            if not self._failed:
                logger.info("progress cannot be sent: %s", error)
            self._failed = True
