"""World around the protocol: users' objects, operators, messages, and workers that run the real task."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import Phase, Status
from reconstruction_operator.contract.attempt import Legs, Orders, SupersededError
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.records import End
from reconstruction_operator.controller.entry import Entry
from reconstruction_operator.controller.loop.orphans import Orphans
from reconstruction_operator.controller.loop.sweeper import Sweeper
from reconstruction_operator.models.interface import ModelFailure, Report, Result, StageElsewhere, Step, Work
from reconstruction_operator.planning.types import Job, Observation
from reconstruction_operator.state.replies import BeatReply, ClaimCode
from reconstruction_operator.state.timeline import Timeline
from reconstruction_operator.worker import job_deletion
from reconstruction_operator.worker.attempt.assignment import Assignment
from reconstruction_operator.worker.attempt.driver import carry_out
from reconstruction_operator.worker.attempt.ownership import Ownership
from reconstruction_operator.worker.attempt.progress import ProgressSender
from reconstruction_operator.worker.heartbeat import Heartbeat
from reconstruction_operator.worker.model.selection import Choice

from tests.real.protocol.fibers import Fiber

INSTALL: Final = "install"
NAMESPACE: Final = "namespace"
BORN: Final = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_SECONDS: Final = 1e9
STAGE_QUEUES: Final = {"second": "gpu"}


@dataclass
class Object:
    """A job in the API server."""

    key: JobRef
    spec: Spec = field(
        default_factory=lambda: Spec(
            model_type="placeholder", input=Location("file:///photos/set"), stage_queues=STAGE_QUEUES
        )
    )
    status: Status = field(default_factory=Status)
    deleted: bool = False

    @property
    def job(self) -> Job:
        return Job(self.key, 1, BORN, self.spec, self.status)

    @property
    def finished(self) -> bool:
        return self.status.phase is not None and self.status.phase.finished

    @property
    def succeeded(self) -> bool:
        return self.status.phase is Phase.SUCCEEDED

    @property
    def over(self) -> bool:
        return self.deleted or self.finished

    def write(self, status: Status) -> None:
        """Store a status by the CRD's rules: an attempt never falls, and a finished job stays finished."""
        if not self.over and status.attempt >= self.status.attempt:
            self.status = status


class Listing:
    """Stands in for the API server: lists the jobs for the sweeper."""

    def __init__(self, objects: Mapping[str, Object]) -> None:
        self._objects = objects

    async def read(self, _path: str, _query: object, _max_bytes: int, _accept: str) -> bytes:
        keys = [thing.key for thing in self._objects.values() if not thing.deleted]
        items = [{"metadata": {"namespace": key.namespace, "name": key.name, "uid": key.uid}} for key in keys]
        return json.dumps({"metadata": {"resourceVersion": "0"}, "items": items}).encode()


class Watched:
    """Stands in for the cache of a leader: always complete and current."""

    newest = 0
    relisted = False

    def __init__(self, objects: Mapping[str, Object]) -> None:
        self._objects = objects

    def __iter__(self) -> Iterator[Entry]:
        return (Entry(thing.job) for thing in self._objects.values() if not thing.deleted)

    def ids(self) -> frozenset[str]:
        return frozenset(entry.key.job_id for entry in self)

    def saw_deletion(self, job_id: str) -> bool:
        return self._objects[job_id].deleted

    def entry(self, job_id: str) -> Entry | None:
        return next((entry for entry in self if entry.key.job_id == job_id), None)

    def enqueue(self, entry: Entry, rank: object = None) -> None:
        pass

    def enqueue_unfinished(self, _waits: object = None) -> int:
        return 0


@dataclass
class Operator:
    """An operator that may have been deposed. `seen` is its last observation of each job, on which it acts."""

    fence: int = 0
    seen: dict[str, tuple[Job, Observation, datetime]] = field(default_factory=dict)
    looked: dict[str, Observation] = field(default_factory=dict)  # the same of jobs whose objects are deleted
    gone: list[Entry] = field(default_factory=list)  # jobs whose deletion it saw, and has not handled yet
    monotonic: float = 0.0  # advanced so far that all waits are over
    timeline: Timeline = field(default_factory=Timeline)
    run_id: int = 0  # of the server, as it was last checked
    orphans: Orphans = field(init=False)  # the real ones
    sweeper: Sweeper = field(init=False)


@dataclass(frozen=True)
class Message:
    """A message in the queue. Attempt 0 is the order to delete the job's files."""

    job: str
    attempt: int
    tries: int = 0
    leg: Leg | None = None

    @property
    def task(self) -> str:
        return f"{self.job}-{self.attempt}"

    @property
    def part(self) -> str:
        """The task and its leg: what is claimed once."""
        return f"{self.task}.{self.leg.number}" if self.leg else self.task


