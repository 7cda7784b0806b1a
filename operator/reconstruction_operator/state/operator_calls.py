"""Calls of the operator. Pure: each function makes a `Call` of the script of its name.

Every call carries the leader's `fence` (the transition count of its Lease) and the `install_id` that it counts for, and
raises DeposedError when it is carried out after a higher fence was seen: it has changed nothing then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, assert_never

from reconstruction_operator import config
from reconstruction_operator.api.identity import JobKey, TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.contract.records import OPERATOR_TOKEN, End, Record
from reconstruction_operator.planning import actions
from reconstruction_operator.state import fields
from reconstruction_operator.state.calls import Call
from reconstruction_operator.state.errors import DeposedError, UnexpectedReplyError
from reconstruction_operator.state.replies import Epoch
from reconstruction_operator.state.scripts import script

FORGET_MAX_ATTEMPTS: Final = 1_000  # the newest; keys of older ones have a TTL and have expired

T = TypeVar("T")


def _fenced(
    name: str,
    keys: tuple[str, ...],
    args: tuple[str | int, ...] = (),
    *,
    fence: int,
    read: Callable[[list[Any]], T],
) -> Call[T]:
    """A call whose first key and argument are the fence; `read` gets what follows "ok"."""

    def answer(reply: Any) -> T:
        match reply:
            case ["ok", *rest]:
                return read(rest)
            case ["deposed", seen]:
                raise DeposedError(fence=fence, seen=int(seen))
            case _:
                raise UnexpectedReplyError(name, reply)

    return Call(script(name, fenced=True), keys, (fence, *args), answer)


def _nothing(_rest: list[Any]) -> None:
    return None


def _retention() -> int:
    return fields.milliseconds(config.settings.PROTOCOL_RETENTION_SECONDS)


def for_action(keys: Keys, action: actions.Action, job: JobKey, *, fence: int, install_id: str) -> Call[Any] | None:
    """The call that carries out an action of a plan for that job; None for an action that is no change in Redis."""
    leader: dict[str, Any] = {"fence": fence, "install_id": install_id}
    job_id = job.job_id
    match action:
        case actions.PutRecord(attempt, queue):
            leader |= {"namespace": job.namespace, "name": job.name}
            return put_record(keys, **leader, job_id=job_id, attempt=attempt, queue=queue)
        case actions.RequestCancel():
            return request_cancel(keys, **leader, job_id=job_id)
        case actions.WithdrawRequest():
            return withdraw_request(keys, **leader, job_id=job_id)
        case actions.AssertCancelled():
            return assert_cancelled(keys, **leader, job_id=job_id)
        case actions.ClearFlags():
            return clear_flags(keys, **leader, job_id=job_id)
        case actions.TakeClaim(task, outcome, reason, message):
            return take_claim(keys, **leader, task=task, end=End(outcome, reason, message))
        case actions.ForceEnd(task, outcome, reason, message):
            return force_end(keys, **leader, task=task, end=End(outcome, reason, message))
        case actions.RequestStop(task, reason):
            return request_stop(keys, **leader, task=task, reason=reason)
        case actions.Forget(attempts):
            return forget(keys, **leader, job_id=job_id, attempts=attempts)
        case actions.Dispatch() | actions.DeleteFiles() | actions.DeleteObject():
            return None
    assert_never(action)


def put_record(
    keys: Keys,
    *,
    fence: int,
    install_id: str,
    job_id: str,
    namespace: str,
    name: str,
    attempt: int,
    queue: str,
) -> Call[Record]:
    """Put on record which attempt is wanted, and get the record that holds: the wanted attempt never falls."""
    key = keys.record(job_id)

    def read(rest: list[Any]) -> Record:
        record = fields.load(key, rest[0], fields.parse_record)
        if record is None:
            raise UnexpectedReplyError("put_record", rest)
        return record

    return _fenced(
        "put_record",
        (keys.fence(install_id), key, keys.records(install_id)),
        (job_id, attempt, queue, install_id, namespace, name),
        fence=fence,
        read=read,
    )


def index_records(keys: Keys, *, fence: int, install_id: str, job_ids: Sequence[str]) -> Call[None]:
    """Put the records of those jobs, as far as they exist, into the index that `list_records` reads."""
    return _fenced(
        "index_records",
        (keys.fence(install_id), keys.records(install_id), *map(keys.record, job_ids)),
        tuple(job_ids),
        fence=fence,
        read=_nothing,
    )


def drop_folders(keys: Keys, *, fence: int, install_id: str, job_ids: Sequence[str]) -> Call[None]:
    """Drop the reports of these job folders: they have been dealt with."""
    return _fenced(
        "drop_folders",
        (keys.fence(install_id), keys.folders(install_id)),
        tuple(job_ids),
        fence=fence,
        read=_nothing,
    )


def mark_sent(keys: Keys, *, fence: int, install_id: str, job_id: str, attempt: int) -> Call[None]:
    """Note that the attempt's message was sent now; nothing if the record wants another."""
    return _fenced("mark_sent", (keys.fence(install_id), keys.record(job_id)), (attempt,), fence=fence, read=_nothing)


