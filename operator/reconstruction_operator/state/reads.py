"""Reads of the job state: jobs, the index of records, reported folders, and live workers."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from reconstruction_operator.api.identity import AttemptRef, JobRef, check_job_id
from reconstruction_operator.contract import announcement
from reconstruction_operator.contract.announcement import ModelInfo
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob, Record
from reconstruction_operator.state import fields
from reconstruction_operator.state.calls import Call, UnexpectedReplyError, script
from reconstruction_operator.state.replies import Observed, WorkerInfo
from reconstruction_operator.state.timeline import LookCounts

FOLDERS_BATCH: Final = 1_000
OBSERVE_BATCH: Final = 500  # jobs in one `observe`: 5 to 10 ms in which Redis serves no other client
_MAX_WORKERS: Final = 10_000
_NO_KEY: Final = -2  # PTTL's reply for a missing key
_SKEW: Final = timedelta(days=1)  # how far a time may be ahead of Redis's clock, which may have been set back
_MAX_NAMES: Final = 1_000  # queues or models of one worker; those beyond the limit are ignored


def observe(keys: Keys, jobs: Sequence[tuple[str, int | None]]) -> Call[Observed]:
    """Return one snapshot of those jobs, in their order: at most `OBSERVE_BATCH` in one call.

    Each is a job id and the attempt whose claim, stop and end are asked for; None: the wanted one.
    """
    names = tuple(
        (keys.job(job_id), keys.alive(job_id), keys.cancel_request(job_id), keys.cancel(job_id)) for job_id, _ in jobs
    )

    def read(reply: Any) -> Observed:
        match reply:
            case [str() as now, [epoch, before, after], *values] if len(values) == len(names):
                at = fields.moment(int(now))
                return Observed(
                    at,
                    LookCounts(int(before), int(after)),
                    tuple(
                        _job(keys_of_job[0], asked, values_of_job, epoch, at)
                        for keys_of_job, values_of_job, asked in zip(names, values, jobs, strict=True)
                    ),
                )
            case _:
                raise UnexpectedReplyError("observe", reply)

    flat = (*(key for group in names for key in group), keys.epoch())
    return Call(script("observe"), flat, (fields.MAX_VALUE_BYTES,), read)


def _job(key: str, asked: tuple[str, int | None], values: list[Any], epoch: str, now: datetime) -> ObservedJob:
    job_id, attempt = asked
    texts, token, request_ttl_ms, cancel_ttl_ms = values
    job = fields.load_job(key, texts)
    wanted = fields.attempt_of(job)
    is_asked = wanted is not None and attempt in (wanted, None)
    claimed = fields.parse_claim(job, now) if is_asked else None
    heard = claimed is None or claimed.epoch in ("", epoch)
    # A flag is set if its key exists, whatever it holds, as for the job manager and the scripts. TTLs as PTTL returns
    # them.
    requested, confirmed = request_ttl_ms != _NO_KEY, cancel_ttl_ms != _NO_KEY
    ttl_ms = cancel_ttl_ms if confirmed else request_ttl_ms
    return ObservedJob(
        record=_believed(fields.parse_record(job_id, job), attempt, now),
        claim=claimed,
        alive=claimed is not None and token == claimed.token and heard,
        heard=heard,
        end=fields.parse_end(job, key, now) if is_asked else None,
        stop=fields.parse_stop(job["stop"]) if is_asked else None,
        requested=requested,
        confirmed=confirmed,
        flag_ttl_seconds=ttl_ms / 1000 if ttl_ms >= 0 else None,
    )


def _believed(record: Record | None, attempt: int | None, now: datetime) -> Record | None:
    """Return the record as `put_record` accepts it: not absurdly far ahead, and without a send time in the future."""
    if record is None or (attempt is not None and record.attempt.number > attempt + fields.MAX_AHEAD):
        return None
    if record.sent_at is not None and record.sent_at > now + _SKEW:
        return replace(record, sent_at=None)
    return record


def list_records(keys: Keys, install_id: str, known: Container[str] = frozenset()) -> Call[tuple[str, ...]]:
    """Return the ids of the jobs that have a record of this install, sorted. `known` ids are not checked again."""

    def read(reply: Any) -> tuple[str, ...]:
        return tuple(sorted(name for name in reply if name in known or _is_job_id(name)))

    return Call(script("list_records"), (keys.records(install_id),), (), read)


def list_folders(keys: Keys, install_id: str) -> Call[Mapping[str, AttemptRef]]:
    """Return some of the job folders that workers have reported, by job id: the newest attempt that has begun there.

    A malformed report becomes an attempt without an install, so that it is dropped.
    """
    key = keys.folders(install_id)
    malformed = AttemptRef(JobRef.bare(""), 1)

    def read(reply: Any) -> Mapping[str, AttemptRef]:
        pairs = zip(reply[::2], reply[1::2], strict=True)
        return {
            job_id: (fields.load_json(key, text, partial(_reported, job_id)) if _is_job_id(job_id) else None)
            or malformed
            for job_id, text in pairs
        }

    return Call(script("list_folders"), (key,), (FOLDERS_BATCH, fields.MAX_VALUE_BYTES), read)


def live_workers(keys: Keys) -> Call[tuple[WorkerInfo, ...]]:
    """Return the workers that accept messages, by name: registered within their TTL, and not shutting down."""
    # Only Redis knows the node names, so the script gets the prefix of their keys.
    worker, draining = (key("x").removesuffix("x") for key in (keys.worker, keys.draining))

    def read(reply: Any) -> tuple[WorkerInfo, ...]:
        workers = (
            fields.load_json(f"{worker}{node}", text, lambda data, node=node: _worker(node, data))  # type: ignore[misc]  # mypy infers no lambda with a default
            for node, text in zip(reply[::2], reply[1::2], strict=True)
        )
        return tuple(sorted((worker for worker in workers if worker is not None), key=lambda worker: worker.node))

    return Call(
        script("live_workers"), (keys.workers(),), (worker, draining, _MAX_WORKERS, fields.MAX_VALUE_BYTES), read
    )


def announcements(keys: Keys, digests: Sequence[str]) -> Call[Mapping[str, Mapping[str, ModelInfo]]]:
    """Return the announcements of models by digest, without those that are missing or malformed."""
    names = tuple(keys.models(digest) for digest in digests)

    def read(reply: Any) -> Mapping[str, Mapping[str, ModelInfo]]:
        if not isinstance(reply, list) or len(reply) != len(digests):
            raise UnexpectedReplyError("announcements", reply)
        models = {}
        for digest, text in zip(digests, reply, strict=True):
            if not text or announcement.digest(text) != digest:
                continue
            with contextlib.suppress(ValueError, RecursionError):  # any client of Redis may have written it
                models[digest] = announcement.from_text(text)
        return models

    return Call(script("read_texts"), names, (fields.MAX_VALUE_BYTES,), read)


def with_heartbeat(keys: Keys, job_ids: Sequence[str]) -> Call[tuple[bool, ...]]:
    """Return for each of those jobs whether its wanted attempt has a heartbeat, of any delivery."""

    def read(reply: Any) -> tuple[bool, ...]:
        if not isinstance(reply, list) or len(reply) != len(job_ids):
            raise UnexpectedReplyError("with_heartbeat", reply)
        return tuple(bool(token) for token in reply)

    return Call(script("read_texts"), tuple(map(keys.alive, job_ids)), (fields.MAX_VALUE_BYTES,), read)


def _reported(job_id: str, data: Mapping[str, Any]) -> AttemptRef | None:
    attempt = AttemptRef.from_json(data)
    if attempt.job_id != job_id:
        return None
    job = attempt.job
    place = {"install_id": job.install_id, "namespace": job.namespace, "name": job.name}
    given = {"attempt": str(attempt.number), "queue": attempt.queue, **place}
    record = fields.parse_record(job_id, dict.fromkeys(fields.JOB_FIELDS) | given)
    return None if record is None else record.attempt


def _worker(node: str, data: Mapping[str, Any]) -> WorkerInfo:
    return WorkerInfo(
        node=fields.plain(node),
        queues=_names(data.get("queues")),
        announced=str(data["announced"]) if announcement.is_digest(data.get("announced")) else "",
    )


def _names(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    return tuple(fields.plain(item) for item in items[:_MAX_NAMES] if isinstance(item, str))


def _is_job_id(text: object) -> bool:
    try:
        check_job_id(text)
    except ValueError:
        return False
    return True
