"""What the operator reads: jobs, its index of records, and the workers that are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from reconstruction_operator.api.identity import TaskId, check_job_id
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.records import ObservedJob, Record
from reconstruction_operator.state import scripts, stored
from reconstruction_operator.state.calls import Call
from reconstruction_operator.state.errors import UnexpectedReplyError
from reconstruction_operator.state.replies import Observed, WorkerInfo

FOLDERS_BATCH: Final = 1_000
OBSERVE_BATCH: Final = 500  # jobs in one `observe`: about 5 ms in which Redis answers nobody else
_MAX_WORKERS: Final = 10_000
_SKEW: Final = timedelta(days=1)  # by which a time may be ahead of Redis's clock, which may have been set back
_MAX_NAMES: Final = 100  # queues, or models, of one worker


def observe(keys: Keys, jobs: Sequence[tuple[str, TaskId]]) -> Call[Observed]:
    """One snapshot of those jobs (job id, attempt), in their order. Callers ask for `OBSERVE_BATCH` at most at once."""
    names = tuple(
        (
            keys.record(job_id),
            keys.claim(str(task)),
            keys.alive(str(task)),
            keys.end(str(task)),
            keys.stop(str(task)),
            keys.cancel_request(job_id),
            keys.cancel(job_id),
            keys.cleaned(job_id),
        )
        for job_id, task in jobs
    )

    def read(reply: Any) -> Observed:
        match reply:
            case [str() as now, *values] if len(values) == len(names):
                at = stored.moment(int(now))
                return Observed(
                    at,
                    tuple(
                        _job(keys_of_job, said, task.attempt, at)
                        for keys_of_job, said, (_, task) in zip(names, values, jobs, strict=True)
                    ),
                )
            case _:
                raise UnexpectedReplyError("observe", reply)

    flat = tuple(key for group in names for key in group)
    return Call(scripts.OBSERVE, flat, (stored.MAX_VALUE_BYTES,), read)


def _job(names: tuple[str, ...], values: list[Any], attempt: int, now: datetime) -> ObservedJob:
    record, claim, alive, end, stop, requested, confirmed, cleaned, ttl_ms = values
    claimed = stored.load(names[1], claim, stored.parse_claim)
    token = stored.load(names[2], alive, stored.parse_token)
    ended = stored.load(names[3], end, stored.parse_end)
    return ObservedJob(
        record=_believed(stored.load(names[0], record, stored.parse_record), attempt, now),
        # What has happened has happened by now.
        claim=claimed and replace(claimed, at=min(claimed.at, now)),
        alive=claimed is not None and token == claimed.token,
        end=ended and replace(ended, at=min(ended.at or now, now)),
        stop=stored.load(names[4], stop, stored.parse_stop),
        # As the job manager and the scripts see it: a flag is set if its key is there, whatever it holds.
        requested=requested is not None,
        confirmed=confirmed is not None,
        flag_ttl_seconds=ttl_ms / 1000 if ttl_ms >= 0 else None,
        cleaned=cleaned is not None,
    )


def _believed(record: Record | None, attempt: int, now: datetime) -> Record | None:
    """The record as `put_record` takes it: none that is absurdly far ahead, and no message that is still to be sent."""
    if record is None or record.attempt > attempt + stored.MAX_AHEAD:
        return None
    if record.sent_at is not None and record.sent_at > now + _SKEW:
        return replace(record, sent_at=None)
    return record


def list_records(keys: Keys, install_id: str) -> Call[tuple[str, ...]]:
    """Ids of the jobs that have a record of this install, sorted."""

    def read(reply: Any) -> tuple[str, ...]:
        return tuple(sorted(one for one in reply if _is_job_id(one)))

    return Call(scripts.LIST_RECORDS, (keys.records(install_id),), (), read)


def list_folders(keys: Keys, install_id: str) -> Call[Mapping[str, Record]]:
    """Some of the job folders that workers have reported, by job id, as the records that they might have.

    A report that cannot be understood is there, too, as a record of no install: it is nobody's, and to be dropped.
    """
    key = keys.folders(install_id)
    nobody = Record("", "", "", 1, "")

    def read(reply: Any) -> Mapping[str, Record]:
        pairs = zip(reply[::2], reply[1::2], strict=True)
        return {
            job_id: (stored.load(key, text, stored.parse_record) if _is_job_id(job_id) else None) or nobody
            for job_id, text in pairs
        }

    return Call(scripts.LIST_FOLDERS, (key,), (FOLDERS_BATCH, stored.MAX_VALUE_BYTES), read)


def live_workers(keys: Keys) -> Call[tuple[WorkerInfo, ...]]:
    """Workers that take messages, by name: registered within their TTL, and not about to shut down."""
    # The node names are in Redis alone, so the script is given what their keys begin with.
    worker, draining = (key("x").removesuffix("x") for key in (keys.worker, keys.draining))

    def read(reply: Any) -> tuple[WorkerInfo, ...]:
        found = (
            stored.load(f"{worker}{node}", text, lambda data, node=node: _worker(node, data))  # type: ignore[misc]  # mypy infers no lambda with a default
            for node, text in zip(reply[::2], reply[1::2], strict=True)
        )
        return tuple(sorted((one for one in found if one is not None), key=lambda one: one.node))

    return Call(scripts.LIVE_WORKERS, (keys.workers(),), (worker, draining, _MAX_WORKERS, stored.MAX_VALUE_BYTES), read)


def with_heartbeat(keys: Keys, tasks: Sequence[TaskId]) -> Call[tuple[bool, ...]]:
    """Whether each of those attempts has a heartbeat, whosever it is."""

    def read(reply: Any) -> tuple[bool, ...]:
        if not isinstance(reply, list) or len(reply) != len(tasks):
            raise UnexpectedReplyError("present", reply)
        return tuple(one == 1 for one in reply)

    return Call(scripts.PRESENT, tuple(keys.alive(str(task)) for task in tasks), (), read)


def _worker(node: str, data: Mapping[str, Any]) -> WorkerInfo:
    concurrency = data.get("concurrency")
    version = data.get("version")
    return WorkerInfo(
        node=stored.plain(node),
        queues=_names(data.get("queues")),
        models=_names(data.get("models")),
        version=stored.plain(version) if isinstance(version, str) else "",
        concurrency=concurrency if type(concurrency) is int and concurrency > 0 else 1,
    )


def _names(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    return tuple(stored.plain(one) for one in items[:_MAX_NAMES] if isinstance(one, str))


def _is_job_id(text: object) -> bool:
    try:
        check_job_id(text)
    except ValueError:
        return False
    return True
