"""Calls of a worker: claims, heartbeats, ends, registrations.

Pure: each function makes a `Call` of the script of its name.

`attempt` comes from the operator's message. A bare `delay()` has no record: what it claims is its task id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.api import codec
from reconstruction_operator.api.attempt_status import Leg
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.contract import announcement
from reconstruction_operator.contract.attempt import Findings
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.preflight import Checked
from reconstruction_operator.contract.records import OPERATOR_TOKEN, End
from reconstruction_operator.state import fields
from reconstruction_operator.state.calls import Call, UnexpectedReplyError, script
from reconstruction_operator.state.replies import BeatReply, ClaimCode, ClaimReply, FinishCode, FinishReply, LegCode

ANNOUNCE_SECONDS: Final = 60.0  # between two announcements of the same models
_ANNOUNCED_MS: Final = 300_000
_CHECKED_MS: Final = 300_000
_REPORT_SECONDS: Final = 86_400  # TTL of a report that no operator reads; a worker repeats it


def _checked(token: str) -> str:
    if not fields.is_token(token) or token == OPERATOR_TOKEN:
        raise ValueError("a worker's token is a random printable text")
    return token


def claim(keys: Keys, attempt: AttemptRef, *, token: str, worker: str, leg: Leg | None = None) -> Call[ClaimReply]:
    """Ask whether this delivery may run. A claim is given only once; a repetition with its token is CLAIMED again.

    A bare task's claim goes to its next delivery once its worker is silent.

    `token` is random for each delivery; `worker` is the node's name.
    """

    def read(reply: Any) -> ClaimReply:
        match reply:
            case ["claimed", cancelled, str() as stop]:
                return ClaimReply(ClaimCode.CLAIMED, cancelled == 1, fields.parse_stop(stop))
            case [code] if code in set(ClaimCode):
                return ClaimReply(ClaimCode(code))
            case _:
                raise UnexpectedReplyError("claim", reply)

    return Call(
        script("claim"),
        (*_of_run(keys, attempt), keys.epoch()),
        (_checked(token), worker, _number(attempt), *_ttls(), fields.dump_leg(leg)),
        read,
    )


def beat(
    keys: Keys, attempt: AttemptRef, *, token: str, worker: str, life: str, leg: Leg | None = None
) -> Call[BeatReply]:
    """Report that the attempt is alive, and ask whether it may continue. `life` is as in `start_draining`.

    After Redis was emptied, this makes the claim again with the same token, unless another delivery has it or the
    record (which the operator restores first) wants a newer attempt.
    """

    def read(reply: Any) -> BeatReply:
        match reply:
            case [owned, cancelled, str() as stop, str() as drain_at]:
                return BeatReply(owned == 1, cancelled == 1, fields.parse_stop(stop), fields.time_of(drain_at))
            case _:
                raise UnexpectedReplyError("beat", reply)

    return Call(
        script("beat"),
        (*_of_run(keys, attempt), keys.draining(worker), keys.epoch()),
        (_checked(token), worker, life, _number(attempt), *_ttls(), fields.dump_leg(leg)),
        read,
    )


def finish(keys: Keys, attempt: AttemptRef, *, token: str, end: End, leg: Leg | None = None) -> Call[FinishReply]:
    """Record how the attempt ended. A bare task that was stopped has not ended: it is RELEASED.

    Redis sets `end.at`. `end.worker` becomes the owner of the claim if that has to be made again.
    """
    of_run = _of_run(keys, attempt)

    def read(reply: Any) -> FinishReply:
        match reply:
            case [code, *end] if code in set(FinishCode):
                return FinishReply(FinishCode(code), fields.load_end(of_run[0], end[0]) if end else None)
            case _:
                raise UnexpectedReplyError("finish", reply)

    return Call(
        script("finish"),
        (*of_run, keys.cancel_request(attempt.job_id), keys.epoch()),
        (
            _checked(token),
            end.worker,
            _number(attempt),
            fields.retention_ms(),
            end.outcome.value,
            fields.dump_details(end),
            int(end.outcome is Outcome.CANCELLED and not end.files_left),
            fields.dump_leg(leg),
        ),
        read,
    )


def end_leg(
    keys: Keys, attempt: AttemptRef, *, token: str, following: Leg, found: Findings, leg: Leg | None = None
) -> Call[LegCode]:
    """End this leg of the attempt: the operator sends the `following` one to its queue.

    `found` is what the attempt has found so far, in all its legs.
    """

    def read(reply: Any) -> LegCode:
        match reply:
            case [code] if code in set(LegCode):
                return LegCode(code)
            case _:
                raise UnexpectedReplyError("end_leg", reply)

    legs = (fields.dump_leg(leg), fields.dump_leg(following, token))
    arguments = (_checked(token), _number(attempt), *legs, fields.dump_findings(found))
    return Call(script("end_leg"), _of_run(keys, attempt), arguments, read)


def register_worker(keys: Keys, *, node: str, queues: tuple[str, ...], announced: str = "") -> Call[str]:
    """Register a worker that consumes those queues; to be repeated within `config.settings.WORKER_TTL_SECONDS`.

    `announced` is the digest of its announcement.

    Returns the id of the epoch, which changes when Redis may have lost data; empty until an operator has opened one.
    """
    registration = {"queues": queues, "announced": announced}
    return Call(
        script("register_worker"),
        (keys.worker(node), keys.workers(), keys.draining(node), keys.epoch()),
        (node, fields.milliseconds(config.settings.WORKER_TTL_SECONDS), json.dumps(registration)),
        lambda reply: reply if isinstance(reply, str) else "",
    )


def report_folders(keys: Keys, install_id: str, owners: Sequence[AttemptRef]) -> Call[None]:
    """Report that folders of these jobs of that install exist, each with the newest attempt that has begun in it."""
    reports = [text for owner in owners for text in (owner.job_id, json.dumps(codec.encode(owner)))]
    ttl_ms = fields.milliseconds(_REPORT_SECONDS)
    return Call(script("report_folders"), (keys.folders(install_id),), (ttl_ms, *reports), _nothing)


def announce(keys: Keys, text: str) -> Call[None]:
    """Keep an announcement of models (`contract.announcement`) under its digest."""
    return Call(script("announce"), (keys.models(announcement.digest(text)),), (_ANNOUNCED_MS, text), _nothing)


def report_check(keys: Keys, job: JobRef, found: Checked) -> Call[None]:
    """Report the result of a preflight of the job."""
    checked = keys.checked(job.install_id)
    return Call(script("report_check"), (checked,), (_CHECKED_MS, job.uid, found.to_text()), _nothing)


def unregister_worker(keys: Keys, node: str) -> Call[None]:
    """Remove the registration of a worker that has shut down."""
    return Call(
        script("unregister_worker"), (keys.worker(node), keys.workers(), keys.draining(node)), (node,), _nothing
    )


def start_draining(keys: Keys, node: str, life: str, seconds: float) -> Call[None]:
    """Announce that this worker accepts no more messages, and gives up running attempts after `seconds`.

    `life` distinguishes this process from earlier and later ones of the same node name.
    """
    after_ms = fields.milliseconds(seconds)
    return Call(
        script("start_draining"),
        (keys.draining(node),),
        (life, after_ms, after_ms + fields.milliseconds(config.settings.WORKER_TTL_SECONDS)),
        _nothing,
    )


def mark_cleaned(keys: Keys, job_id: str) -> Call[None]:
    """Note that the job's files are deleted, as the operator ordered. Without effect for a job without a record."""
    return Call(script("mark_cleaned"), (keys.job(job_id),), (), _nothing)


def _nothing(_reply: Any) -> None:
    return None


def _of_run(keys: Keys, attempt: AttemptRef) -> tuple[str, ...]:
    bare, job = attempt.bare_id, attempt.job_id
    own = (keys.task(bare), keys.alive(bare)) if attempt.is_bare else (keys.job(job), keys.alive(job))
    return *own, keys.cancel(job)


def _ttls() -> tuple[int, int]:
    return fields.retention_ms(), fields.milliseconds(config.settings.ALIVE_TTL_SECONDS)


def _number(attempt: AttemptRef) -> str:
    return "" if attempt.is_bare else str(attempt.number)
