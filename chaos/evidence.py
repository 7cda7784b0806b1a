"""What a run leaves behind to be judged: facts from the API server, Redis, the files, and the models' own journals.

Nothing here was told by an operator's or a worker's own view of the world, except through what they wrote to these.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from chaos import clock
from chaos.journal import ModelRun
from chaos.load import Job
from chaos.watcher import History

_MANIFEST = "manifest.json"
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """A fault from its beginning to its end, and to when all jobs moved again. Seconds since boot; the rest as in `Fault`."""

    name: str
    begin: float
    end: float
    cuts: bool = False
    deafens: bool = False
    harms: bool = False
    forgets: bool = False
    deposes: bool = False
    victims: frozenset[str] = frozenset()  # as in `Context`; empty: all
    hit: bool = True  # False: there was nothing that it could hurt
    moving: float | None = None  # None: they did not within the time
    waited: bool = True  # False: the next fault came before one could know, or nothing was there to move

    @property
    def recovery_seconds(self) -> float | None:
        """From its end to when all jobs moved again."""
        return None if self.moving is None else self.moving - self.end


@dataclass(frozen=True, slots=True)
class Output:
    """A published result as it lay there at some moment."""

    at: float
    attempt: int | None
    digest: str  # of the manifest
    signature: str  # which model process made it
    bytes: int = 0  # of all files that the manifest names
    problem: str = ""  # a file that the manifest names and that is not there in that size


@dataclass(frozen=True, slots=True)
class Delivery:
    """What lies in the folder of a job's `spec.output`, as it was at some moment."""

    at: float
    job_id: str  # as its manifest says
    digest: str  # of the manifest
    problem: str = ""  # a file that the manifest names and that is not there with that content


@dataclass(frozen=True, slots=True)
class Lag:
    """How long the status took to show a progress that Redis had, in a moment without faults."""

    uid: str
    at: float
    seconds: float | None  # None: it did not within the time
    wanted: str = ""  # what it was to show, and what it showed at last


@dataclass(frozen=True, slots=True)
class Trace:
    """Something of a job that is left in Redis or among the files at the end."""

    where: str
    ttl_seconds: float | None = None  # None: for ever
    fades: bool = True  # False: its time did not get shorter between two looks, so somebody prolongs it


@dataclass(frozen=True, slots=True)
class Bounds:
    """What counts as too long, in seconds, where no fault is an excuse. A busy machine is given more."""

    overtaken: float = 5.0
    """An attempt that was overtaken stops within this time of being able to know."""
    acting: float = 5.0
    """What a confirmation needs to reach a worker when all is well; a job that ends within it had finished before."""
    behind: float = 10.0
    """A status, beyond the coalescing interval: a guard, since a busy machine is late with everything."""
    cancelling: float = 20.0
    """From a confirmed cancel to Cancelled: a worker that is silent is called lost (ALIVE_TTL_SECONDS and
    LOST_AFTER_SECONDS, and EPOCH_GRACE_SECONDS where Redis has forgotten things), and a word that was missed is made up for
    by the next sweep (SWEEP_SECONDS); `acting` for the rest."""

    def times(self, patience: float) -> Bounds:
        """For a machine that does other things beside the run."""
        return Bounds(*(patience * getattr(self, one.name) for one in fields(self)))


@dataclass(frozen=True, slots=True)
class Slack:
    """For how long after its end a fault is still an excuse, in seconds. It follows from the settings, and no patience
    makes it a multiple: else everything would be excused by the fault before.
    """

    cause: float = 10.0
    """Of an attempt that is called lost: its heartbeat was missed (ALIVE_TTL_SECONDS), and its silence was counted
    (LOST_AFTER_SECONDS) until the next sweep (SWEEP_SECONDS)."""
    deaf: float = 8.0
    """Of Redis, or of the way to it, until a user's word has certainly reached it: an operator has connected anew
    (REDIS_TIMEOUT_SECONDS, twice), and has looked at everything (SWEEP_SECONDS)."""
    deposed: float = 15.0
    """Of the operators or of the API server, until the same: another operator leads (LEASE_SECONDS), or the old one was
    started again, and everything was looked at once (LIST_SECONDS)."""
    loss: float = 10.0
    """Of an attempt that fails, before and after its model: as `cause`."""
    forgotten: float = 6.0
    """Of a Redis that has lost its claims: an operator notices (SWEEP_SECONDS) and puts the records back, each attempt says
    at its next beat (BEAT_SECONDS) that it is still there; one that was given away before that starts its model."""

    def plus(self, seconds: float) -> Slack:
        """On a machine that does other things beside the run, each is noticed that much later."""
        return Slack(*(getattr(self, one.name) + seconds for one in fields(self)))


