"""Job watch: the latest state and Events of the selected jobs."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from kubectl_recon.jobs.events import JobEvent
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import resources
from kubectl_recon.kube.connection import Connection
from kubectl_recon.kube.watch import Change, Refusal, Watch

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
    _changes: queue.Queue[Change | Refusal] = field(default_factory=queue.Queue)
    _watches: list[Watch] = field(default_factory=list)
    _known_events: set[str] | None = None

    def __enter__(self) -> Self:
        api = self.connection.api
        jobs = Watch(
            api,
            resources.jobs(self.namespace),
            self._changes,
            labelSelector=self.selector,
            fieldSelector=self.field_selector,
        )
        self._watches.append(jobs)
        if self.with_events:
            about = f"involvedObject.kind={resources.KIND}"
            path = resources.core(self.namespace, "events")
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
                change = self._changes.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            deadline = 0.0  # yield what has arrived, without further waiting
            if isinstance(change, Refusal):
                if change.source != _EVENTS:
                    raise change.error
                self.events_refused = True
            elif change.source == _EVENTS:
                yield from self._take_events(change)
            else:
                yield from self._take_jobs(change)

    def _take_jobs(self, change: Change) -> Iterator[Update]:
        if change.listed is not None:
            listed = {job.key: job for job in map(Job, change.listed)}
            for deleted in self.jobs.keys() - listed.keys():
                yield Update(before=self.jobs.pop(deleted))
            for job in listed.values():
                yield from self._take_job(job)
            yield Update()  # the list is complete
            return
        job = Job(change.body)
        if change.deleted:
            if known := self.jobs.pop(job.key, None):
                yield Update(before=known)
        else:
            yield from self._take_job(job)

    def _take_job(self, job: Job) -> Iterator[Update]:
        before = self.jobs.get(job.key)
        if before is None and not self.wanted(job):
            return
        if before is None or before.raw != job.raw:
            self.jobs[job.key] = job
            yield Update(before=before, now=job)

    def _take_events(self, change: Change) -> Iterator[Update]:
        if self._known_events is None:  # the first list has earlier Events
            self._known_events = {_uid(body) for body in change.listed or ()}
            return
        for body in change.listed if change.listed is not None else (change.body,):
            if change.deleted or _uid(body) in self._known_events:
                continue
            self._known_events.add(_uid(body))
            found = JobEvent.of(body)
            if found.job in self.jobs:
                self.events = [*self.events, found][-_EVENTS_KEPT:]
                yield Update(event=found)


def _uid(body: Mapping[str, Any]) -> str:
    return str(body["metadata"]["uid"])
