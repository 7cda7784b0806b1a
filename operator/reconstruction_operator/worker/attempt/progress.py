"""Progress sender: a thread that sends progress to Celery's result backend, so that a slow Redis never delays a run."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, Self

logger = logging.getLogger(__name__)

Meta = Mapping[str, Any]
"""What `AsyncResult.info` shows while a task is in state PROGRESS."""

# Rate limit within a step, for Redis. The model process has its own (`models.child`), for its pipe: this one also
# covers models in this process and the loading of photos.
_LATEST_SECONDS = 0.5
_AFTER_ERROR_SECONDS = 1.0


class ProgressSender:
    """Sends inside a `with` block.

    Items offered with `keep` (begin and end of a step) are sent in order and retried until they arrive. Of all others only
    the latest is sent, once. What is unsent when the run is over is dropped: the recorded end counts, not the progress.
    """

    def __init__(self, send: Callable[[Meta], None], *, flush_seconds: float) -> None:
        self._send = send
        self._flush_seconds = flush_seconds
        self._kept: deque[Meta] = deque()
        self._latest: Meta | None = None
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._abandoned = False
        self._failed = False
        self._sent_at = -_LATEST_SECONDS
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def offer(self, meta: Meta, *, keep: bool) -> None:
        """Queue `meta`; returns at once."""
        with self._changed:
            if keep:
                self._kept.append(meta)
                self._latest = None  # older than this one
            else:
                self._latest = meta
            self._changed.notify_all()

    def close(self) -> None:
        """Send the kept items, for `flush_seconds` at most. Nothing is sent after this returns."""
        with self._changed:
            self._closing.set()
            self._latest = None
            self._changed.notify_all()
        self._thread.join(self._flush_seconds)
        with self._changed:
            self._abandoned = True
            self._kept.clear()

    def _run(self) -> None:
        while (item := self._next()) is not None:
            meta, keep = item
            try:
                self._send(meta)
                self._failed = False
            except Exception as error:  # noqa: BLE001  # the result backend may raise anything
                if not self._failed:
                    logger.info("progress cannot be sent: %s", error)
                self._failed = True
                if not self._closing.wait(_AFTER_ERROR_SECONDS) and keep:
                    with self._changed:
                        self._kept.appendleft(meta)
            self._sent_at = time.monotonic()

    def _next(self) -> tuple[Meta, bool] | None:
        """Wait for an item to send; returns it and its `keep`, or None when the run is over."""
        with self._changed:
            while not self._abandoned:
                if self._kept:
                    return self._kept.popleft(), True
                if self._closing.is_set():
                    return None
                pause = self._sent_at + _LATEST_SECONDS - time.monotonic()
                if self._latest is not None and pause <= 0:
                    latest, self._latest = self._latest, None
                    return latest, False
                self._changed.wait(None if self._latest is None else pause)
            return None
