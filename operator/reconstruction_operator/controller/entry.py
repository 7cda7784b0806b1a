"""Entry: all that this operator holds of one job. The components read and write it, and keep no maps of jobs.

The cache makes an entry when a job is first seen, and deletes it with the job. What finds entries otherwise than by
their job's id is an index. The cache tells each index which entry leaves, and when a tenure begins or ends:

- the work queue and the timers (`kube.work_queue`)
- the waiting lines: of jobs that wait for dispatch (`loop.waiting`) or for a check of their input
  (`loop.preflight`), and of status writes (`writes.write_queue`)

Sets beside them spare a pass over all jobs in each second: the active jobs and those with unsent notifications
(`kube.cache`), and those whose files were ordered to be deleted (`redis_view.messages`).
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.preflight import Checked
from reconstruction_operator.planning.places import UNKNOWN, Place
from reconstruction_operator.planning.scheduling import IN_FLIGHT, Candidate
from reconstruction_operator.planning.types import Event, Job


class Rank(enum.IntEnum):
    """The classes of the work queue, the most urgent first."""

    STOPPING = 0  # a cancel, a suspension or a deletion of an unfinished job
    ACTIVE = 1  # jobs in a queue or with a worker, and those that are admitted: a worker may wait for them
    LIVING = 2  # new jobs, and others that are not finished
    FINISHED = 3
    LATER = 4  # finished jobs for which work may remain after a new leader or a loss of data

    @classmethod
    def of(cls, job: Job) -> Rank:
        """Return the class of a job that has changed."""
        if job.finished:
            return cls.FINISHED
        spec = job.spec
        suspends = spec.suspend and job.status.phase is not Phase.SUSPENDED
        ends = job.deleting or spec.cancel_requested or spec.cancel_confirmed or suspends
        if ends:
            return cls.STOPPING
        return cls.ACTIVE if job.status.phase in IN_FLIGHT else cls.LIVING


class Urgency(enum.IntEnum):
    """The kind of a status write; lower is sent first."""

    FINISHED = 0
    PHASE = 1
    PROGRESS = 2
    WAITING = 3  # what a job that has not been dispatched waits for


@dataclass(slots=True)
class PendingWrite:
    """The newest status that is wanted for a job."""

    # The stored status that the plan was made from; if another is stored by then, the job is planned again
    base: Status
    status: Status
    events: tuple[Event, ...]
    since: float  # monotonic time of the first status that was offered and not written
    urgency: Urgency = Urgency.PROGRESS
    again: bool = False  # plan again when it is stored


class InputCheck(NamedTuple):
    """A job that waits for the check of its input."""

    pool: str
    since: float  # monotonic
    token: str = ""  # of the open request; empty: none is open
    asked_at: float = 0.0  # when that was sent
    tries: int = 0


class CountedMessage(NamedTuple):
    """A message that was sent after a reading of the queues, and is counted beside it."""

    reading: int  # its number
    queue: str
    size: int  # in bytes


@dataclass(slots=True)
class SentMessage:
    """A message that is searched for, in its queue and at the workers. Times are monotonic."""

    name: str  # its id
    queue: str
    since: float  # when it was sent, or when this operator first knew of it
    taken_since: float | None = None
    absences: int = 0  # consecutive searches that did not find it
    asked_at: float = 0.0  # of an order: when its job was last planned


@dataclass(slots=True)
class Silence:
    """The time without a heartbeat of one attempt."""

    attempt: int
    since: float  # monotonic, of the first poll that did not find the heartbeat
    seen: float  # of the last one
    interruptions: int  # of the connection until then


@dataclass(slots=True)
class Delivery:
    """The next notification of a job that is not sent."""

    busy: bool = False  # it is being sent or marked
    due: float = -math.inf  # monotonic, of the next try
    tries: int = 0
    warned: bool = False  # an Event tells why it is refused
    accepted: tuple[str, int] | None = None  # kind and attempt of the one that only lacks its mark


@dataclass(slots=True, eq=False, kw_only=True)
class Subject:
    """What is observed in Redis: a job, or the record of a deleted one."""

    silence: Silence | None = None  # None: the newest poll found a heartbeat, or no worker runs it
    sent: SentMessage | None = None  # the newest attempt's message, until a worker has it
    order: SentMessage | None = None  # the newest order to delete its files


@dataclass(slots=True, eq=False)
class Entry(Subject):
    """One job in the API server. All but `job` and the write that is being sent belongs to a tenure (`reset`)."""

    job: Job  # as the API server last showed it
    # The write that is being sent
    written: Status | None = None  # the status in it, until the API server shows it
    writing: bool = False
    replan: bool = False  # plan the job again after it
    # Indices
    rank: Rank | None = None  # in the work queue; None: not there
    wake_at: float | None = None  # the timer, in monotonic seconds
    write: PendingWrite | None = None  # in the queue of writes
    check: InputCheck | None = None  # in the lines of preflight
    waiting: bool = False  # for its dispatch
    candidate: Candidate | None = None  # in the lines of admission; None: it waits for something else than its turn
    # Facts
    failures: int = 0  # in a row, of its plan or of its actions
    skipped: bool = False  # it is another controller's, which was logged
    left: bool = False  # another installation has marked it, while this one may have sent it
    planned: Phase | None = None  # by the newest plan, if that phase counts before it is stored
    place: Place = UNKNOWN  # as its status shows it while it waits
    checked: Checked | None = None  # the result of preflight, until the status holds it
    counted: CountedMessage | None = None  # its newest message
    delivery: Delivery | None = None  # of its notifications, while one is not sent

    @property
    def key(self) -> JobRef:
        """The key of the job."""
        return self.job.key

    def reset(self) -> None:
        """Drop what belongs to a tenure. The indices are cleared beside it."""
        self.rank = self.wake_at = self.write = self.check = self.candidate = None
        self.silence = self.sent = self.order = self.planned = self.checked = self.counted = None
        self.delivery = None
        self.failures, self.place = 0, UNKNOWN
        self.waiting = self.skipped = self.left = False


class Index(Protocol):
    """What finds entries otherwise than by their job's id. It alone sets its fields of an entry."""

    def discard(self, entry: Entry) -> None:
        """Remove the entry, if it is here: its job is gone."""

    def clear(self) -> None:
        """Remove all entries, which are reset: a tenure begins or ends."""
