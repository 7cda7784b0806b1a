"""Measurements on their way from the processes of a worker's pool to the one process that Prometheus asks.

A pipe, made before the pool forks, so that every process of the pool inherits the end that is written to. A short line
arrives whole, whoever else writes; writing never waits; and what a process has sent counts, even if the kernel kills it a
moment later. Neither holds for prometheus_client's own way, which is a file for each process that ever was.

Where no relay is open (a direct call, or metrics switched off), a measurement is forgotten.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import threading
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from reconstruction_operator.telemetry import worker_metrics

logger = logging.getLogger(__name__)

_CHUNK_BYTES: Final = 65_536  # as much as a pipe holds
_JOIN_SECONDS: Final = 2.0
_END: Final = b"\n"  # an empty line: there is no more

_METRICS: Final[Mapping[str, MetricWrapperBase]] = MappingProxyType(
    {name: metric for name, metric in vars(worker_metrics).items() if isinstance(metric, MetricWrapperBase)}
)
_NAMES: Final = {id(metric): name for name, metric in _METRICS.items()}


class Relay:
    """Both ends. Opened in the process that is asked, before its pool forks."""

    def __init__(self) -> None:
        self._inner, self._outer = os.pipe()
        os.set_blocking(self._outer, False)
        self._owner = os.getpid()
        self._unsent: deque[None] = (
            deque()
        )  # one for each; threads share it, and no lock may be held while a pool forks
        self._thread = threading.Thread(target=self._listen, name="measurements", daemon=True)

    @property
    def unsent(self) -> int:
        """Measurements of this process that found no room, and of which nobody has been told yet."""
        return len(self._unsent)

    def start(self) -> None:
        """Begin to listen: in the opener, once its pool has forked for the first time (what came before waits)."""
        self._thread.start()

    def close(self) -> None:
        """What has arrived is counted before this returns. Nothing to do the second time, or in another process."""
        if self._thread.is_alive() and os.getpid() == self._owner:
            select.select([], [self._outer], [], _JOIN_SECONDS)
            with contextlib.suppress(OSError):
                os.write(self._outer, _END)
            self._thread.join(_JOIN_SECONDS)

    def send(self, metric: MetricWrapperBase, value: float, labels: tuple[str, ...]) -> None:
        """From any process and thread. What finds no room is counted, and that is said with the next one."""
        unsent = 0
        with contextlib.suppress(IndexError):
            while True:
                self._unsent.pop()
                unsent += 1
        line = json.dumps([_NAMES[id(metric)], value, labels, unsent]).encode() + b"\n"
        if not self._written(line):
            self._unsent.extend([None] * (unsent + 1))

    def _written(self, line: bytes) -> bool:
        if len(line) > select.PIPE_BUF:  # might not arrive whole
            return False
        try:
            os.write(self._outer, line)
        except OSError:
            return False
        return True

    def _listen(self) -> None:
        rest = b""
        while True:
            *lines, rest = (rest + os.read(self._inner, _CHUNK_BYTES)).split(b"\n")
            for line in lines:
                if not line:
                    return
                try:
                    name, value, labels, unsent = json.loads(line)
                    apply(_METRICS[name], float(value), tuple(labels))
                    worker_metrics.REPORTS_DROPPED.inc(unsent)
                except (ValueError, KeyError, TypeError):
                    logger.exception("a measurement could not be read: %r", line[:200])


def apply(metric: MetricWrapperBase, value: float, labels: tuple[str, ...]) -> None:
    """Count it: a counter grows by it, a histogram observes it, a gauge keeps the highest."""
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


_open: list[Relay] = []  # of this process, and of those that it forks


def install(relay: Relay | None) -> None:
    """From now on measurements of this process, and of those that it forks, go there; None: nowhere."""
    _open[:] = [] if relay is None else [relay]


def report(metric: MetricWrapperBase, value: float, *labels: str) -> None:
    """Send a measurement of one of the metrics of `worker_metrics`. Never waits, never raises."""
    for relay in _open:
        relay.send(metric, value, labels)
