"""One job in the real loop: everything but Redis, the API server and the broker is the operator's own."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import fakeredis
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.status import Phase
from reconstruction_operator.broker.dispatch import Message
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.controller.loop.actor import Actor
from reconstruction_operator.controller.redis_view.connection import RedisConnection
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.controller.redis_view.observer import Observer
from reconstruction_operator.controller.writes.status_writer import DOES_NOT_FIT, StatusWriter
from reconstruction_operator.kube.errors import ApiError
from reconstruction_operator.planning.installations import management
from reconstruction_operator.state import calls, worker_calls

from tests.support.controller.dispatch import make_admission
from tests.support.controller.entries import entry_of
from tests.support.controller.loops import INSTALLATION, make_reconciler
from tests.support.jobs import make_body
from tests.support.refs import make_attempt

FENCED = ("put_record", "assert_leader", "mark_sent", "end_attempt", "forget")
SCRIPTS = {name: calls.script(name, fenced=name in FENCED) for name in (*FENCED, "observe", "read_texts")}
NAMES = {script.text: name for name, script in SCRIPTS.items()}
TEXTS = {script.sha: script.text for script in SCRIPTS.values()}


class Redis(fakeredis.FakeAsyncRedis):
    """Counts the scripts that are called, by name."""

    def __init__(self) -> None:
        super().__init__(decode_responses=True)
        self.asked: Counter[str] = Counter()

    async def eval(self, text: str, *rest: Any) -> Any:
        self.asked[NAMES[text]] += 1
        return await super().eval(text, *rest)

    async def evalsha(self, sha: str, *rest: Any) -> Any:
        return await self.eval(TEXTS[sha], *rest)

    def pipeline(self, *_: Any, **__: Any) -> Any:
        return _Batch(self)


class _Batch:
    """A pipeline whose scripts are carried out one by one."""

    def __init__(self, redis: Redis) -> None:
        self._redis, self._calls = redis, list[tuple[Any, ...]]()

    def eval(self, *call: Any) -> None:
        self._calls.append(call)

    async def execute(self, **_: bool) -> list[Any]:
        return [await self._redis.eval(*call) for call in self._calls]


class Server:
    """An API server with one job, which all caches watch. A status is stored only over the newest version."""

    def __init__(self) -> None:
        self.body = make_body()
        self.version = 1
        self.written: list[Phase | None] = []
        self.caches: list[Cache] = []

    async def request(self, _method: str, _path: str, *, body: Any, **_: Any) -> dict[str, Any]:
        """Store a status. The watches show the new body before the response is read."""
        body = json.loads(json.dumps(body))
        if body[1]["value"] != str(self.version):
            raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", DOES_NOT_FIT)
        status = dict(self.body["status"])
        for change in body[2:]:
            name = change["path"].removeprefix("/status").lstrip("/")
            status = change["value"] if not name else {**status, name: change["value"]}
        self.version += 1
        self.body = make_body(version=self.version, **status)
        self.written.append(Phase(status["phase"]))
        for cache in self.caches:
            cache.put(self.body)
        return self.body


async def _no_uids(keys: Iterable[JobRef]) -> dict[str, str]:
    return dict.fromkeys((key.namespace for key in keys), "")


class System:
    """The loop with its real planner, admission, actor, observer and writer, an API server, and a broker that only
    counts.
    """

    def __init__(self, redis: Redis, server: Server, installation: Installation = INSTALLATION) -> None:
        self.redis, self.keys, self.server = redis, Keys(prefix=""), server
        self.sent: list[str] = []
        self.full: dict[str, str] = {}  # queues that reject messages, with the reason
        self.now = 100.0
        self.cache = Cache(management=partial(management, mine=installation.mark), monotonic=lambda: self.now)
        server.caches.append(self.cache)
        election: Any = SimpleNamespace(fence=1, looks=0, leading=True)
        broker: Any = self
        admission = make_admission(self.cache)
        connection = RedisConnection(redis, election, keys=self.keys, install_id=installation.id)
        self.messages = SentMessages(resend_seconds=15)
        observer = Observer(redis, redis, connection, admission.queues, self.messages, keys=self.keys)
        namespaces: Any = SimpleNamespace(uids=_no_uids)
        actor = Actor(redis, broker, broker, broker, keys=self.keys, install_id=installation.id, namespaces=namespaces)
        events: Any = SimpleNamespace(record=lambda *_: None)
        self.writer = StatusWriter(server, self.cache, election, events)
        self.reconciler = make_reconciler(
            admission,
            observer=observer,
            actor=actor,
            writer=self.writer,
            monotonic=lambda: self.now,
            installation=installation,
            messages=self.messages,
            connection=connection,
        )

    def send(self, messages: Sequence[Message]) -> dict[str, str]:
        self.sent += [message.task_id for message in messages if message.queue not in self.full]
        return self.full

    def close(self) -> None:
        """Close nothing: a broker has this method."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[System]:
        """Run the writer."""
        writing = asyncio.create_task(self.writer.run())
        yield self
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        self.reconciler.actor.close()

    async def round(self, seconds: float = 1.0) -> None:
        """Run a round that long after the last one."""
        self.now += seconds
        await self.reconciler.round(1)

    async def work(self) -> None:
        """Run rounds until no work remains."""
        while self.cache.queued or not self.writer.writes.idle or len(self.reconciler.orphans):
            await self.round()
            assert await self.writer.flush(5.0)

    def announce(self) -> None:
        """Enqueue the job, as the subscription does when the state of its task changes."""
        self.cache.enqueue(entry_of(self.cache))

    async def claim(self) -> None:
        """Begin the attempt, as a worker."""
        await calls.arun(self.redis_of_worker, worker_calls.claim(self.keys, **self.attempt, worker="worker-1"))

    async def finish(self) -> None:
        """End the attempt with success, as a worker."""
        end = End(Outcome.SUCCEEDED, worker="worker-1")
        await calls.arun(self.redis_of_worker, worker_calls.finish(self.keys, **self.attempt, end=end))

    @property
    def redis_of_worker(self) -> fakeredis.FakeAsyncRedis:
        return fakeredis.FakeAsyncRedis(decode_responses=True, connection_pool=self.redis.connection_pool)

    @property
    def attempt(self) -> dict[str, Any]:
        return {"attempt": make_attempt("uid-banana"), "token": "token"}
