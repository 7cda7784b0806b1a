"""Reporting backend: Celery's Redis result backend, with fewer commands.

Celery asks Redis for the old state of a task, then stores and publishes the new one in a transaction. Here one script does all that.
If several reports of progress wait to be sent together, only the last one is sent: each replaces the previous one, and each message would
wake the operator.
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
    """-- Store and publish a task's report, unless one of the given states is held. Returns nothing.
local key, ttl_s, kept, report = KEYS[1], ARGV[1], cjson.decode(ARGV[2]), ARGV[3]
local held = redis.pcall('GET', key)
if type(held) == 'string' then
  local ok, state = pcall(cjson.decode, held)
  for _, one in ipairs(kept) do
    if ok and type(state) == 'table' and state.status == one then return false end
  end
end
if tonumber(ttl_s) > 0 then redis.call('SETEX', key, ttl_s, report) else redis.call('SET', key, report) end
redis.call('PUBLISH', key, report)
return false
""",
)
_KEPT_FROM_ENDS: Final = json.dumps([states.SUCCESS])
_KEPT_FROM_PROGRESS: Final = json.dumps(sorted(states.READY_STATES))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class _Pending(threading.local):
    """The newest report of each task that waits for the end of this thread's `together` block; None outside of one.

    Stored as the arguments of `_encoded`, since most reports are replaced before they are sent.
    """

    reports: dict[str, tuple[Any, ...]] | None = None


class Reporting:
    """Mixin for both of Celery's Redis backends."""

    always_retry: bool

    expires: int
    failure_expires: int
    client: redis.Redis

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pending = _Pending()

    @contextlib.contextmanager
    def together(self, *, over: bool = False) -> Iterator[None]:
        """At the end of the block, send the last report that this thread has made in it for each task.

        Raises RedisError if Redis is unreachable. Sends nothing if the block raises, or if the tasks are finished (`over`): each progress would be
        replaced by its task's end in a moment.
        """
        reports: dict[str, tuple[Any, ...]] = {}
        self._pending.reports = reports
        try:
            yield
        finally:
            self._pending.reports = None
        for report in () if over else reports.values():
            self._send(*self._encoded(*report), self.expires, _KEPT_FROM_PROGRESS)

    def _store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **_: Any
    ) -> Any:
        """Store a result, as Celery does, with fewer commands."""
        report = (task_id, result, state, traceback, request)
        reports = self._pending.reports
        if state == PROGRESS and reports is not None:
            reports[task_id] = report
        else:
            expires = self.failure_expires if state == states.FAILURE else self.expires
            kept = _KEPT_FROM_PROGRESS if state == PROGRESS else _KEPT_FROM_ENDS
            its: Any = self
            its.ensure(self._send, (*self._encoded(*report), expires, kept))  # it retries after a lost connection
        return result

    def _encoded(self, task_id: str, result: Any, state: str, traceback: Any, request: Any) -> tuple[str, str]:
        """Return key and text of a report."""
        its: Any = self  # an attribute of the Celery class beside this one
        meta = its._get_result_meta(result=result, state=state, traceback=traceback, request=request)  # noqa: SLF001
        return _text(its.get_key_for_task(task_id)), _text(its.encode(meta | {"task_id": _text(task_id)}))

    def _send(self, key: str, text: str, expires: int | None, kept: str) -> None:
        run(self.client, Call(_REPORT, (key,), (int(expires or 0), kept, text), lambda _reply: None))


class ReportingBackend(Reporting, celery_redis.RedisBackend):  # type: ignore[misc]  # Celery has no types
    """For `redis://`, `rediss://` and `redis+socket://`."""


class ReportingSentinelBackend(Reporting, celery_redis.SentinelBackend):  # type: ignore[misc]
    """For `sentinel://`."""


def install() -> None:
    """Make Celery use these backends in this process, for the same schemes of addresses."""
    plain, sentinel = (f"{__name__}:{name.__name__}" for name in (ReportingBackend, ReportingSentinelBackend))
    backends.BACKEND_ALIASES.update(redis=plain, rediss=plain, sentinel=sentinel)
