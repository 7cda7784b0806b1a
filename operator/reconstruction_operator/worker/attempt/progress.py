"""Progress sender: sends progress to Celery's result backend from another thread, so that a slow Redis never delays a run.

One thread of the process sends for all running attempts. It sends an attempt's first reports after a tenth of a second, since an attempt
that ends earlier need not be shown as running. Later reports within a few milliseconds are sent together.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from typing import Any, Final, Self

logger = logging.getLogger(__name__)

Meta = Mapping[str, Any]
"""What `AsyncResult.info` shows while a task is in state PROGRESS."""

Send = Callable[[Sequence[Meta]], None]
"""Sends some of them, in order. Raises any exception unless all of them arrived."""

# Rate limit within a step, to protect Redis. It also covers models in this process and the loading of photos; the limit of the model
# process (`models.child`) protects only its pipe.
_LATEST_SECONDS: Final = 0.5
_AFTER_ERROR_SECONDS: Final = 1.0
_GATHER_SECONDS: Final = 0.01
_FIRST_SECONDS: Final = 0.1  # until the first reports of an attempt are sent


class ProgressSender:
    """Sends inside a `with` block.

    Items offered with `keep` (start and end of a step) are sent in order and retried until they arrive. Of all others, only
    the latest is sent, once. Items that are unsent when the run ends are tried once, by `send_last` if it is given: from then on
    the recorded end counts.
    """

    def __init__(self, send: Send, *, flush_seconds: float, send_last: Send | None = None) -> None:
        self._send = send
        self._send_last = send_last or send
        self._flush_seconds = flush_seconds
        self._kept: deque[Meta] = deque()
        self._latest: Meta | None = None
        self._lock = threading.Lock()  # guards the queue
        self._sending = threading.Lock()
        self._closed = False
        self._failed = False
        self._gather_seconds = _FIRST_SECONDS  # delay between an offer and its send
        self._latest_at = 0.0  # monotonic time before which the latest item is not sent
        self._retry_at = 0.0  # monotonic time before which nothing is sent
        self._context = copy_context()  # names the job in the log lines of the sending thread
        self._courier: _Courier | None = None

    def __enter__(self) -> Self:
        self._courier = _of_process()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def offer(self, meta: Meta, *, keep: bool) -> None:
        """Queue `meta`; returns at once."""
        with self._lock:
            if keep:
                self._kept.append(meta)
                self._latest = None  # older than this one
            else:
                self._latest = meta
        if self._courier is not None:
            self._courier.send_within(self, self._gather_seconds)

    def close(self) -> None:
        """Send the kept items, unless a send hangs for `flush_seconds`. Nothing is sent afterwards."""
        if self._courier is not None:
            self._courier.forget(self)
        with self._lock:
            self._closed = True  # set first, because the thread may wait for the last send
        if self._sending.acquire(timeout=self._flush_seconds):
            try:
                with self._lock:
                    unsent = list(self._kept)
                if unsent:
                    self._try(unsent, self._send_last)
            finally:
                self._sending.release()

    def send_due(self) -> float | None:
        """Send the due items. Return the monotonic time at which more are due (None: after the next offer)."""
        with self._sending:
            with self._lock:
                now = time.monotonic()
                self._gather_seconds = _GATHER_SECONDS
                if self._closed:
                    return None
                if now < self._retry_at:
                    return self._retry_at
                kept, latest = list(self._kept), None
                self._kept.clear()
                if now >= self._latest_at:
                    latest, self._latest = self._latest, None
                items = kept if latest is None else [*kept, latest]
            arrived = not items or self._context.run(self._try, items, self._send)
            with self._lock:
                now = time.monotonic()
                if items:
                    self._latest_at = now + _LATEST_SECONDS
                if not arrived:
                    self._kept.extendleft(reversed(kept))
                    self._retry_at = now + _AFTER_ERROR_SECONDS
                if self._kept:
                    return self._retry_at
                return None if self._latest is None else max(self._latest_at, self._retry_at)

    def _try(self, items: Sequence[Meta], send: Send) -> bool:
        """Send the items; return whether they arrived."""
        try:
            send(items)
        except Exception as error:  # noqa: BLE001  # the result backend may raise anything
            if not self._failed:
                logger.info("progress cannot be sent: %s", error)
            self._failed = True
            return False
        self._failed = False
        return True


class _Courier:
    """The thread that sends for all attempts of a process. It starts with the first attempt, and wakes up only when an item is due."""

    def __init__(self) -> None:
        self._due_at: dict[ProgressSender, float] = {}
        self._changed = threading.Condition()
        self._wakes_at = 0.0
        threading.Thread(target=self._run, name="progress", daemon=True).start()

    def send_within(self, sender: ProgressSender, seconds: float) -> None:
        """Call the sender's `send_due` within `seconds`."""
        with self._changed:
            self._set_due(sender, time.monotonic() + seconds)
            if self._due_at[sender] < self._wakes_at:
                self._changed.notify()

    def forget(self, sender: ProgressSender) -> None:
        """Stop sending for this sender. A send may be under way."""
        with self._changed:
            self._due_at.pop(sender, None)

    def _set_due(self, sender: ProgressSender, at: float) -> None:
        self._due_at[sender] = min(at, self._due_at.get(sender, math.inf))

    def _run(self) -> None:
        while True:
            for sender in self._wait():
                again_at = sender.send_due()
                if again_at is not None:
                    with self._changed:
                        self._set_due(sender, again_at)

    def _wait(self) -> list[ProgressSender]:
        """Wait until a sender is due; return all that are."""
        with self._changed:
            while True:
                now = time.monotonic()
                due = [sender for sender, at in self._due_at.items() if at <= now]
                if due:
                    self._wakes_at = 0.0  # the thread checks again without a notification
                    for sender in due:
                        del self._due_at[sender]
                    return due
                self._wakes_at = min(self._due_at.values(), default=math.inf)
                self._changed.wait(None if math.isinf(self._wakes_at) else self._wakes_at - now)


_couriers: Final[list[_Courier]] = []  # at most one
_lock: Final = threading.Lock()


def _of_process() -> _Courier:
    with _lock:
        if not _couriers:
            _couriers.append(_Courier())
        return _couriers[0]


os.register_at_fork(after_in_child=_couriers.clear)  # no thread survives a fork
