"""What waits to be written: one status a job, the newest, in the order of writing."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.status import Status
from reconstruction_operator.planning.types import Event


class Kind(enum.IntEnum):
    """What is written; lower goes first."""

    FINISHED = 0
    PHASE = 1
    PROGRESS = 2


@dataclass(slots=True)
class Pending:
    """The newest status that is wanted for a job."""

    key: JobKey
    base: Status  # the stored one that it was decided from: if another is stored, it is decided again
    status: Status
    kind: Kind
    events: tuple[Event, ...]
    since: float  # monotonic, of the first wish that was not written


def kind_of(stored: Status, wanted: Status) -> Kind:
    """How urgent a write is."""
    if wanted.phase is not None and wanted.phase.finished:
        return Kind.FINISHED
    same = stored.phase is wanted.phase and stored.attempt == wanted.attempt
    # A condition that turns is what somebody waits for; a message or a percentage is not.
    turned = [one.status for one in stored.conditions] != [one.status for one in wanted.conditions]
    seen = stored.observed_generation == wanted.observed_generation
    return Kind.PROGRESS if same and not turned and seen else Kind.PHASE


@dataclass
class Backlog:
    """What waits to be written, one entry a job, in the order of writing."""

    _queues: tuple[dict[JobKey, Pending], ...] = field(default_factory=lambda: tuple({} for _ in Kind))

    def __len__(self) -> int:
        """How many jobs wait."""
        return sum(len(queue) for queue in self._queues)

    def put(self, pending: Pending) -> None:
        """Replace what waits for the same job; it keeps its age, and its place unless its kind is another."""
        old = self.find(pending.key)
        if old is not None:
            pending.since = min(pending.since, old.since)
            if old.kind is not pending.kind:
                del self._queues[old.kind][pending.key]
        self._queues[pending.kind][pending.key] = pending

    def find(self, key: JobKey) -> Pending | None:
        """What waits for the job."""
        return next((queue[key] for queue in self._queues if key in queue), None)

    def drop(self, key: JobKey) -> None:
        """Nothing is wanted any more."""
        for queue in self._queues:
            queue.pop(key, None)

    def take(self, busy: set[JobKey]) -> Pending | None:
        """The next to be written, but none of the jobs in `busy`."""
        for queue in self._queues:
            for key in queue:
                if key not in busy:
                    return queue.pop(key)
        return None

    @property
    def urgent(self) -> bool:
        """Whether more than progress waits."""
        return any(self._queues[: Kind.PROGRESS])

    def oldest(self) -> float | None:
        """When the oldest was first wanted."""
        return min((one.since for queue in self._queues for one in queue.values()), default=None)