@dataclass(slots=True)
class Evidence:
    """All of it."""

    jobs: Sequence[Job] = ()
    histories: Mapping[str, History] = field(default_factory=dict)  # by uid
    runs: Mapping[str, Sequence[ModelRun]] = field(default_factory=dict)  # by uid, oldest first
    outputs: Mapping[str, Sequence[Output]] = field(default_factory=dict)  # by uid, distinct ones in order
    final: Mapping[str, Output] = field(default_factory=dict)  # by uid: what lies there at the end
    successes: Mapping[str, int] = field(default_factory=dict)  # by uid: attempts whose end in Redis is a success
    prefork: frozenset[str] = frozenset()  # workers whose attempts have a process each
    windows: Sequence[Window] = ()
    lags: Sequence[Lag] = ()
    traces: Mapping[str, Sequence[Trace]] = field(default_factory=dict)  # by uid: of finished and deleted jobs
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by uid: cancel flags of jobs that are there
    deliveries: Mapping[str, Sequence[Delivery]] = field(default_factory=dict)  # by uid, distinct ones in order
    delivered: Mapping[str, Delivery] = field(default_factory=dict)  # by uid: what lies in its folder at the end
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by uid: leftovers beside that folder
    with_files: frozenset[str] = frozenset()  # jobs that have a job folder at the end
    messages: Mapping[str, Sequence[str]] | None = None  # by uid: where in the broker; None: there was no time to see
    faults_begun_at: float = 0.0
    faults_ended_at: float = 0.0
    ended_at: float = 0.0  # when the last fault was over and every job had had its time
    retention_seconds: float = 0.0
    bounds: Bounds = Bounds()
    slack: Slack = Slack()


class Outputs:
    """Looks at the published results in a thread, and keeps every distinct state of each."""

    def __init__(self, jobs_dir: Path) -> None:
        self._jobs_dir = jobs_dir
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="outputs", daemon=True)
        self.found: dict[str, list[Output]] = {}

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look once more, and then no more."""
        self._stopping.set()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            self.look()
        self.look()

    def look(self) -> None:
        """Note what is new."""
        for uid, output in self.there().items():
            known = self.found.setdefault(uid, [])
            if not known or known[-1].digest != output.digest:
                known.append(output)

    def there(self) -> dict[str, Output]:
        """What lies there at this moment, by job id."""
        read = {path.parent.parent.name: _read_output(path) for path in self._jobs_dir.glob(f"*/output/{_MANIFEST}")}
        return {uid: output for uid, output in read.items() if output is not None}


def _read_output(manifest: Path) -> Output | None:
    """None where it is deleted at this moment."""
    try:
        raw = manifest.read_bytes()
        content = json.loads(raw)
        sizes = {one["name"]: one["bytes"] for one in content["files"]}
        wrong = [name for name, size in sizes.items() if (manifest.parent / name).stat().st_size != size]
        signature = (manifest.parent / "made-by.txt").read_text()
    except FileNotFoundError:
        return None
    return Output(
        at=clock.now(),
        attempt=content["attempt"],
        digest=hashlib.sha256(raw).hexdigest(),
        signature=signature,
        bytes=sum(sizes.values()),
        problem=f"{wrong} have another size than the manifest says" if wrong else "",
    )


def wait_for(holds: Callable[[], bool], seconds: float, tend: Callable[[], object]) -> float | None:
    """When `holds` became true, or None after that time; `tend` is called between two looks."""
    begin = clock.now()
    pause = threading.Event()
    while clock.now() - begin < seconds:
        if holds():
            return clock.now()
        tend()
        pause.wait(0.1)
    return None
