"""Calls of the operator. Pure: each function makes a `Call` of the script of its name.

Every call carries the leader's `fence` (the transition count of its Lease) and the `install_id` that it counts for. A
call that is run after a higher fence was seen raises DeposedError, and changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypedDict, TypeVar, Unpack, assert_never

from reconstruction_operator import config
from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.contract.preflight import Checked, CheckRequest
from reconstruction_operator.contract.records import OPERATOR_TOKEN, End, Record
from reconstruction_operator.planning import actions
from reconstruction_operator.state import fields
from reconstruction_operator.state.calls import Call, DeposedError, UnexpectedReplyError, script
from reconstruction_operator.state.replies import Epoch
from reconstruction_operator.state.timeline import LookCounts

_CHECKS_MS: Final = 120_000  # lifetime of a request that no worker takes
_CHECKED_BATCH: Final = 100

FlagChange = Literal["request", "withdraw", "confirm", "clear"]
T = TypeVar("T")


class Leader(TypedDict):
    """The calling operator: its fence, and the install that the fence counts for."""

    fence: int
    install_id: str


def _fenced(
    name: str,
    keys: Keys,
    own: tuple[str, ...],
    args: tuple[str | int, ...] = (),
    read: Callable[[list[Any]], T] = lambda _: None,  # type: ignore[assignment, return-value]  # T is None then
    *,
    fence: int,
    install_id: str,
) -> Call[T]:
    """Return a call whose `own` keys and arguments follow those of the fence; `read` gets the reply after "ok"."""

    def answer(reply: Any) -> T:
        match reply:
            case ["ok", *rest]:
                return read(rest)
            case ["deposed", seen]:
                raise DeposedError(fence=fence, seen=int(seen))
            case _:
                raise UnexpectedReplyError(name, reply)

    return Call(script(name, fenced=True), (keys.fence(install_id), *own), (fence, *args), answer, fenced=True)


def for_action(keys: Keys, action: actions.Action, job: JobRef, **leader: Unpack[Leader]) -> Call[Any] | None:
    """Return the call that carries out an action of a plan for that job; None if the action does not change Redis."""
    job_id = job.job_id
    match action:
        case actions.PutRecord(task, leg):
            return put_record(keys, task, leg=leg, **leader)
        case actions.ReturnLeg(task, number, following):
            return return_leg(keys, task, number=number, following=following, **leader)
        case actions.RequestCancel():
            return change_flags(keys, job_id=job_id, change="request", **leader)
        case actions.WithdrawRequest():
            return change_flags(keys, job_id=job_id, change="withdraw", **leader)
        case actions.AssertCancelled():
            return change_flags(keys, job_id=job_id, change="confirm", **leader)
        case actions.ClearFlags():
            return change_flags(keys, job_id=job_id, change="clear", **leader)
        case actions.EndAttempt(task, outcome, reason, message, is_lost):
            return end_attempt(keys, task, end=End(outcome, reason, message), is_lost=is_lost, **leader)
        case actions.RequestStop(task, reason):
            return request_stop(keys, task, reason=reason, **leader)
        case actions.Forget():
            return forget(keys, job_id=job_id, **leader)
        case actions.Dispatch() | actions.DeleteFiles() | actions.TakeBack() | actions.DeleteObject():
            return None
    assert_never(action)


def return_leg(keys: Keys, attempt: AttemptRef, *, number: int, following: Leg, **leader: Unpack[Leader]) -> Call[None]:
    """End the leg of that number, if no worker has begun it: its stage runs on the queue of the `following` leg."""
    args = (attempt.number, number, fields.dump_leg(following))
    return _fenced("return_leg", keys, (keys.job(attempt.job_id),), args, **leader)


def put_record(keys: Keys, attempt: AttemptRef, *, leg: Leg | None = None, **leader: Unpack[Leader]) -> Call[Record]:
    """Record which attempt is wanted, and return the record that is then valid: the wanted attempt never decreases."""
    job, install_id = attempt.job, leader["install_id"]
    key = keys.job(job.uid)

    def read(rest: list[Any]) -> Record:
        record = fields.parse_record(job.uid, fields.load_job(key, rest[0]))
        if record is None:
            raise UnexpectedReplyError("put_record", rest)
        return record

    args = (install_id, job.uid, attempt.number, attempt.queue, job.namespace, job.name, fields.dump_leg(leg))
    return _fenced("put_record", keys, (keys.records(install_id), key, keys.alive(job.uid)), args, read, **leader)


def index_records(keys: Keys, *, job_ids: Sequence[str], **leader: Unpack[Leader]) -> Call[None]:
    """Add the existing records of those jobs to our index, which `list_records` reads, and make our install their
    owner.
    """
    own = (keys.records(leader["install_id"]), *map(keys.job, job_ids))
    return _fenced("index_records", keys, own, (leader["install_id"], *job_ids), **leader)


def shorten_ends(keys: Keys, *, job_ids: Sequence[str], **leader: Unpack[Leader]) -> Call[None]:
    """Drop the details of these jobs' ends, which their statuses have; outcome, time and worker stay."""
    return _fenced("shorten_ends", keys, tuple(map(keys.job, job_ids)), **leader)


def drop_folders(keys: Keys, *, job_ids: Sequence[str], **leader: Unpack[Leader]) -> Call[None]:
    """Drop the reports of these job folders: they have been handled."""
    return _fenced("drop_folders", keys, (keys.folders(leader["install_id"]),), tuple(job_ids), **leader)


