"""Job watch: the latest state and Events of the selected jobs. Threads follow them by a list and then a watch."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Self

from reconstruction_operator.api import identity
from reconstruction_operator.kube import errors, paths
from reconstruction_operator.kube.reflector import Change, Reflector, follow

from kubectl_recon.jobs.job import Job, JobEvent
from kubectl_recon.kube.api import Connection
from kubectl_recon.targets.selecting import Selection, scope

_EVENTS_KEPT: Final = 50
_PASSING: Final = (HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT)
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Update:
    """A change of a job, or an Event; empty when a list is complete. `now`: None for a deleted job."""

    before: Job | None = None
    now: Job | None = None
    event: JobEvent | None = None


_Apply = Callable[[Change], Iterator[Update]]


@dataclass
class JobWatch:
    """Watches the awaited jobs, and their Events since the watch was opened. A context manager.

    `awaited`: None for all selected jobs that are unfinished when they appear.
    """

    connection: Connection
    selection: Selection
    awaited: Collection[Key] | None
    with_events: bool = True
    jobs: dict[Key, Job] = field(default_factory=dict)
    events: list[JobEvent] = field(default_factory=list)
    listed: bool = False  # whether `jobs` has been complete
    _changes: queue.Queue[tuple[_Apply, Change | errors.ApiError]] = field(default_factory=queue.Queue)
    _closed: threading.Event = field(default_factory=threading.Event)
    _reported: set[str] = field(default_factory=set)  # uids of Events
    _events_listed: bool = False

    def __enter__(self) -> Self:
        namespace, name = scope(self.connection, self.selection), None
        if self.awaited is not None and len(self.awaited) == 1:
            namespace, name = next(iter(self.awaited))
        query = {"labelSelector": self.selection.selector, "fieldSelector": name and f"metadata.name={name}"}
        self._follow(paths.jobs(namespace), {key: value for key, value in query.items() if value}, self._apply_change)
        if self.with_events:
            about = {"fieldSelector": f"involvedObject.kind={identity.KIND}"}
            self._follow(paths.core(namespace, "events"), about, self._apply_event)
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()

    def updates(self, within_seconds: float) -> Iterator[Update]:
        """Yield the updates since the last call; wait at most `within_seconds` for the first.

        Raises a permanent error of the job watch.
        """
        deadline = time.monotonic() + within_seconds
        while True:
            try:
                apply, change = self._changes.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            deadline = 0.0  # yield what has arrived, without further waiting
            if isinstance(change, Change):
                yield from apply(change)
            elif apply == self._apply_change:  # without the right to see Events, the jobs are shown alone
                raise change

    def _follow(self, path: str, selection: dict[str, str], apply: _Apply) -> None:
        """Start a thread that enqueues the changes, and a permanent error, such as a missing right, which ends it.

        It ends with the program at the latest: a blocked read cannot be interrupted.
        """
        reflector = Reflector(
            path, lambda change: self._changes.put((apply, change)), selection=selection, final=_is_final
        )

        def run() -> None:
            try:
                follow(self.connection.api, reflector, self._closed)
            except errors.ApiError as error:
                self._changes.put((apply, error))

        threading.Thread(target=run, name=f"follow {path}", daemon=True).start()

    def _apply_change(self, change: Change) -> Iterator[Update]:
        if change.key is None:
            self.listed = True
            yield Update()
        elif not change.deleted and change.body is not None:
            yield from self._apply_job(Job(change.body))
        else:
            name = change.key.namespace, change.key.name
            if name in self.jobs and self.jobs[name].uid == change.key.uid:
                yield Update(before=self.jobs.pop(name))

    def _apply_job(self, job: Job) -> Iterator[Update]:
        before = self.jobs.get(job.key)
        if before is None and (job.finished if self.awaited is None else job.key not in self.awaited):
            return
        if before is None or before.raw != job.raw:
            self.jobs[job.key] = job
            yield Update(before=before, now=job)

    def _apply_event(self, change: Change) -> Iterator[Update]:
        if change.key is None:
            self._events_listed = True  # the first list had earlier Events
        elif not change.deleted and change.body is not None and change.key.uid not in self._reported:
            self._reported.add(change.key.uid)
            event = JobEvent.of(change.body)
            if self._events_listed and event.job in self.jobs:
                self.events = [*self.events, event][-_EVENTS_KEPT:]
                yield Update(event=event)


def _is_final(error: errors.ApiError) -> bool:
    """Return whether a retry is useless: any 4xx except "too many requests", a conflict, or an expired version."""
    return HTTPStatus.BAD_REQUEST <= error.status < HTTPStatus.INTERNAL_SERVER_ERROR and error.status not in _PASSING
