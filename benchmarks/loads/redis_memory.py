"""Redis memory: bytes of a finished job by kind of key, and of many jobs a day after a week."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import redis
from reconstruction_operator import config
from reconstruction_operator.api.identity import TaskId
from reconstruction_operator.broker.dispatch import Dispatcher, Message
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import calls, operator_calls

from benchmarks.report import Figures
from benchmarks.systems import CONCURRENCY
from devcluster import Redis
from devcluster.harness.product import Product
from devcluster.waiting import wait_until

_INSTALL = "bench"
_RESULT = "celery-task-meta"
_A_DAY = 100_000
_DAYS = 7
_DAY_SECONDS = 86_400
_MIB = 1024 * 1024
_SECONDS = 600.0  # timeout, on the slowest machine


def redis_memory(jobs: int = 200) -> Figures:
    """Run `jobs` jobs on a worker without an operator, and count the bytes of each kind of key by `MEMORY USAGE`."""
    with Redis() as server, Product(server, settings={"PLACEHOLDER_STEP_SECONDS": "0"}) as product:
        product.start_worker(concurrency=CONCURRENCY)
        product.wait_registered()
        with redis.Redis.from_url(server.url(1), decode_responses=True) as state:
            _run(state, server.url(0), jobs)
            found = dict(_sizes(state))
        with redis.Redis.from_url(server.url(0), decode_responses=True) as results:
            found |= dict(_sizes(results))
        return memory_figures({kind: size / jobs for kind, size in found.items() if kind in _KINDS})


_KINDS = ("job", "claim", "end", "records", _RESULT)


def memory_figures(bytes_by_kind: Mapping[str, float]) -> Figures:
    """Return the bytes of a finished job, and the MiB of 100,000 jobs a day with the default TTL of each kind of key.

    Record and index live as long as the object. All keys but the result are deleted with it.
    """
    settings = config.Settings()
    days = {
        **dict.fromkeys(("claim", "end"), settings.PROTOCOL_RETENTION_SECONDS / _DAY_SECONDS),
        _RESULT: settings.RESULT_EXPIRES_SECONDS / _DAY_SECONDS,
    }
    week = {kind: size * _A_DAY * min(_DAYS, days.get(kind, _DAYS)) for kind, size in bytes_by_kind.items()}
    total = sum(bytes_by_kind.values())
    return {
        "a finished job, bytes": total,
        "a finished job without its result, bytes": total - bytes_by_kind.get(_RESULT, 0.0),
        **{f"keys of a finished job, bytes: {kind}": size for kind, size in bytes_by_kind.items()},
        "100,000 jobs a day after a week, MiB": sum(week.values()) / _MIB,
        "the same with objects deleted after a day, MiB": total * _A_DAY / _MIB,
    }


def _run(state: redis.Redis, broker_url: str, jobs: int) -> None:
    """Send the jobs as the operator does, and wait until all have ended."""
    uids = [str(uuid.uuid4()) for _ in range(jobs)]
    before = config.settings
    config.use(replace(before, CELERY_BROKER_URL=broker_url))
    dispatcher, messages = Dispatcher(), []
    config.use(before)
    for number, uid in enumerate(uids):
        where: dict[str, Any] = {"namespace": "default", "name": f"job-{number}", "attempt": 1, "queue": "celery"}
        calls.run(state, operator_calls.put_record(Keys(), fence=1, install_id=_INSTALL, job_id=uid, **where))
        envelope = Envelope(install_id=_INSTALL, **where)
        messages.append(Message(uid, str(TaskId(uid, 1)), "celery", "placeholder", envelope))
    dispatcher.send(messages)
    dispatcher.close()
    ends = [Keys().end(str(TaskId(uid, 1))) for uid in uids]
    wait_until(lambda: state.exists(*ends) == jobs, f"{jobs} jobs to end", timeout_seconds=_SECONDS)


def _sizes(client: redis.Redis) -> Iterator[tuple[str, float]]:
    """Yield kind and bytes; the kind is the part before the first colon, or Celery's name for results."""
    found: dict[str, float] = {}
    for key in client.scan_iter(count=1_000):
        kind = _RESULT if key.startswith(_RESULT) else key.partition(":")[0]
        found[kind] = found.get(kind, 0.0) + float(client.memory_usage(key, samples=0) or 0)
    yield from found.items()
