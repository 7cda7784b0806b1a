"""Evidence of a run: facts from the API server, Redis, files and the models' journals.

Nothing comes from the memory of an operator or worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from chaos.system.load import UserJob
from chaos.witnesses.journal import ModelRun
from chaos.witnesses.memory import Growth
from chaos.witnesses.watcher import History


@dataclass(frozen=True, slots=True)
class Window:
    """The period of one fault, in seconds since boot. The flags are those of `Fault`."""

    name: str
    begin: float
    end: float
    cuts: bool = False
    blocks_users: bool = False
    harms: bool = False
    forgets: bool = False
    deposes: bool = False
    divides: bool = False
    victims: frozenset[str] = frozenset()  # as in `Context`
    hit: bool = True  # False: the fault found nothing to hit
    recovered_at: float | None = None  # when all jobs progressed again; None: not within the time limit
    waited: bool = True  # False: the run did not wait for recovery


@dataclass(frozen=True, slots=True)
class Output:
    """A published result as it was at one moment."""

    at: float
    attempt: int | None
    digest: str  # of the manifest
    signature: str  # names the model process that made it
    bytes: int = 0  # of all files in the manifest
    problem: str = ""  # a file of the manifest that is missing or has another size


@dataclass(frozen=True, slots=True)
class DeliveredCopy:
    """A job's copy at `spec.output` as it was at one moment."""

    at: float
    job_id: str  # from its manifest
    digest: str  # of the manifest
    problem: str = ""  # a file of the manifest that is missing or has other content
    uri: str = ""  # where the files are


@dataclass(frozen=True, slots=True)
class Lag:
    """The delay until a status showed the progress in Redis, measured without faults."""

    uid: str
    at: float
    seconds: float | None  # None: not within the time limit
    wanted: str = ""  # the expected position, and the last one shown


@dataclass(frozen=True, slots=True)
class Leftover:
    """A job's key in Redis or folder that still exists at the end."""

    where: str
    ttl_seconds: float | None = None  # None: it never expires
    expires: bool = True  # False: its TTL did not fall between two polls, so a component prolongs it


@dataclass(frozen=True, slots=True)
class Bounds:
    """Maximum seconds where no fault excuses more. `times` raises them for a busy machine."""

    superseded: float = 5.0
    """Until a superseded attempt stops, from when it could notice."""
    acting: float = 5.0
    """Until a worker sees a confirmed cancel, without faults. A job that ends within it counts as finished before the
    cancel.
    """
    behind: float = 10.0
    """Until a status shows what Redis has, beyond the debounce interval. Generous, because a busy machine delays
    everything.
    """
    cancelling: float = 20.0
    """From a confirmed cancel to Cancelled. It covers a worker that becomes lost (ALIVE_TTL_SECONDS and
    LOST_AFTER_SECONDS, and EPOCH_GRACE_SECONDS where Redis lost data), a missed event until the next sweep
    (SWEEP_SECONDS), and `acting`."""

    def times(self, patience: float) -> Bounds:
        """Return the bounds for a machine that is busy with other work."""
        return Bounds(*(patience * getattr(self, bound.name) for bound in fields(self)))


@dataclass(frozen=True, slots=True)
class Slack:
    """Seconds for which a fault still excuses after its end.

    They follow from the settings of the run (`scene.SETTINGS`).

    Patience does not multiply them; otherwise each fault would excuse everything until the next one.
    """

    cause: float = 10.0
    """Until an attempt is lost: its heartbeat expires (ALIVE_TTL_SECONDS), stays missing (LOST_AFTER_SECONDS), and the
    next sweep sees that (SWEEP_SECONDS)."""
    blocked: float = 8.0
    """Until a user's change reaches Redis after a fault of Redis or its network: an operator reconnects
    (REDIS_TIMEOUT_SECONDS, twice) and sweeps all jobs (SWEEP_SECONDS)."""
    deposed: float = 15.0
    """The same after a fault of the operators or the API server: another operator becomes leader (LEASE_SECONDS) or the
    old one restarts, and it lists all jobs (LIST_SECONDS)."""
    loss: float = 10.0
    """Before the model of a failed attempt starts and after it ends; the same as `cause`."""
    forgotten: float = 6.0
    """After Redis lost its claims: an operator notices (SWEEP_SECONDS) and restores the records; then each attempt
    claims again at its next heartbeat (BEAT_SECONDS). Until then an attempt can be claimed twice, and its second run
    starts a model."""

    def plus(self, seconds: float) -> Slack:
        """Return the slack for a busy machine, which reacts `seconds` later."""
        return Slack(*(getattr(self, slack.name) + seconds for slack in fields(self)))


@dataclass(slots=True)
class Evidence:
    """All facts of one run. Mappings are by job uid."""

    jobs: Sequence[UserJob] = ()
    histories: Mapping[str, History] = field(default_factory=dict)
    runs: Mapping[str, Sequence[ModelRun]] = field(default_factory=dict)  # oldest first
    outputs: Mapping[str, Sequence[Output]] = field(default_factory=dict)  # distinct results, oldest first
    final: Mapping[str, Output] = field(default_factory=dict)  # published at the end
    prefork: frozenset[str] = frozenset()  # workers that run each attempt in a separate process
    windows: Sequence[Window] = ()
    lags: Sequence[Lag] = ()
    leftovers: Mapping[str, Sequence[Leftover]] = field(default_factory=dict)  # of finished and deleted jobs
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)  # cancel flags of existing jobs
    deliveries: Mapping[str, Sequence[DeliveredCopy]] = field(default_factory=dict)  # distinct copies, oldest first
    delivered: Mapping[str, DeliveredCopy] = field(default_factory=dict)  # copies at the end
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)  # partial and replaced copies at the end
    with_files: frozenset[str] = frozenset()  # jobs that have a job folder at the end
    messages: Mapping[str, Sequence[str]] | None = None  # places in the broker; None: not checked
    events: Mapping[str, Sequence[str]] | None = None  # that a receiver has accepted: attempt-kind; None: not checked
    memory: Mapping[str, Growth | None] = field(default_factory=dict)  # by process; None: the run was too short
    faults_begun_at: float = 0.0
    faults_ended_at: float = 0.0
    ended_at: float = 0.0  # after the last fault and the drain
    retention_seconds: float = 0.0
    bounds: Bounds = Bounds()
    slack: Slack = Slack()
