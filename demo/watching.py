"""Watch of jobs and Events by `kubectl get --watch`, which updates the board."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, Self

from demo.board import Board
from demo.kubectl import ShownKubectl

_RESTART_SECONDS = 1.0  # between the end of a watch (the API server is unavailable) and the next
_END_SECONDS = 5.0


def objects(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects that kubectl prints: one per line, or over many lines in older versions."""
    gathered = ""
    for line in lines:
        gathered += line
        try:
            found = json.loads(gathered)
        except json.JSONDecodeError:  # incomplete
            continue
        yield found
        gathered = ""


class Watching:
    """Updates the board within a `with` block; a thread calls `changed` with each new one."""

    def __init__(self, kubectl: ShownKubectl, changed: Callable[[Board], None], clock: Callable[[], float]) -> None:
        self._kubectl = kubectl
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._known_events: set[str] = set()
        self.board = Board()
        self._threads = [
            threading.Thread(target=self._follow, args=(resource, take), name=f"watch {resource}", daemon=True)
            for resource, take in (("reconstructionjobs", self._take_job), ("events", self._take_event))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:  # no thread may start another process meanwhile
            self._over.set()
            for process in self._processes.values():
                process.terminate()
        for thread in self._threads:
            thread.join(_END_SECONDS)

    def _follow(self, resource: str, take: Callable[[Mapping[str, Any]], None]) -> None:
        command = self._kubectl.command("get", resource, "--watch", "--output-watch-events", "-o", "json")
        while not self._over.is_set():
            with self._lock:
                if self._over.is_set():
                    return
                process = self._processes[resource] = subprocess.Popen(
                    command,
                    env=self._kubectl.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            out: IO[str] | None = process.stdout
            assert out is not None  # noqa: S101  # for the type checker: stdout is a pipe
            with process:
                for event in objects(out):  # the next watch repeats a truncated one
                    if event["type"] in ("ADDED", "MODIFIED"):
                        take(event["object"])
            self._over.wait(_RESTART_SECONDS)

    def _take_job(self, job: Mapping[str, Any]) -> None:
        with self._lock:
            self.board = self.board.with_job(job, self._clock())
        self._changed(self.board)

    def _take_event(self, event: Mapping[str, Any]) -> None:
        uid = event["metadata"]["uid"]
        if uid in self._known_events:  # a restarted watch shows old Events again
            return
        self._known_events.add(uid)
        with self._lock:
            self.board = self.board.with_event(event, self._clock())
        self._changed(self.board)


def monotonic_since_now() -> Callable[[], float]:
    """Return a clock that returns the seconds since this call."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