def request_cancel(keys: Keys, *, fence: int, install_id: str, job_id: str) -> Call[None]:
    """Set `cancel_request:{job_id}` or renew its TTL; nothing once the cancel is confirmed."""
    return _of_flags("request_cancel", keys, install_id, job_id, (config.CANCEL_TTL_SECONDS,), fence=fence)


def assert_cancelled(keys: Keys, *, fence: int, install_id: str, job_id: str) -> Call[None]:
    """Set `cancel:{job_id}` or renew its TTL, and delete the request."""
    return _of_flags("assert_cancelled", keys, install_id, job_id, (config.CANCEL_TTL_SECONDS,), fence=fence)


def withdraw_request(keys: Keys, *, fence: int, install_id: str, job_id: str) -> Call[None]:
    """Delete the request, never a confirmation."""
    return _of_flags("withdraw_request", keys, install_id, job_id, fence=fence)


def clear_flags(keys: Keys, *, fence: int, install_id: str, job_id: str) -> Call[None]:
    """Delete both flags of a job that is over."""
    return _of_flags("clear_flags", keys, install_id, job_id, fence=fence)


def _of_flags(
    name: str, keys: Keys, install_id: str, job_id: str, args: tuple[str | int, ...] = (), *, fence: int
) -> Call[None]:
    flags = keys.cancel_request(job_id), keys.cancel(job_id)
    return _fenced(name, (keys.fence(install_id), *flags), args, fence=fence, read=_nothing)


def take_claim(keys: Keys, *, fence: int, install_id: str, task: TaskId, end: End) -> Call[bool]:
    """End an attempt that no worker has begun, so that none ever begins it. False: a worker has it, or had it."""
    return _fenced(
        "take_claim", _of_attempt(keys, install_id, task), _of_end(end), fence=fence, read=lambda rest: rest[0] == 1
    )


def force_end(keys: Keys, *, fence: int, install_id: str, task: TaskId, end: End) -> Call[End | None]:
    """End an attempt whose worker is silent, and get the end that counts: the worker's, if it came first.

    None: its worker is alive after all, and nothing was changed.
    """
    key = keys.end(str(task))
    return _fenced(
        "force_end",
        (*_of_attempt(keys, install_id, task), keys.alive(str(task))),
        _of_end(end),
        fence=fence,
        read=lambda rest: fields.load_end(key, rest[0]) if rest else None,
    )


def _of_attempt(keys: Keys, install_id: str, task: TaskId) -> tuple[str, ...]:
    return keys.fence(install_id), keys.claim(str(task)), keys.end(str(task)), keys.record(task.job_id)


def _of_end(end: End) -> tuple[str | int, ...]:
    owner = f"operator: {(end.reason or end.outcome.value).lower().replace('_', ' ')}"
    return OPERATOR_TOKEN, owner, _retention(), end.outcome.value, fields.dump_details(end)


def request_stop(keys: Keys, *, fence: int, install_id: str, task: TaskId, reason: StopReason) -> Call[None]:
    """Ask for the stop of an attempt that has not ended. Final, and the first reason holds."""
    return _fenced(
        "request_stop",
        (keys.fence(install_id), keys.stop(str(task)), keys.end(str(task)), keys.record(task.job_id)),
        (_retention(), reason.value),
        fence=fence,
        read=_nothing,
    )


def forget(keys: Keys, *, fence: int, install_id: str, job_id: str, attempts: int) -> Call[bool]:
    """Delete every key of the job and of its attempts 1 to `attempts`. False: one of them still runs; nothing was done."""
    of_job = (keys.record(job_id), keys.cancel_request(job_id), keys.cancel(job_id), keys.cleaned(job_id))
    of_attempts = (
        key(str(TaskId(job_id, attempt)))
        for attempt in range(max(1, attempts - FORGET_MAX_ATTEMPTS + 1), attempts + 1)
        for key in (keys.claim, keys.alive, keys.end, keys.stop)
    )
    return _fenced(
        "forget",
        (keys.fence(install_id), keys.records(install_id), *of_job, *of_attempts),
        (job_id, len(of_job)),
        fence=fence,
        read=lambda rest: rest[0] == 1,
    )


def open_epoch(keys: Keys, *, fence: int, install_id: str, run_id: str) -> Call[Epoch]:
    """Make sure of the sentinel. Another id than before means that Redis may have forgotten things since.

    `run_id` is the server's own, from `INFO server`.
    """

    def read(rest: list[Any]) -> Epoch:
        match rest:
            case [[str() as epoch_id, str() as run, started_at], now]:
                return Epoch(epoch_id, run, fields.moment(int(started_at)), fields.moment(int(now)))
            case _:
                raise UnexpectedReplyError("open_epoch", rest)

    return _fenced("open_epoch", (keys.fence(install_id), keys.epoch()), (run_id,), fence=fence, read=read)
