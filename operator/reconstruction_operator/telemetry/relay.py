"""Metrics relay: carries measurements from the processes of a worker's pool to its main process, which serves /metrics.

The relay is a pipe, opened before the pool forks, so that every process inherits its writing end. Short writes are
atomic and never block, and a measurement counts even if its process is killed right after it. prometheus_client's
multiprocess mode is not used: it has no Info, no `set_function`, no process collector and no removal of series.

Without an open relay (a direct call, or no /metrics), measurements are dropped.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from reconstruction_operator.telemetry import worker_metrics

logger = logging.getLogger(__name__)

_CHUNK_BYTES: Final = 65_536  # as much as a pipe holds
_JOIN_SECONDS: Final = 2.0
_END: Final = b"\n"  # an empty line

_METRICS: Final[Mapping[str, MetricWrapperBase]] = MappingProxyType(
    {name: metric for name, metric in vars(worker_metrics).items() if isinstance(metric, MetricWrapperBase)}
)
_NAMES: Final = {id(metric): name for name, metric in _METRICS.items()}


class Relay:
    """Both ends of the pipe. Opened in the main process, before its pool forks."""

    def __init__(self) -> None:
        self._inner, self._outer = os.pipe()
        os.set_blocking(self._outer, False)
        self._owner = os.getpid()
        self._thread = threading.Thread(target=self._listen, name="measurements", daemon=True)

    def start(self) -> None:
        """Start reading, in the main process after its pool has forked. Earlier measurements wait in the pipe."""
        self._thread.start()

    def close(self) -> None:
        """Stop after applying the measurements that have arrived.

        Without effect the second time, or in another process.
        """
        if self._thread.is_alive() and os.getpid() == self._owner:
            select.select([], [self._outer], [], _JOIN_SECONDS)
            with contextlib.suppress(OSError):
                os.write(self._outer, _END)
            self._thread.join(_JOIN_SECONDS)

    def send(self, metric: MetricWrapperBase, value: float, labels: tuple[str, ...]) -> None:
        """Send from any process and thread. A measurement for which the pipe has no room is dropped."""
        line = json.dumps([_NAMES[id(metric)], value, labels]).encode() + b"\n"
        if len(line) <= select.PIPE_BUF:  # a longer write would not be atomic
            with contextlib.suppress(OSError):
                os.write(self._outer, line)

    def _listen(self) -> None:
        rest = b""
        while True:
            *lines, rest = (rest + os.read(self._inner, _CHUNK_BYTES)).split(b"\n")
            for line in lines:
                if not line:
                    return
                try:
                    name, value, labels = json.loads(line)
                    apply(_METRICS[name], float(value), tuple(labels))
                except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                    logger.exception("Invalid measurement: %r", line[:200])


def apply(metric: MetricWrapperBase, value: float, labels: tuple[str, ...]) -> None:
    """Apply a measurement: a counter adds it, a histogram observes it, a gauge keeps the maximum."""
    child = metric.labels(*labels) if labels else metric
    match child:
        case Counter():
            child.inc(value)
        case Histogram():
            child.observe(value)
        case Gauge():
            child.set(max(value, child._value.get()))  # noqa: SLF001  # the library has no other way to read one
        case _:
            raise TypeError(f"{type(metric).__name__} cannot be reported")


_open: list[Relay] = []  # at most one; forked processes inherit it


def install(relay: Relay | None) -> None:
    """Send the measurements of this process, and of processes that it forks, to `relay`; None: drop them."""
    _open[:] = [] if relay is None else [relay]


def report(metric: MetricWrapperBase, value: float, *labels: str) -> None:
    """Send a measurement of a metric of `worker_metrics`. Never waits, never raises."""
    for relay in _open:
        relay.send(metric, value, labels)
