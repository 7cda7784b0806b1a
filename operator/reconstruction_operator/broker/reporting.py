"""Reporting backend: Celery's Redis result backend, with fewer commands.

Celery asks Redis for the old state of a task, then stores and publishes the new one in a transaction. Here one script does all that,
and for several reports of progress at once.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any, Final

import redis
from celery import states
from celery.app import backends
from celery.backends import redis as celery_redis

from reconstruction_operator.state.calls import Call, Script, run

PROGRESS: Final = "PROGRESS"

# As in Celery, nothing replaces the state SUCCESS: a report may come late, from a run that was superseded. Progress, which may come
# late from a connection that hung, replaces no other end either: clients would wait for one that never comes.
_REPORT: Final = Script.of(
    "report",
    """-- Publish a task's reports in turn, and keep the last one, unless one of the given states is held. Answers nothing.
local key, ttl_s, kept = KEYS[1], ARGV[1], cjson.decode(ARGV[2])
local held = redis.pcall('GET', key)
if type(held) == 'string' then
  local ok, state = pcall(cjson.decode, held)
  for _, one in ipairs(kept) do
    if ok and type(state) == 'table' and state.status == one then return false end
  end
end
if tonumber(ttl_s) > 0 then redis.call('SETEX', key, ttl_s, ARGV[#ARGV]) else redis.call('SET', key, ARGV[#ARGV]) end
for index = 3, #ARGV do redis.call('PUBLISH', key, ARGV[index]) end
return false
""",
)
_KEPT_FROM_ENDS: Final = json.dumps([states.SUCCESS])
_KEPT_FROM_PROGRESS: Final = json.dumps(sorted(states.READY_STATES))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Pending(threading.local):
    """The reports of this thread that wait for the end of its `together`, by key; None: outside of one."""

    reports: dict[str, list[str]] | None = None


class Reporting:
    """Mixed into either of Celery's backends for Redis."""

    always_retry: bool

    expires: int
    failure_expires: int
    client: redis.Redis

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pending = _Pending()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Send the reports that this thread makes in the block at its end. Raises RedisError then, and sends none if the block raises."""
        reports: dict[str, list[str]] = {}
        self._pending.reports = reports
        try:
            yield
        finally:
            self._pending.reports = None
        for key, texts in reports.items():
            self._send(key, self.expires, texts, _KEPT_FROM_PROGRESS)

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        """Overrides Celery's, which this follows but for the commands."""
        its: Any = self  # what the other class gives
        meta = its._get_result_meta(result=result, state=state, traceback=traceback, request=request)  # noqa: SLF001
        text = _text(its.encode(meta | {"task_id": _text(task_id)}))
        key = _text(its.get_key_for_task(task_id))
        reports = self._pending.reports
        if state == PROGRESS and reports is not None:
            reports.setdefault(key, []).append(text)
        else:
            expires = self.failure_expires if state == states.FAILURE else self.expires
            kept = _KEPT_FROM_PROGRESS if state == PROGRESS else _KEPT_FROM_ENDS
            its.ensure(self._send, (key, expires, [text], kept))  # it retries after a lost connection
        return result

    def _send(self, key: str, expires: int | None, texts: list[str], kept: str) -> None:
        run(self.client, Call(_REPORT, (key,), (int(expires or 0), kept, *texts), lambda _reply: None))


class ReportingBackend(Reporting, celery_redis.RedisBackend):  # type: ignore[misc]  # Celery has no types
    """For `redis://`, `rediss://` and `redis+socket://`."""


class ReportingSentinelBackend(Reporting, celery_redis.SentinelBackend):  # type: ignore[misc]
    """For `sentinel://`."""


def install() -> None:
    """Make Celery use these backends in this process, for the same schemes of addresses."""
    plain, sentinel = (f"{__name__}:{name.__name__}" for name in (ReportingBackend, ReportingSentinelBackend))
    backends.BACKEND_ALIASES.update(redis=plain, rediss=plain, sentinel=sentinel)