@dataclass(frozen=True)
class Snapshot:
    """What Redis held at one moment: each key's value, as a dump, with its TTL in ms (0: none), and the messages."""

    values: Mapping[bytes, tuple[bytes, int]]
    messages: tuple[Message, ...]


class Run:
    """A delivery in a worker: the real code of the task, paused at one of its points."""

    def __init__(
        self, message: Message, *, token: str, worker: str, fails: bool, output_uri: str, put_back: Callable[[], None]
    ) -> None:
        self.message = message
        ref = AttemptRef(JobRef(NAMESPACE, message.job, message.job, INSTALL), message.attempt, "celery")
        if message.leg is not None:
            ref = replace(ref, queue=message.leg.queue)
        self.ownership = Ownership(ref, token, worker, message.leg)
        self.heartbeat: Heartbeat | None = None  # once it has its claim
        self.end: End | None = None
        self._fails = fails
        self._output_uri = output_uri
        self._put_back = put_back
        self.fiber = Fiber(self._deliver if message.attempt else self._clean_up)

    def __repr__(self) -> str:
        return f"{self.message.task} in {self.ownership.worker} before {self.fiber.point!r}"

    @property
    def token(self) -> str:
        return self.ownership.token

    def _clean_up(self) -> None:
        with contextlib.suppress(OSError, SupersededError):  # the operator orders it again
            job_deletion.clean_up(self.message.job)

    def _deliver(self) -> None:
        claim = self.ownership.claim()
        if claim.code is ClaimCode.NO_RECORD:
            self._put_back()
        if claim.code is not ClaimCode.CLAIMED:
            return
        self.heartbeat = Heartbeat(
            beat=self.ownership.beat,
            cancelled=self.ownership.cancelled,
            every_seconds=PATIENCE_SECONDS,  # the machine beats, between two points
            drain_seconds=0.0,
            first=BeatReply(owned=True, cancelled=claim.cancelled, stop=claim.stop),
            first_asked_at=time.monotonic(),
        )
        leg = self.message.leg or Leg()
        envelope = Envelope(
            self.ownership.attempt,
            output_uri=self._output_uri,
            parameters={"token": self.token, "fails": self._fails},
            orders=Orders(legs=Legs(STAGE_QUEUES, "celery", leg.number, leg.stage)),
        )
        assignment = Assignment(envelope, "plain", self.ownership.worker)
        unsent = ProgressSender(lambda _: None, flush=False)  # not started
        conclusion = carry_out(assignment, self.ownership, self.heartbeat, unsent, patience_seconds=PATIENCE_SECONDS)
        self.end = conclusion.end


@dataclass
class Worker:
    """A worker's main process, as `tasks.registration` and `tasks.inventory`."""

    reported: str = ""  # the epoch in which it has reported job folders
    inventory: tuple[str, list[AttemptRef]] | None = None  # found and not reported yet, and in which epoch


MOVING: Final[dict[str, str]] = {}
"""The runs that end their leg at their next point, by token, and the stage that follows."""


class PlainModel:
    """Model that writes the token of its run."""

    name: ClassVar[str] = "plain"
    isolated: ClassVar[bool] = False
    step_shares: ClassVar[Mapping[Step, float]] = {Step.RECONSTRUCT: 1.0}
    min_photos: ClassVar[int] = 1
    max_photos: ClassVar[int] = 1
    stage_names: ClassVar[tuple[str, ...]] = ("first", "second", "third")

    def unavailable(self) -> str | None:
        return None

    def check_parameters(self, parameters: Mapping[str, object]) -> Mapping[str, object]:
        return parameters

    def run(self, work: Work, report: Report) -> Result:
        report(Step.RECONSTRUCT, 0.0)
        Fiber.pause_at("the model runs")
        report(Step.RECONSTRUCT, 0.5)
        if (following := MOVING.pop(str(work.parameters["token"]), "")) != "":
            raise StageElsewhere(following)
        if work.parameters["fails"]:
            raise ModelFailure("BACKEND_CRASHED", "as ordered")
        (work.output_dir / "model.glb").write_text(str(work.parameters["token"]))
        return Result()


def choose(_model_type: str, parameters: Mapping[str, Any]) -> Choice:
    """As `tasks.selection.choose`, of a worker that has this one model."""
    return Choice(PlainModel(), {**parameters, "stepSeconds": 0.0}, simulated=True)
