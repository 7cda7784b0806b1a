"""Result backend: Celery's own for Redis, whose progress is sent once and replaces no end of a task.

Progress may come late, from a connection that hung: after an end, clients would wait for one that never comes. Celery
checks only for the state SUCCESS, and not in one step. While Redis is unavailable, Celery retries
(`result_backend_always_retry`), which is right for ends alone.

If Redis refuses an end, because it is full or a replica, that end is lost, as with Redis's data. Celery would raise
from the task's tracer. A pool of threads and the solo pool would then count the task as running for ever: a worker
without a free slot never consumes again.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Final

import redis
from celery import states
from celery.app import backends
from celery.backends import redis as celery_redis

from reconstruction_operator.state.calls import Call, Script, run

PROGRESS: Final = "PROGRESS"

logger = logging.getLogger(__name__)

_REPORT: Final = Script.of(
    "report",
    """-- Store and publish a task's progress, unless the task has ended: the states of ends are given. Returns nothing.
local key, ttl_s, ends, report = KEYS[1], ARGV[1], cjson.decode(ARGV[2]), ARGV[3]
local held = redis.pcall('GET', key)
if type(held) == 'string' then
  local ok, state = pcall(cjson.decode, held)
  for _, ended in ipairs(ends) do
    if ok and type(state) == 'table' and state.status == ended then return false end
  end
end
if tonumber(ttl_s) > 0 then redis.call('SETEX', key, ttl_s, report) else redis.call('SET', key, report) end
redis.call('PUBLISH', key, report)
return false
""",
)
_ENDS: Final = json.dumps(sorted(states.READY_STATES))


class Reporting:
    """Mixin for both of Celery's Redis backends."""

    expires: int | None
    client: redis.Redis

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **options: Any
    ) -> Any:
        """Store a state as Celery does, and log an end that Redis refuses.

        Raises RedisError at once if progress cannot be stored.
        """
        celery: Any = super()  # the Celery class beside this one
        if state != PROGRESS:
            try:
                return celery.store_result(task_id, result, state, traceback=traceback, request=request, **options)
            except redis.ResponseError as refusal:
                logger.warning("the end of task %s (%s) is lost: Redis refused: %s", task_id, state, refusal)
                return result
        meta = celery._get_result_meta(result=result, state=state, traceback=traceback, request=request)  # noqa: SLF001
        key = celery.get_key_for_task(task_id)
        text = celery.encode(meta | {"task_id": task_id})
        run(self.client, Call(_REPORT, (key,), (int(self.expires or 0), _ENDS, text), lambda _reply: None))
        return result


class ReportingBackend(Reporting, celery_redis.RedisBackend):  # type: ignore[misc]  # Celery has no types
    """For `redis://`, `rediss://` and `redis+socket://`."""


class ReportingSentinelBackend(Reporting, celery_redis.SentinelBackend):  # type: ignore[misc]
    """For `sentinel://`."""


def install() -> None:
    """Make Celery use these backends in this process, for the same schemes of addresses."""
    plain, sentinel = (f"{__name__}:{name.__name__}" for name in (ReportingBackend, ReportingSentinelBackend))
    backends.BACKEND_ALIASES.update(redis=plain, rediss=plain, sentinel=sentinel)
