"""Records that operator and worker exchange through Redis. `state.fields` reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef
from reconstruction_operator.api.status import Outputs, ReusedFrom
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.outcomes import Outcome, StopReason

OPERATOR_TOKEN: Final = "operator"  # noqa: S105  # no secret: it marks the operator's own claims and ends


@dataclass(frozen=True, slots=True)
class Record:
    """The attempt that the operator wants, and when its message was sent."""

    attempt: AttemptRef
    sent_at: datetime | None = None  # of that attempt's newest message; None: not sent yet
    orders: int = 0  # number of orders to delete the job's files that were sent since then
    begun: bool = False  # a worker has begun one of the attempts
    cleaned: bool = False  # a worker has deleted the job's files, as the operator ordered
    leg: Leg | None = None  # the newest one of that attempt; None: its first
    found: Findings | None = None  # what the legs before that one found, together; None: not known
    deleted: bool = False  # the cancelled run has deleted the job's files


@dataclass(frozen=True, slots=True)
class Claim:
    """The delivery that has begun the wanted attempt, or the operator if no delivery ever will."""

    token: str
    owner: str  # a worker's node name, or "operator: …"
    by_operator: bool  # its token is OPERATOR_TOKEN
    at: datetime
    epoch: str = ""  # in which its worker last sent a heartbeat; empty if Redis had none


@dataclass(frozen=True, slots=True)
class End:
    """How the wanted attempt ended. Nothing else decides that."""

    outcome: Outcome
    reason: str = ""  # a code of contract.outcomes; empty for success
    message: str = ""
    at: datetime | None = None
    worker: str = ""
    simulated: bool = False
    findings: Findings = field(default_factory=Findings)
    outputs: Outputs | None = None
    reused_from: ReusedFrom | None = None  # the job whose result was taken over
    files_left: bool = False  # the worker could not delete the files of a cancelled job


@dataclass(frozen=True, slots=True)
class ObservedJob:
    """What Redis holds of one job, read at one moment.

    Claim, end and stop are those of the attempt that was asked for.
    """

    record: Record | None = None
    claim: Claim | None = None
    alive: bool = False  # the claimant's heartbeat exists, and is of this epoch
    heard: bool = True  # the claimant has sent a heartbeat in this epoch
    end: End | None = None
    stop: StopReason | None = None
    requested: bool = False  # cancel_request:{job_id}
    confirmed: bool = False  # cancel:{job_id}
    flag_ttl_seconds: float | None = None  # TTL of the confirmation, or else of the request; None without either

    @property
    def cleaned(self) -> bool:
        """A worker has deleted the job's files, as the operator ordered."""
        return self.record is not None and self.record.cleaned

    @property
    def runs(self) -> bool:
        """A worker has claimed the attempt, and it has not ended."""
        return self.claim is not None and not self.claim.by_operator and self.end is None

    @property
    def moves(self) -> bool:
        """A leg of the attempt has ended, and no worker has claimed the next one."""
        return self.record is not None and self.record.leg is not None and self.claim is None and self.end is None

    @property
    def stale(self) -> bool:
        """Only an old claim is left in Redis: its worker has sent no heartbeat since Redis lost data."""
        return self.runs and not self.alive and not self.heard


@dataclass(frozen=True, slots=True)
class ProgressReport:
    """The newest PROGRESS meta of the attempt, for display only: it never decides an end."""

    percent: float  # in tenths
    step: str
    step_index: int
    fraction: float  # of the whole run's time, 0.0 to 1.0, by the model's step shares
    started_at: datetime | None
    at: datetime | None
    message: str = ""
    worker: str = ""
    findings: Findings = field(default_factory=Findings)
    base: float = 0.0  # the fraction at which the run resumed, at `started_at`
    remaining_seconds: float | None = None  # time left at `at`, as the model estimates; None: not estimated
