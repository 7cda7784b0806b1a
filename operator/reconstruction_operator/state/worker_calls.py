"""What a worker says: claims, heartbeats, ends, and that it is there. Pure: each function makes a `Call`.

`attempt` is the operator's message's; None for a bare `delay()`, which has no record and only its own task id to claim.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import StopReason
from reconstruction_operator.contract.records import End, Owner
from reconstruction_operator.state import scripts, stored
from reconstruction_operator.state.calls import Call
from reconstruction_operator.state.errors import UnexpectedReplyError
from reconstruction_operator.state.operator_calls import OPERATOR_TOKEN
from reconstruction_operator.state.replies import BeatReply, ClaimReply, ClaimVerdict, FinishReply, FinishVerdict
from reconstruction_operator.state.units import milliseconds

_REPORT_SECONDS: Final = 86_400  # a report that no operator has asked for; the next epoch brings another


def _checked(token: str) -> str:
    if not 0 < len(token) <= stored.NAME_CHARS or token == OPERATOR_TOKEN:
        raise ValueError("a worker's token is a random text of its own")
    return token


def _stop(key: str, text: object) -> StopReason | None:
    return stored.load(key, text, stored.parse_stop)


def claim(keys: Keys, *, task_id: str, job_id: str, attempt: int | None, token: str, worker: str) -> Call[ClaimReply]:
    """Ask whether this delivery may run. The claim is given once, ever; asking again with its token is CLAIMED again.

    `token` is random for each delivery; `worker` is the node's name.
    """

    def read(reply: Any) -> ClaimReply:
        match reply:
            case ["claimed", cancelled, stop]:
                return ClaimReply(ClaimVerdict.CLAIMED, cancelled == 1, _stop(keys.stop(task_id), stop))
            case [verdict] if verdict in set(ClaimVerdict):
                return ClaimReply(ClaimVerdict(verdict))
            case _:
                raise UnexpectedReplyError("claim", reply)

    return Call(
        scripts.CLAIM,
        (
            keys.claim(task_id),
            keys.alive(task_id),
            keys.end(task_id),
            keys.record(job_id),
            keys.cancel(job_id),
            keys.stop(task_id),
        ),
        (_checked(token), worker, _text(attempt), *_ttls()),
        read,
    )


def beat(
    keys: Keys, *, task_id: str, job_id: str, attempt: int | None, token: str, worker: str, life: str
) -> Call[BeatReply]:
    """Say that the attempt lives, and ask whether it may go on. `life` is as in `start_draining`.

    After an emptied Redis the claim is made again with this token, if nobody else has it and the record (which the
    operator puts back first) does not want a newer attempt.
    """

    def read(reply: Any) -> BeatReply:
        match reply:
            case [owned, cancelled, stop, drain_at]:
                return BeatReply(owned == 1, cancelled == 1, _stop(keys.stop(task_id), stop), _drain_at(drain_at))
            case _:
                raise UnexpectedReplyError("beat", reply)

    return Call(
        scripts.BEAT,
        (
            keys.claim(task_id),
            keys.alive(task_id),
            keys.end(task_id),
            keys.record(job_id),
            keys.cancel(job_id),
            keys.stop(task_id),
            keys.draining(worker),
        ),
        (_checked(token), worker, life, _text(attempt), *_ttls()),
        read,
    )


def finish(keys: Keys, *, task_id: str, job_id: str, attempt: int | None, token: str, end: End) -> Call[FinishReply]:
    """Record how the attempt ended. `end.at` is set by Redis; `end.worker` is the claim's owner in a new claim."""
    key = keys.end(task_id)

    def read(reply: Any) -> FinishReply:
        match reply:
            case [verdict, text] if verdict in set(FinishVerdict):
                return FinishReply(FinishVerdict(verdict), stored.load(key, text, stored.parse_end))
            case _:
                raise UnexpectedReplyError("finish", reply)

    return Call(
        scripts.FINISH,
        (
            keys.claim(task_id),
            keys.alive(task_id),
            key,
            keys.record(job_id),
            keys.cancel(job_id),
            keys.cancel_request(job_id),
            keys.cleaned(job_id),
        ),
        (
            _checked(token),
            end.worker,
            _text(attempt),
            milliseconds(config.settings.PROTOCOL_RETENTION_SECONDS),
            end.outcome.value,
            stored.dump_end(token, end),
        ),
        read,
    )


def register_worker(
    keys: Keys, *, node: str, queues: tuple[str, ...], models: tuple[str, ...], version: str, concurrency: int
) -> Call[str]:
    """Say that this worker takes messages of those queues; to be repeated within `config.settings.WORKER_TTL_SECONDS`.

    The answer is another one when Redis may have forgotten things meanwhile; empty until an operator has noticed.
    """
    said = {"queues": queues, "models": models, "version": version, "concurrency": concurrency}
    return Call(
        scripts.REGISTER_WORKER,
        (keys.worker(node), keys.workers(), keys.draining(node), keys.epoch()),
        (node, milliseconds(config.settings.WORKER_TTL_SECONDS), json.dumps(said)),
        lambda reply: reply if isinstance(reply, str) else "",
    )


def report_folders(keys: Keys, install_id: str, owners: Sequence[Owner]) -> Call[None]:
    """Say that there are these job folders of that install."""
    said = [
        (
            owner.job_id,
            json.dumps(
                {
                    "install_id": owner.install_id,
                    "namespace": owner.namespace,
                    "name": owner.name,
                    "attempt": owner.attempt,
                    "queue": owner.queue,
                }
            ),
        )
        for owner in owners
    ]
    return Call(
        scripts.REPORT_FOLDERS,
        (keys.folders(install_id),),
        (milliseconds(_REPORT_SECONDS), *(text for pair in said for text in pair)),
        _nothing,
    )


def unregister_worker(keys: Keys, node: str) -> Call[None]:
    """Say that this worker is gone."""
    return Call(scripts.UNREGISTER_WORKER, (keys.worker(node), keys.workers(), keys.draining(node)), (node,), _nothing)


def start_draining(keys: Keys, node: str, life: str, seconds: float) -> Call[None]:
    """Say that this worker takes no more messages, and gives up what still runs after `seconds`.

    `life` tells this process from others that have had, or will have, the same node name.
    """
    after_ms = milliseconds(seconds)
    return Call(
        scripts.START_DRAINING,
        (keys.draining(node),),
        (life, after_ms, after_ms + milliseconds(config.settings.WORKER_TTL_SECONDS)),
        _nothing,
    )


def mark_cleaned(keys: Keys, job_id: str) -> Call[None]:
    """Say that the job's files are gone, as the operator ordered; nothing is kept of a job without a record."""
    return Call(
        scripts.MARK_CLEANED,
        (keys.cleaned(job_id), keys.record(job_id)),
        (milliseconds(config.settings.PROTOCOL_RETENTION_SECONDS),),
        _nothing,
    )


def _nothing(_reply: Any) -> None:
    return None


def _ttls() -> tuple[int, int]:
    return milliseconds(config.settings.PROTOCOL_RETENTION_SECONDS), milliseconds(config.settings.ALIVE_TTL_SECONDS)


def _text(attempt: int | None) -> str:
    return "" if attempt is None else str(attempt)


def _drain_at(text: object) -> datetime | None:
    if not isinstance(text, str) or not text.isascii() or not text.isdigit():
        return None
    try:
        return stored.moment(int(text))
    except ValueError:
        return None
