"""Copies: the object in etcd and the keys in Redis of a finished job, under other names and uids, by the ten thousand.

The objects are written into etcd, through its JSON gateway: the API server would need minutes for them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import aiohttp
import redis
from reconstruction_operator.kube import paths

from benchmarks.clients import JobWatch, LoadClient, create_jobs, in_parallel
from benchmarks.systems import NAMESPACE
from devcluster import Cluster, Redis
from devcluster.harness.replicas import Replica
from devcluster.harness.system import System
from devcluster.waiting import wait_until

_REGISTRY = f"/registry/reconstruction.dev/reconstructionjobs/{NAMESPACE}"
_OBJECTS_IN_ONE_WRITE = 100  # etcd accepts 128 operations and 1.5 MiB
_KEYS_IN_ONE_WRITE = 5_000
_AGE = timedelta(days=1)  # of the copies: the operator may process a recently finished job again
_TIMES = (
    "creationTimestamp",
    "time",
    "lastTransitionTime",
    "lastUpdateTime",
    "dispatchTime",
    "startTime",
    "completionTime",
)

TEMPLATE = "template"  # name of the job to copy
_TEMPLATE_SECONDS = 300.0
_CAUGHT_UP_SECONDS = 600.0

Identity = tuple[str, str]  # name and uid


async def make_template(system: System, client: LoadClient) -> str:
    """Run the job to copy with an operator that is stopped afterwards, and return the job's uid."""
    system.start_operator()
    Replica(system).wait_ready()
    async with JobWatch(client) as watch:
        await create_jobs(client, NAMESPACE, [TEMPLATE])
        await watch.wait_finished(1, timeout_seconds=_TEMPLATE_SECONDS)
    system.processes["operator"].stop()
    uid: str = (await client.request("GET", paths.job(NAMESPACE, TEMPLATE)))["metadata"]["uid"]
    return uid


def identities(count: int) -> list[Identity]:
    """Return names and uids of `count` copies."""
    return [(f"finished-{number:06}", str(uuid.uuid4())) for number in range(count)]


async def copy_object(cluster: Cluster, copies: Sequence[Identity]) -> None:
    """Write copies of the template that are a day older."""
    url, pair = cluster.etcd
    tls = ssl.create_default_context(cafile=str(cluster.ca))
    tls.load_cert_chain(pair.certificate, pair.key)
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(ssl=tls)) as session:

        async def call(method: str, body: Any) -> Any:
            async with session.post(f"/v3/kv/{method}", json=body) as answer:
                if answer.status != 200:  # noqa: PLR2004  # OK
                    raise RuntimeError(f"etcd: {answer.status} {await answer.text()}")
                return await answer.json()

        answer = await call("range", {"key": _encoded(f"{_REGISTRY}/{TEMPLATE}")})
        original = _older(json.loads(base64.b64decode(answer["kvs"][0]["value"])))

        def write(some: Sequence[Identity]) -> Any:
            puts = [
                {"requestPut": {"key": _encoded(f"{_REGISTRY}/{its}"), "value": _copy(original, its, uid)}}
                for its, uid in some
            ]
            return lambda: call("txn", {"success": puts})

        await in_parallel(write(some) for some in _batches(copies, _OBJECTS_IN_ONE_WRITE))


async def caught_up(system: System, objects: int) -> None:
    """Wait until the operator knows more than `objects` finished jobs, and its work queue is empty."""
    replica = Replica(system)

    def known() -> bool:
        system.processes[replica.name].check()
        finished = replica.metric("reconstruction_jobs", phase="Succeeded") or 0.0
        return finished > objects and replica.metric("reconstruction_dirty_jobs") == 0

    what = f"the operator to know {objects} jobs"
    await asyncio.to_thread(wait_until, known, what, timeout_seconds=_CAUGHT_UP_SECONDS)


def copy_keys(server: Redis, uid: str, copies: Sequence[Identity]) -> None:
    """Copy all keys of the job with that uid, and its memberships in sets."""
    with redis.Redis.from_url(server.url(1)) as client:
        kept = [(key, client.dump(key), max(client.pttl(key), 0)) for key in client.scan_iter(f"*{uid}*", count=1000)]
        sets = [key for key in client.scan_iter("records:*", _type="set") if client.sismember(key, uid)]
        for some in _batches(copies, _KEYS_IN_ONE_WRITE):
            with client.pipeline(transaction=False) as pipe:
                for _, its in some:
                    for key, content, ttl in kept:
                        pipe.restore(key.replace(uid.encode(), its.encode()), ttl, content)
                for key in sets:
                    pipe.sadd(key, *(its for _, its in some))
                pipe.execute()


def _older(value: Any) -> Any:
    """Return the object with all times, except those within texts, a day earlier."""
    if isinstance(value, list):
        return [_older(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _earlier(item) if key in _TIMES and isinstance(item, str) else _older(item) for key, item in value.items()
    }


def _earlier(text: str) -> str:
    at = datetime.fromisoformat(text).astimezone(UTC) - _AGE
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _copy(original: dict[str, Any], name: str, uid: str) -> str:
    metadata = original["metadata"]
    text = json.dumps({**original, "metadata": {**metadata, "name": name}}).replace(metadata["uid"], uid)
    return _encoded(text)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _batches(copies: Sequence[Identity], size: int) -> Iterator[list[Identity]]:
    iterator = iter(copies)
    while some := list(islice(iterator, size)):
        yield some
