"""Replies of the scripts."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.contract.records import End, ObservedJob
from reconstruction_operator.state.timeline import LookCounts


class ClaimCode(enum.StrEnum):
    """Whether a delivery may run."""

    CLAIMED = "claimed"
    DUPLICATE = "duplicate"  # claimed by another delivery or by the operator, or ended: drop the message
    UNWANTED = "unwanted"  # the record wants another attempt: drop the message
    NO_RECORD = "no-record"  # Redis has no record: put the message back a few times, then drop it


class FinishCode(enum.StrEnum):
    """Whether an end counts."""

    RECORDED = "recorded"
    ALREADY = "already"  # this token has recorded `end` before
    # The cancel flag is set, and nothing was recorded: clean up, then finish with Outcome.CANCELLED
    CANCELLED = "cancelled"
    RELEASED = "released"  # a bare task was stopped: its message must be put back
    # Superseded: another delivery has claimed the attempt or ended it (`end`), or the attempt is unwanted or unknown.
    SUPERSEDED = "superseded"


class LegCode(enum.StrEnum):
    """Whether a leg has ended."""

    ENDED = "ended"
    STOPPED = "stopped"  # the attempt is cancelled or must stop: it ends here, and nothing was recorded
    SUPERSEDED = "superseded"  # as of FinishCode


@dataclass(frozen=True, slots=True)
class ClaimReply:
    """Reply to `claim`.

    The flags are valid only with CLAIMED: a run with one of them cleans up and finishes at once.
    """

    code: ClaimCode
    cancelled: bool = False
    stop: StopReason | None = None


@dataclass(frozen=True, slots=True)
class BeatReply:
    """Reply to `beat`. Without `owned` the run must stop and publish nothing."""

    owned: bool
    cancelled: bool = False
    stop: StopReason | None = None
    drain_at: datetime | None = None  # the worker shuts down: give up the attempt at that time (Redis's clock)


@dataclass(frozen=True, slots=True)
class HelpersUsage:
    """What all helpers of a run have used."""

    cpu_seconds: float = 0.0
    read_bytes: int = 0
    written_bytes: int = 0


NO_USAGE: Final = HelpersUsage()


@dataclass(frozen=True, slots=True)
class HelpReply:
    """Reply to `help_run`. `beat.owned`: the run still wants help."""

    beat: BeatReply
    stage: str = ""  # which the run has made in parts now


@dataclass(frozen=True, slots=True)
class PartsReply:
    """Reply to `take_part`."""

    part: int | None  # to make now; None: none
    over: bool  # all parts are made, or the run needs no more help
    made: int  # parts that are made
    makers: int  # workers that make parts now, the asking one included
    helpers: Mapping[str, str]  # for the run: what is known of each helper that has answered, by its task id


@dataclass(frozen=True, slots=True)
class FinishReply:
    """Reply to `finish`: `end` is the one that counts, if the attempt has ended."""

    code: FinishCode
    end: End | None = None


@dataclass(frozen=True, slots=True)
class Epoch:
    """A time in which Redis has lost no data, as its sentinel shows. It began at `started_at` by Redis's clock."""

    id: str
    started_at: datetime
    looks: LookCounts


@dataclass(frozen=True, slots=True)
class Observed:
    """One snapshot: `jobs` in the order of the request, `now` by Redis's clock."""

    now: datetime
    looks: LookCounts
    jobs: tuple[ObservedJob, ...]


@dataclass(frozen=True, slots=True)
class HeldCounts:
    """How many deletions of each namespace the brake holds, and how many were released and are not yet cleaned up."""

    held: Mapping[str, int]
    released: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A live worker that accepts messages."""

    node: str
    queues: tuple[str, ...] = ()
    announced: str = ""  # the digest of its announcement of models; empty: it has announced none
