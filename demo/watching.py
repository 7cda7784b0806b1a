"""Watch of jobs, Events and the installation, which updates the board."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from kubectl_recon.errors import ReconError
from kubectl_recon.installation import published
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube.api import connect
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.reflector import Change, Reflector, follow

from demo.board import Board
from demo.kubectl import ShownKubectl

_INSTALLATION_SECONDS: Final = 2.0  # between two reads of what the operator publishes


class Watching:
    """Updates the board within a `with` block; a thread calls `changed` with each new one."""

    def __init__(self, kubectl: ShownKubectl, changed: Callable[[Board], None], clock: Callable[[], float]) -> None:
        self._api = connect(kubeconfig=kubectl.kubeconfig).api
        self._changed = changed
        self._clock = clock
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._known_events: set[str] = set()
        self._newest: Job | None = None
        self.board = Board()
        self._reflectors = [
            Reflector(paths.jobs(kubectl.namespace), self._apply_job),
            Reflector(paths.core(kubectl.namespace, "events"), self._apply_event),
        ]

    def __enter__(self) -> Self:
        for reflector in self._reflectors:
            # It ends with the program: a blocked read cannot be interrupted.
            threading.Thread(target=follow, args=(self._api, reflector, self._over), daemon=True).start()
        threading.Thread(target=self._follow_installation, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _apply_job(self, change: Change) -> None:
        if change.body is not None and not change.deleted:
            self._newest = Job(change.body)
            self._show(Board.with_job, change.body)

    def _apply_event(self, change: Change) -> None:
        if change.key is None or change.body is None or change.key.uid in self._known_events:
            return  # another list contains old Events again
        self._known_events.add(change.key.uid)
        self._show(Board.with_event, change.body)

    def _follow_installation(self) -> None:
        """Show the problems of the installation that manages the jobs, as `kubectl recon why` would."""
        while not self._over.wait(_INSTALLATION_SECONDS):
            if self._newest is None:
                continue
            try:
                installation = published.read(self._api, [self._newest])
            except ReconError:  # the API server is away: the last problems stay
                continue
            problems = [] if installation.missing else installation.problems(self._api.now())
            if tuple(problems) != self.board.problems:
                with self._lock:
                    self.board = self.board.with_problems(problems)
                    self._changed(self.board)

    def _show(self, changed: Callable[[Board, Mapping[str, Any], float], Board], body: Mapping[str, Any]) -> None:
        with self._lock:
            self.board = changed(self.board, body, self._clock())
            self._changed(self.board)  # within the lock: an older board after a newer one would repeat changes


def monotonic_since_now() -> Callable[[], float]:
    """Return a clock that returns the seconds since this call."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
