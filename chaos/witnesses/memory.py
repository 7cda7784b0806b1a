"""Memory watcher: samples the resident memory of operators, workers, gallery and Redis.

It must not grow over a long run.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import psutil

from chaos import clock
from chaos.polling import Poller
from devcluster.servers.processes import Process

_SAMPLE_SECONDS: Final = 5.0
_SETTLED_SECONDS: Final = 600.0  # caches are full, and each part has been restarted by a fault
_WINDOW_SECONDS: Final = 180.0  # of a median


class Sample(NamedTuple):
    """The memory of a part at one moment, without that of its children."""

    at: float  # s
    resident_bytes: int


class Growth(NamedTuple):
    """The memory of a part ten minutes after the begin, and at the end: medians of three minutes."""

    settled_bytes: float
    last_bytes: float


class MemoryWatcher:
    """Samples `processes`, by name, every five seconds. One that does not run gets no sample."""

    def __init__(self, processes: Callable[[], Mapping[str, Process]]) -> None:
        self._processes = processes
        self._due = 0.0
        self.poller = Poller("memory", self.poll)
        self.samples: dict[str, list[Sample]] = {}

    def poll(self) -> None:
        """Take a sample of each part, if one is due."""
        if clock.now() < self._due:
            return
        self._due = clock.now() + _SAMPLE_SECONDS
        for name, process in self._processes().items():
            with contextlib.suppress(psutil.NoSuchProcess):
                resident = psutil.Process(process.pid).memory_info().rss
                self.samples.setdefault(name, []).append(Sample(clock.now(), resident))


def growth(samples: Sequence[Sample]) -> Growth | None:
    """Return how the memory grew; None if the run was too short to say so."""
    if not samples or samples[-1].at - samples[0].at < _SETTLED_SECONDS + 2 * _WINDOW_SECONDS:
        return None
    settled, end = samples[0].at + _SETTLED_SECONDS, samples[-1].at
    return Growth(
        statistics.median([each.resident_bytes for each in samples if settled <= each.at < settled + _WINDOW_SECONDS]),
        statistics.median([each.resident_bytes for each in samples if each.at >= end - _WINDOW_SECONDS]),
    )
