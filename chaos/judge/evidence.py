"""Evidence of a run: facts from the API server, Redis, the files and the models' journals, for the judge.

No fact comes from the memory of an operator or worker, only from what they wrote to these places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from chaos.system.load import UserJob
from chaos.witnesses.journal import ModelRun
from chaos.witnesses.watcher import History


@dataclass(frozen=True, slots=True)
class Window:
    """The time of one fault, from its start to recovery, in seconds since boot. The flags are those of `Fault`."""

    name: str
    begin: float
    end: float
    cuts: bool = False
    blocks_users: bool = False
    harms: bool = False
    forgets: bool = False
    deposes: bool = False
    victims: frozenset[str] = frozenset()  # as in `Context`; empty: all
    hit: bool = True  # False: the fault found nothing to hit
    recovered_at: float | None = None  # when all jobs moved again; None: not within the time limit
    waited: bool = True  # False: the run did not wait for recovery

    @property
    def recovery_seconds(self) -> float | None:
        """From the end of the fault until all jobs moved again."""
        return None if self.recovered_at is None else self.recovered_at - self.end


@dataclass(frozen=True, slots=True)
class Output:
    """A published result at one moment."""

    at: float
    attempt: int | None
    digest: str  # of the manifest
    signature: str  # names the model process that made it
    bytes: int = 0  # of all files in the manifest
    problem: str = ""  # a file of the manifest that is missing or has another size


@dataclass(frozen=True, slots=True)
class DeliveredCopy:
    """What is at a job's `spec.output` at one moment."""

    at: float
    job_id: str  # from its manifest
    digest: str  # of the manifest
    problem: str = ""  # a file of the manifest that is missing or has other content
    uri: str = ""  # of the files


@dataclass(frozen=True, slots=True)
class Lag:
    """How long a status took to show a progress that Redis had, measured without faults."""

    uid: str
    at: float
    seconds: float | None  # None: not within the time limit
    wanted: str = ""  # the wanted position, and the last one shown


@dataclass(frozen=True, slots=True)
class Leftover:
    """A key in Redis or a folder of a job that still exists at the end."""

    where: str
    ttl_seconds: float | None = None  # None: it never expires
    expires: bool = True  # False: its TTL did not fall between two polls, so some component prolongs it


@dataclass(frozen=True, slots=True)
class Bounds:
    """The longest times that are accepted where no fault excuses more, in seconds. A busy machine gets more (`times`)."""

    superseded: float = 5.0
    """A superseded attempt stops within this time of being able to know."""
    acting: float = 5.0
    """From a confirmation to a worker that sees it, without faults. A job that ends within it counts as done before."""
    behind: float = 10.0
    """Of a status behind Redis, beyond the coalescing interval. Generous, because a busy machine delays everything."""
    cancelling: float = 20.0
    """From a confirmed cancel to Cancelled. It covers a silent worker that is called lost (ALIVE_TTL_SECONDS and
    LOST_AFTER_SECONDS, and EPOCH_GRACE_SECONDS where Redis lost data), a missed event that the next sweep makes up for
    (SWEEP_SECONDS), and `acting`."""

    def times(self, patience: float) -> Bounds:
        """For a machine that is busy with other work."""
        return Bounds(*(patience * getattr(self, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Slack:
    """How long a fault still excuses after its end, in seconds. It follows from the settings of the run (`scene.SETTINGS`).

    Patience does not multiply it: otherwise each fault would excuse everything until the next one.
    """

    cause: float = 10.0
    """Until an attempt is called lost: its heartbeat expires (ALIVE_TTL_SECONDS), its silence is counted
    (LOST_AFTER_SECONDS), and the next sweep sees it (SWEEP_SECONDS)."""
    blocked: float = 8.0
    """After a fault of Redis or of the network to it, until a user's change has reached Redis: an operator has reconnected
    (REDIS_TIMEOUT_SECONDS, twice) and has swept all jobs (SWEEP_SECONDS)."""
    deposed: float = 15.0
    """The same after a fault of the operators or of the API server: another operator leads (LEASE_SECONDS) or the old one
    was restarted, and all jobs were listed once (LIST_SECONDS)."""
    loss: float = 10.0
    """For an attempt that fails, before its model starts and after it ends: as `cause`."""
    forgotten: float = 6.0
    """After Redis lost its claims: an operator notices (SWEEP_SECONDS) and restores the records, then each attempt claims
    again at its next heartbeat (BEAT_SECONDS). An attempt that was claimed twice before that starts its model."""

    def plus(self, seconds: float) -> Slack:
        """For a busy machine, which reacts that much later."""
        return Slack(*(getattr(self, one.name) + seconds for one in fields(self)))


@dataclass(slots=True)
class Evidence:
    """All facts of one run. Mappings are by the uid of the job."""

    jobs: Sequence[UserJob] = ()
    histories: Mapping[str, History] = field(default_factory=dict)
    runs: Mapping[str, Sequence[ModelRun]] = field(default_factory=dict)  # oldest first
    outputs: Mapping[str, Sequence[Output]] = field(default_factory=dict)  # distinct ones in order
    final: Mapping[str, Output] = field(default_factory=dict)  # published at the end
    successes: Mapping[str, int] = field(default_factory=dict)  # attempts whose end in Redis is a success
    prefork: frozenset[str] = frozenset()  # workers that run each attempt in a separate process
    windows: Sequence[Window] = ()
    lags: Sequence[Lag] = ()
    leftovers: Mapping[str, Sequence[Leftover]] = field(default_factory=dict)  # of finished and deleted jobs
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)  # cancel flags of jobs that exist
    deliveries: Mapping[str, Sequence[DeliveredCopy]] = field(default_factory=dict)  # distinct ones in order
    delivered: Mapping[str, DeliveredCopy] = field(default_factory=dict)  # at the end
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)  # partial and replaced ones there at the end
    with_files: frozenset[str] = frozenset()  # jobs that have a job folder at the end
    messages: Mapping[str, Sequence[str]] | None = None  # where in the broker; None: the run did not wait to see
    faults_begun_at: float = 0.0
    faults_ended_at: float = 0.0
    ended_at: float = 0.0  # when the last fault was over and every job had had its time
    retention_seconds: float = 0.0
    bounds: Bounds = Bounds()
    slack: Slack = Slack()