def report_held(keys: Keys, *, held: Sequence[tuple[str, str]], replace: bool, **leader: Unpack[Leader]) -> Call[None]:
    """Report orphans that the brake holds, in addition to the earlier ones or in their place.

    Each is a job id, and its kind and namespace.
    """
    key = keys.held(leader["install_id"])
    return _fenced("report_held", keys, (key,), (int(replace), *itertools.chain.from_iterable(held)), **leader)


def drop_released(keys: Keys, **leader: Unpack[Leader]) -> Call[None]:
    """Drop the releases of held orphans: all of them are cleaned up."""
    return _fenced("drop_released", keys, (keys.released(leader["install_id"]),), **leader)


def mark_sent(
    keys: Keys, attempt: AttemptRef, *, is_order: bool = False, leg: int = 0, **leader: Unpack[Leader]
) -> Call[None]:
    """Note that the attempt's message was sent now, or an order to delete the job's files.

    Nothing is noted if another attempt is wanted, or another leg of it.
    """
    return _fenced("mark_sent", keys, (keys.job(attempt.job_id),), (attempt.number, int(is_order), leg), **leader)


def change_flags(keys: Keys, *, job_id: str, change: FlagChange, **leader: Unpack[Leader]) -> Call[None]:
    """Change the flags of a cancel, or renew their TTL: request it, withdraw the request, confirm the cancel, or clear
    both flags.

    A request has no effect once the cancel is confirmed. Only `clear` deletes a confirmation.
    """
    flags = (keys.cancel_request(job_id), keys.cancel(job_id))
    return _fenced("change_flags", keys, flags, (change, config.CANCEL_TTL_SECONDS), **leader)


def end_attempt(
    keys: Keys, attempt: AttemptRef, *, end: End, is_lost: bool = False, **leader: Unpack[Leader]
) -> Call[End | None]:
    """End an attempt that no worker has begun, so that none ever begins it; or, if `is_lost`, one whose worker is
    silent.

    Returns the end that counts, which may be an earlier one. Returns None, without a change, if a worker has begun the
    attempt (`is_lost`: and is alive), or if a newer attempt is wanted.
    """
    key = keys.job(attempt.job_id)

    def read(rest: list[Any]) -> End | None:
        return fields.load_end(key, rest[0]) if rest else None

    owner = f"operator: {(end.reason or end.outcome.value).lower().replace('_', ' ')}"
    of_end = (end.outcome.value, fields.dump_details(end))
    args = (attempt.number, int(is_lost), OPERATOR_TOKEN, owner, fields.retention_ms(), *of_end)
    return _fenced("end_attempt", keys, (key, keys.alive(attempt.job_id), keys.epoch()), args, read, **leader)


def request_stop(keys: Keys, attempt: AttemptRef, *, reason: StopReason, **leader: Unpack[Leader]) -> Call[None]:
    """Request the stop of an attempt that has not ended. Final; the first reason counts."""
    return _fenced("request_stop", keys, (keys.job(attempt.job_id),), (attempt.number, reason.value), **leader)


def request_check(keys: Keys, *, pool: str, request: CheckRequest, most: int, **leader: Unpack[Leader]) -> Call[bool]:
    """Request a preflight from a worker of the pool. Returns False if `most` requests wait already."""
    args = (_CHECKS_MS, most, request.to_text())
    return _fenced("request_check", keys, (keys.checks(pool),), args, lambda rest: rest[0] == 1, **leader)


def take_checked(keys: Keys, **leader: Unpack[Leader]) -> Call[Mapping[str, Checked]]:
    """Take some of the results of preflights, by job id."""
    key = keys.checked(leader["install_id"])

    def read(rest: list[Any]) -> Mapping[str, Checked]:
        pairs = zip(rest[0][::2], rest[0][1::2], strict=True)
        loaded = ((job_id, fields.load_json(key, text, Checked.of)) for job_id, text in pairs)
        return {job_id: checked for job_id, checked in loaded if checked is not None}

    return _fenced("take_checked", keys, (key,), (_CHECKED_BATCH, fields.MAX_VALUE_BYTES), read, **leader)


def forget(keys: Keys, *, job_id: str, **leader: Unpack[Leader]) -> Call[bool]:
    """Delete every key of the job. Returns False, without a change, if an attempt still runs."""
    of_job = (keys.job(job_id), keys.alive(job_id), keys.cancel_request(job_id), keys.cancel(job_id))
    own = (keys.records(leader["install_id"]), *of_job)
    return _fenced("forget", keys, own, (job_id, fields.retention_ms()), lambda rest: rest[0] == 1, **leader)


def assert_leader(keys: Keys, **leader: Unpack[Leader]) -> Call[None]:
    """Check that this operator still leads: raises DeposedError if there is a newer leader."""
    return _fenced("assert_leader", keys, (), **leader)


def open_epoch(keys: Keys, *, run_id: str, known_looks: int = 0, **leader: Unpack[Leader]) -> Call[Epoch]:
    """Check the sentinel or create it. A new id means that Redis may have lost data.

    `run_id` is the server's, from `INFO server`. `known_looks`: how many looks Redis is known to have counted (see
    `state.timeline`); fewer begin another epoch.
    """

    def read(rest: list[Any]) -> Epoch:
        match rest:
            case [str() as epoch_id, started_at, before, after]:
                return Epoch(epoch_id, fields.moment(int(started_at)), LookCounts(int(before), int(after)))
            case _:
                raise UnexpectedReplyError("open_epoch", rest)

    return _fenced("open_epoch", keys, (keys.epoch(),), (run_id, known_looks), read, **leader)
