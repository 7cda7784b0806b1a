"""Job watch: the latest state and Events of the selected jobs."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Self

from reconstruction_operator.api import identity
from reconstruction_operator.kube import paths
from reconstruction_operator.kube.reflector import Change

from kubectl_recon.jobs.job import Job, JobEvent
from kubectl_recon.kube.api import Connection
from kubectl_recon.kube.watch import Seen, Watch

_EVENTS_KEPT: Final = 50
_EVENTS: Final = "events"
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Update:
    """A change of a job, or an Event; empty when a list is complete. `now`: None for a deleted job."""

    before: Job | None = None
    now: Job | None = None
    event: JobEvent | None = None


@dataclass
class JobWatch:
    """Watches the jobs that `wanted` accepts, and their Events since the watch was opened. A context manager."""

    connection: Connection
    namespace: str | None
    wanted: Callable[[Job], bool]
    selector: str | None = None
    field_selector: str | None = None
    with_events: bool = True
    jobs: dict[Key, Job] = field(default_factory=dict)
    events: list[JobEvent] = field(default_factory=list)
    events_refused: bool = False
    _changes: queue.Queue[Seen] = field(default_factory=queue.Queue)
    _watches: list[Watch] = field(default_factory=list)
    _known_events: set[str] = field(default_factory=set)
    _events_listed: bool = False

    def __enter__(self) -> Self:
        api = self.connection.api
        jobs = Watch(
            api,
            paths.jobs(self.namespace),
            self._changes,
            labelSelector=self.selector,
            fieldSelector=self.field_selector,
        )
        self._watches.append(jobs)
        if self.with_events:
            about = f"involvedObject.kind={identity.KIND}"
            path = paths.core(self.namespace, "events")
            self._watches.append(Watch(api, path, self._changes, source=_EVENTS, fieldSelector=about))
        for watch in self._watches:
            watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        for watch in self._watches:
            watch.close()

    def updates(self, within_seconds: float) -> Iterator[Update]:
        """Yield the updates since the last call; wait at most `within_seconds` for the first. Raises a permanent error of the job watch."""
        deadline = time.monotonic() + within_seconds
        while True:
            try:
                seen = self._changes.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            deadline = 0.0  # yield what has arrived, without further waiting
            if seen.error is not None:
                if seen.source != _EVENTS:
                    raise seen.error
                self.events_refused = True
            elif seen.source == _EVENTS:
                yield from self._take_event(seen.change)
            else:
                yield from self._take_change(seen.change)

    def _take_change(self, change: Change) -> Iterator[Update]:
        if change.key is None:
            yield Update()  # the list is complete
        elif not change.deleted and change.body is not None:
            yield from self._take_job(Job(change.body))
        else:
            name = change.key.namespace, change.key.name
            if name in self.jobs and self.jobs[name].uid == change.key.uid:
                yield Update(before=self.jobs.pop(name))

    def _take_job(self, job: Job) -> Iterator[Update]:
        before = self.jobs.get(job.key)
        if before is None and not self.wanted(job):
            return
        if before is None or before.raw != job.raw:
            self.jobs[job.key] = job
            yield Update(before=before, now=job)

    def _take_event(self, change: Change) -> Iterator[Update]:
        if change.key is None:
            self._events_listed = True  # the first list had earlier Events
        elif not change.deleted and change.body is not None and change.key.uid not in self._known_events:
            self._known_events.add(change.key.uid)
            event = JobEvent.of(change.body)
            if self._events_listed and event.job in self.jobs:
                self.events = [*self.events, event][-_EVENTS_KEPT:]
                yield Update(event=event)
