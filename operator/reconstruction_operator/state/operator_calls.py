"""What the operator does. Pure: each function makes a `Call`.

Every call carries the leader's `fence` (the transition count of its Lease) and the `install_id` that it counts for, and
raises DeposedError when it is carried out after a higher fence was seen: it has changed nothing then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from reconstruction_operator import config
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.contract.records import End, Record
from reconstruction_operator.state import scripts, stored
from reconstruction_operator.state.calls import Call, Script
from reconstruction_operator.state.errors import DeposedError, UnexpectedReplyError
from reconstruction_operator.state.replies import Epoch
from reconstruction_operator.state.units import milliseconds

OPERATOR_TOKEN: Final = "operator"  # noqa: S105  # no secret: it marks the operator's own claims and ends
FORGET_MAX_ATTEMPTS: Final = 1_000  # the newest; keys of older ones have a TTL and are long gone

T = TypeVar("T")


def _fenced(
    script: Script,
    keys: tuple[str, ...],
    args: tuple[str | int, ...],
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
                raise UnexpectedReplyError(script.name, reply)

    return Call(script, keys, (fence, *args), answer)


def _nothing(_rest: list[Any]) -> None:
    return None


def _retention() -> int:
    return milliseconds(config.settings.PROTOCOL_RETENTION_SECONDS)


def _owner(end: End) -> str:
    return f"operator: {(end.reason or end.outcome.value).lower().replace('_', ' ')}"


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
    """Say which attempt is wanted, and get the record that holds: the wanted attempt never falls."""
    said = {"install_id": install_id, "namespace": namespace, "name": name, "attempt": attempt, "queue": queue}
    key = keys.record(job_id)

    def read(rest: list[Any]) -> Record:
        record = stored.load(key, rest[0], stored.parse_record)
        if record is None:
            raise UnexpectedReplyError("put_record", rest)
        return record

    return _fenced(
        scripts.PUT_RECORD,
        (keys.fence(install_id), key, keys.records(install_id), keys.epoch()),
        (job_id, attempt, json.dumps(said)),
        fence=fence,
        read=read,
    )


def index_records(keys: Keys, *, fence: int, install_id: str, job_ids: Sequence[str]) -> Call[None]:
    """Put the records of those jobs, as far as there are any, into the index that `list_records` reads."""
    return _fenced(
        scripts.INDEX_RECORDS,
        (keys.fence(install_id), keys.records(install_id), *map(keys.record, job_ids)),
        tuple(job_ids),
        fence=fence,
        read=_nothing,
    )


def drop_folders(keys: Keys, *, fence: int, install_id: str, job_ids: Sequence[str]) -> Call[None]:
    """These reported job folders are looked after."""
    return _fenced(
        scripts.DROP_FOLDERS,
        (keys.fence(install_id), keys.folders(install_id)),
        tuple(job_ids),
        fence=fence,
        read=_nothing,
    )


def mark_sent(keys: Keys, *, fence: int, install_id: str, job_id: str, attempt: int) -> Call[None]:
    """Note that the attempt's message was sent now; nothing if the record wants another."""
    return _fenced(
        scripts.MARK_SENT, (keys.fence(install_id), keys.record(job_id)), (attempt,), fence=fence, read=_nothing
    )


def request_cancel(keys: Keys, *, fence: int, install_id: str, job_id: str) -> Call[None]:
    """Set or prolong `cancel_request:{job_id}`; nothing once the cancel is confirmed."""
    return _fenced(
        scripts.REQUEST_CANCEL,
        (keys.fence(install_id), keys.cancel_request(job_id), keys.cancel(job_id)),
        (config.CANCEL_TTL_SECONDS,),
        fence=fence,
        read=_nothing,
    )


def assert_cancelled(keys: Keys, *, fence: int, install_id: str, job_id: str) -> Call[None]:
    """Set or prolong `cancel:{job_id}`, and delete the request."""
    return _fenced(
        scripts.ASSERT_CANCELLED,
        (keys.fence(install_id), keys.cancel_request(job_id), keys.cancel(job_id)),
        (config.CANCEL_TTL_SECONDS,),
        fence=fence,
        read=_nothing,
    )


def withdraw_request(keys: Keys, *, fence: int, install_id: str, job_id: str) -> Call[None]:
    """Delete the request alone, never a confirmation."""
    return _fenced(
        scripts.DELETE, (keys.fence(install_id), keys.cancel_request(job_id)), (), fence=fence, read=_nothing
    )


def clear_flags(keys: Keys, *, fence: int, install_id: str, job_id: str) -> Call[None]:
    """Delete both flags of a job that is over."""
    return _fenced(
        scripts.DELETE,
        (keys.fence(install_id), keys.cancel_request(job_id), keys.cancel(job_id)),
        (),
        fence=fence,
        read=_nothing,
    )


def take_claim(keys: Keys, *, fence: int, install_id: str, task: TaskId, end: End) -> Call[bool]:
    """End an attempt that no worker has begun, so that none ever begins it. False: a worker has it, or had it."""
    return _fenced(
        scripts.TAKE_CLAIM,
        (keys.fence(install_id), keys.claim(str(task)), keys.end(str(task))),
        (OPERATOR_TOKEN, _owner(end), _retention(), stored.dump_end(OPERATOR_TOKEN, end)),
        fence=fence,
        read=lambda rest: rest[0] == 1,
    )


def request_stop(keys: Keys, *, fence: int, install_id: str, task: TaskId, reason: StopReason) -> Call[None]:
    """Ask for the stop of an attempt that has not ended. Final, and the first reason holds."""
    return _fenced(
        scripts.REQUEST_STOP,
        (keys.fence(install_id), keys.stop(str(task)), keys.end(str(task))),
        (_retention(), json.dumps({"reason": reason.value})),
        fence=fence,
        read=_nothing,
    )


def force_end(keys: Keys, *, fence: int, install_id: str, task: TaskId, end: End) -> Call[End | None]:
    """End an attempt whose worker is silent, and get the end that counts: the worker's, if it came first.

    None: its worker is alive after all, and nothing was changed.
    """
    key = keys.end(str(task))
    return _fenced(
        scripts.FORCE_END,
        (keys.fence(install_id), keys.claim(str(task)), key, keys.alive(str(task))),
        (OPERATOR_TOKEN, _owner(end), _retention(), stored.dump_end(OPERATOR_TOKEN, end)),
        fence=fence,
        read=lambda rest: stored.load(key, rest[0], stored.parse_end),
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
        scripts.FORGET,
        (keys.fence(install_id), keys.records(install_id), *of_job, *of_attempts),
        (job_id, len(of_job)),
        fence=fence,
        read=lambda rest: rest[0] == 1,
    )


def open_epoch(keys: Keys, *, fence: int, install_id: str, run_id: str) -> Call[Epoch]:
    """Make sure of the sentinel. Another id than before means that Redis may have forgotten things since.

    `run_id` is the server's own, from `INFO server`.
    """
    key = keys.epoch()

    def read(rest: list[Any]) -> Epoch:
        now = stored.moment(int(rest[1]))
        epoch = stored.load(
            key,
            rest[0],
            lambda data: Epoch(
                str(data.get("id")), str(data.get("run_id")), stored.moment(data.get("started_at")), now
            ),
        )
        if epoch is None:
            raise UnexpectedReplyError("open_epoch", rest)
        return epoch

    return _fenced(scripts.OPEN_EPOCH, (keys.fence(install_id), key), (run_id,), fence=fence, read=read)
