"""Calls of the operator. Pure: each function makes a `Call` of the script of its name.

Every call carries the leader's `fence` (the transition count of its Lease) and the `install_id` that it counts for. A call that
is run after a higher fence was seen raises DeposedError, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypedDict, TypeVar, Unpack, assert_never

from reconstruction_operator import config
from reconstruction_operator.api.identity import JobKey, TaskId
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
FORGET_MAX_ATTEMPTS: Final = 1_000  # attempts whose keys are deleted, the newest ones; keys of older ones have expired

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


def for_action(keys: Keys, action: actions.Action, job: JobKey, **leader: Unpack[Leader]) -> Call[Any] | None:
    """Return the call that carries out an action of a plan for that job; None if the action does not change Redis."""
    job_id = job.job_id
    match action:
        case actions.PutRecord(attempt, queue):
            place = {"namespace": job.namespace, "name": job.name}
            return put_record(keys, job_id=job_id, **place, attempt=attempt, queue=queue, **leader)
        case actions.RequestCancel():
            return request_cancel(keys, job_id=job_id, **leader)
        case actions.WithdrawRequest():
            return withdraw_request(keys, job_id=job_id, **leader)
        case actions.AssertCancelled():
            return assert_cancelled(keys, job_id=job_id, **leader)
        case actions.ClearFlags():
            return clear_flags(keys, job_id=job_id, **leader)
        case actions.TakeClaim(task, outcome, reason, message):
            return take_claim(keys, task=task, end=End(outcome, reason, message), **leader)
        case actions.ForceEnd(task, outcome, reason, message):
            return force_end(keys, task=task, end=End(outcome, reason, message), **leader)
        case actions.RequestStop(task, reason):
            return request_stop(keys, task=task, reason=reason, **leader)
        case actions.Forget(attempts):
            return forget(keys, job_id=job_id, attempts=attempts, **leader)
        case actions.Dispatch() | actions.DeleteFiles() | actions.TakeBack() | actions.DeleteObject():
            return None
    assert_never(action)


def put_record(
    keys: Keys, *, job_id: str, namespace: str, name: str, attempt: int, queue: str, **leader: Unpack[Leader]
) -> Call[Record]:
    """Record which attempt is wanted, and return the record that is then valid: the wanted attempt never decreases."""
    key, install_id = keys.record(job_id), leader["install_id"]

    def read(rest: list[Any]) -> Record:
        record = fields.load(key, rest[0], fields.parse_record)
        if record is None:
            raise UnexpectedReplyError("put_record", rest)
        return record

    args = (install_id, job_id, attempt, queue, namespace, name)
    return _fenced("put_record", keys, (keys.records(install_id), key), args, read, **leader)


def index_records(keys: Keys, *, job_ids: Sequence[str], **leader: Unpack[Leader]) -> Call[None]:
    """Add the existing records of those jobs to our index, which `list_records` reads, and make our install their owner."""
    own = (keys.records(leader["install_id"]), *map(keys.record, job_ids))
    return _fenced("index_records", keys, own, (leader["install_id"], *job_ids), **leader)


def drop_folders(keys: Keys, *, job_ids: Sequence[str], **leader: Unpack[Leader]) -> Call[None]:
    """Drop the reports of these job folders: they have been handled."""
    return _fenced("drop_folders", keys, (keys.folders(leader["install_id"]),), tuple(job_ids), **leader)


def mark_sent(keys: Keys, *, job_id: str, attempt: int, is_order: bool = False, **leader: Unpack[Leader]) -> Call[None]:
    """Note that the attempt's message was sent now, or an order to delete the files of all attempts up to it.

    Nothing is noted if the record wants another attempt (for an order: a later one).
    """
    return _fenced("mark_sent", keys, (keys.record(job_id),), (attempt, int(is_order)), **leader)


def request_cancel(keys: Keys, *, job_id: str, **leader: Unpack[Leader]) -> Call[None]:
    """Set `cancel_request:{job_id}` or renew its TTL; without effect once the cancel is confirmed."""
    return _fenced("request_cancel", keys, _flags(keys, job_id), (config.CANCEL_TTL_SECONDS,), **leader)


def assert_cancelled(keys: Keys, *, job_id: str, **leader: Unpack[Leader]) -> Call[None]:
    """Set `cancel:{job_id}` or renew its TTL, and delete the request."""
    return _fenced("assert_cancelled", keys, _flags(keys, job_id), (config.CANCEL_TTL_SECONDS,), **leader)


def withdraw_request(keys: Keys, *, job_id: str, **leader: Unpack[Leader]) -> Call[None]:
    """Delete the request, never a confirmation."""
    return _fenced("withdraw_request", keys, _flags(keys, job_id), **leader)


def clear_flags(keys: Keys, *, job_id: str, **leader: Unpack[Leader]) -> Call[None]:
    """Delete both flags of a finished job."""
    return _fenced("clear_flags", keys, _flags(keys, job_id), **leader)


def _flags(keys: Keys, job_id: str) -> tuple[str, str]:
    return keys.cancel_request(job_id), keys.cancel(job_id)


def take_claim(keys: Keys, *, task: TaskId, end: End, **leader: Unpack[Leader]) -> Call[bool]:
    """End an attempt that no worker has begun, so that none ever begins it. Returns False if a worker has claimed it."""
    return _fenced("take_claim", keys, _of_attempt(keys, task), _of_end(end), lambda rest: rest[0] == 1, **leader)


def force_end(keys: Keys, *, task: TaskId, end: End, **leader: Unpack[Leader]) -> Call[End | None]:
    """End an attempt whose worker is silent, and return the end that counts: the worker's own if that was recorded first.

    Returns None, without a change, if the worker is alive after all.
    """
    key = keys.end(str(task))

    def read(rest: list[Any]) -> End | None:
        return fields.load_end(key, rest[0]) if rest else None

    own = (*_of_attempt(keys, task), keys.alive(str(task)))
    return _fenced("force_end", keys, own, _of_end(end), read, **leader)


def _of_attempt(keys: Keys, task: TaskId) -> tuple[str, ...]:
    return keys.claim(str(task)), keys.end(str(task)), keys.epoch()


def _of_end(end: End) -> tuple[str | int, ...]:
    owner = f"operator: {(end.reason or end.outcome.value).lower().replace('_', ' ')}"
    return OPERATOR_TOKEN, owner, fields.retention_ms(), end.outcome.value, fields.dump_details(end)


def request_stop(keys: Keys, *, task: TaskId, reason: StopReason, **leader: Unpack[Leader]) -> Call[None]:
    """Request the stop of an attempt that has not ended. Final; the first reason counts."""
    own = (keys.stop(str(task)), keys.end(str(task)))
    return _fenced("request_stop", keys, own, (fields.retention_ms(), reason.value), **leader)


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


def forget(keys: Keys, *, job_id: str, attempts: int, **leader: Unpack[Leader]) -> Call[bool]:
    """Delete every key of the job and of its attempts 1 to `attempts`. Returns False, without a change, if an attempt still runs."""
    of_job = (keys.record(job_id), *_flags(keys, job_id), keys.cleaned(job_id))
    of_attempts = (
        key(str(TaskId(job_id, attempt)))
        for attempt in range(max(1, attempts - FORGET_MAX_ATTEMPTS + 1), attempts + 1)
        for key in (keys.claim, keys.alive, keys.end, keys.stop)
    )
    own = (keys.records(leader["install_id"]), *of_job, *of_attempts)
    return _fenced("forget", keys, own, (job_id, len(of_job)), lambda rest: rest[0] == 1, **leader)


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
