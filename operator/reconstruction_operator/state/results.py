"""Celery's results (DB 0), as the operator reads them: progress for display. They never decide an end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError

from reconstruction_operator import config
from reconstruction_operator.contract.records import ProgressReport
from reconstruction_operator.contract.steps import STEP_COUNT
from reconstruction_operator.state import fields
from reconstruction_operator.state.calls import Call, arun, script

_RESULT: Final = "celery-task-meta-"  # Celery's own prefix of key and channel
_POLL_SECONDS: Final = 1.0  # a cancelled subscription ends within this time; silence is counted in its multiples
_SILENCE_SECONDS: Final = 10.0
_MOST_SECONDS: Final = 1e9  # the longest time left that a run may report
_RETRY_SECONDS: Final = 1.0  # between two tries to subscribe

_logger = logging.getLogger(__name__)


def result_key(task_id: str) -> str:
    """Return the key under which, and the channel on which, Celery publishes a task's state."""
    prefix = config.settings.REDIS_KEY_PREFIX
    if prefix and prefix[-1] not in ":_-.":
        prefix += "_"  # Celery's result backend adds the prefix; kombu does not
    return f"{prefix}{_RESULT}{task_id}"


async def read(client: redis.asyncio.Redis, task_ids: Sequence[str]) -> dict[str, ProgressReport]:
    """Return the newest progress of those tasks, without tasks that report none and without malformed results.

    Raises RedisError if Redis is unreachable.
    """
    if not task_ids:
        return {}
    keys = [result_key(task_id) for task_id in task_ids]
    values = await arun(client, Call(script("read_texts"), tuple(keys), (fields.MAX_VALUE_BYTES,), tuple))
    reports = {
        task_id: fields.load_json(key, value, _parse)
        for task_id, key, value in zip(task_ids, keys, values, strict=True)
    }
    return {task_id: report for task_id, report in reports.items() if report is not None}


async def subscribe(
    client: redis.asyncio.Redis, *, silence_seconds: float = _SILENCE_SECONDS
) -> AsyncGenerator[str | None, None]:
    """Yield the ids of tasks whose state has changed.

    None, first and after every lost connection: earlier messages are lost. After `silence_seconds` without a message
    the connection must answer a ping.

    Retries while Redis is unreachable, never raises, and ends only when it is closed or cancelled.
    """
    while True:
        pubsub = client.pubsub()
        try:
            await pubsub.psubscribe(result_key("*"))
            async for message in _listen(pubsub, silence_seconds):
                yield message
        except (RedisError, OSError) as error:
            _logger.warning("Lost the subscription to task states (%s); retrying", error)
        finally:
            await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py has not annotated it
        await asyncio.sleep(_RETRY_SECONDS)


async def _listen(pubsub: redis.asyncio.client.PubSub, most_silent_seconds: float) -> AsyncIterator[str | None]:
    """Yield the messages of one connection. Raises RedisError if it is lost or a ping gets no reply."""
    head = result_key("")
    silent_seconds = 0.0
    asked = False
    while True:
        message = await pubsub.get_message(timeout=_POLL_SECONDS)
        if message is None:
            silent_seconds += _POLL_SECONDS
            if silent_seconds >= most_silent_seconds:
                if asked:
                    raise redis.ConnectionError(f"no reply for {silent_seconds:.0f} s")
                await pubsub.ping()
                asked, silent_seconds = True, 0.0
            continue
        asked, silent_seconds = False, 0.0
        match message:
            case {"type": "psubscribe"}:  # also when redis-py has reconnected by itself
                yield None
            case {"type": "pmessage", "channel": str() as channel} if channel.startswith(head):
                yield channel.removeprefix(head)
            case _:
                pass


def _parse(data: Mapping[str, Any]) -> ProgressReport | None:
    meta = data.get("result")
    if data.get("status") != "PROGRESS" or not isinstance(meta, Mapping):
        return None
    index = meta.get("stepIndex")
    return ProgressReport(
        percent=_number(meta, "progress", 100.0) or 0.0,
        step=fields.text_of(meta, "step"),
        step_index=index if type(index) is int and 0 <= index <= STEP_COUNT else 0,
        fraction=_number(meta, "fraction", 1.0) or 0.0,
        started_at=_time(meta, "startedAt"),
        at=_time(meta, "at"),
        message=fields.text_of(meta, "message", fields.MESSAGE_CHARS),
        worker=fields.text_of(meta, "worker"),
        findings=fields.findings(meta.get("findings")),
        base=_number(meta, "base", 1.0) or 0.0,
        remaining_seconds=_number(meta, "remaining", _MOST_SECONDS),
    )


def _number(meta: Mapping[str, Any], name: str, most: float) -> float | None:
    value = meta.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:  # not NaN either
        return None
    return float(min(value, most))  # in this order, since no float holds the largest whole numbers


def _time(meta: Mapping[str, Any], name: str) -> datetime | None:
    value = meta.get(name)
    if not isinstance(value, int | float):
        return None
    try:
        return fields.moment(value * 1000)
    except ValueError:
        return None
