"""Cost of a job from its creation to its end: its rounds, its requests to Redis, and its writes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
from reconstruction_operator.api import codec
from reconstruction_operator.api.status import InstallationMark, Phase, Status
from reconstruction_operator.broker.dispatch import Message
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.contract.outcomes import Outcome
from reconstruction_operator.contract.records import End
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.controller.loop.actor import Actor
from reconstruction_operator.controller.redis_view.connection import RedisConnection
from reconstruction_operator.controller.redis_view.messages import SentMessages
from reconstruction_operator.controller.redis_view.observer import Observer
from reconstruction_operator.controller.writes.status_writer import StatusWriter
from reconstruction_operator.controller.writes.write_queue import WriteQueue
from reconstruction_operator.planning.types import Management
from reconstruction_operator.state import calls, worker_calls
from reconstruction_operator.state.scripts import script

from tests.support.controller.dispatch import make_admission
from tests.support.controller.loops import make_reconciler
from tests.support.jobs import make_body, make_key

FENCED = ("put_record", "assert_leader", "mark_sent")
SCRIPTS = {name: script(name, fenced=name in FENCED) for name in (*FENCED, "observe", "read_results")}
NAMES = {one.text: name for name, one in SCRIPTS.items()}
TEXTS = {one.sha: one.text for one in SCRIPTS.values()}


class Redis(fakeredis.FakeAsyncRedis):
    """Counts the scripts that are called, by name."""

    def __init__(self) -> None:
        super().__init__(decode_responses=True)
        self.asked: Counter[str] = Counter()

    async def eval(self, text: str, *rest: Any) -> Any:  # type: ignore[override]
        self.asked[NAMES[text]] += 1
        return await super().eval(text, *rest)  # type: ignore[misc]

    async def evalsha(self, sha: str, *rest: Any) -> Any:  # type: ignore[override]
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


class System:
    """The loop with its real planner, admission, actor, observer and writer; an API server and a broker that only count."""

    def __init__(self, redis: Redis) -> None:
        self.redis, self.keys = redis, Keys(prefix="")
        self.written: list[Phase | None] = []
        self.sent: list[str] = []
        self.version = 1
        self.body = make_body()
        self.cache = Cache(management=self._management)
        election: Any = SimpleNamespace(fence=1, looks=0, leading=True)
        broker: Any = self
        admission = make_admission(self.cache)
        connection = RedisConnection(redis, election, keys=self.keys, install_id="install")
        self.messages = SentMessages(resend_seconds=15)
        observer = Observer(redis, redis, connection, admission.queues, self.messages, keys=self.keys)
        actor = Actor(redis, broker, broker, broker, keys=self.keys, install_id="install")
        events: Any = SimpleNamespace(record=lambda *_: None)
        self.writes = WriteQueue()
        self.writer = StatusWriter(broker, self.cache, election, self.writes, events)
        self.reconciler = make_reconciler(
            admission,
            observer=observer,
            actor=actor,
            writer=self.writer,
            monotonic=lambda: 100.0,
            messages=self.messages,
            connection=connection,
        )

    def _management(self, status: Status) -> Management:
        return Management.OURS if status.installation not in (None, InstallationMark()) else Management.UNMARKED

    async def request(self, _method: str, _path: str, *, body: Any, **_: Any) -> dict[str, Any]:
        """The API server stores a status, and the watch shows the new body before the response is read."""
        status = dict(self.body["status"])
        for change in body[2:]:
            name = change["path"].removeprefix("/status").lstrip("/")
            status = change["value"] if not name else {**status, name: change["value"]}
        self.version += 1
        self.body = make_body(version=self.version, **status)
        self.written.append(Phase(status["phase"]))
        self.cache.put(self.body)
        return self.body

    def send(self, messages: Sequence[Message]) -> dict[str, str]:
        self.sent += [one.task_id for one in messages]
        return {}

    def close(self) -> None:
        """Close nothing: a broker has this method."""

    async def work(self) -> None:
        """Run rounds until no work remains."""
        while self.cache.queued or not self.writes.idle:
            await self.reconciler.round(1)
            assert await self.writer.flush(5.0)

    def announce(self) -> None:
        """Enqueue the job, as the subscription does when the state of its task changes."""
        self.cache.enqueue(make_key())

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
        return {"task_id": "uid-banana-1", "job_id": "uid-banana", "attempt": 1, "token": "token"}


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with Redis() as redis:
        system = System(redis)
        writing = asyncio.create_task(system.writer.run())
        yield system
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        system.reconciler.actor.close()


async def test_a_job_is_planned_and_written_once_before_it_is_sent(system: System) -> None:
    system.cache.put(system.body)

    await system.work()

    assert system.sent == ["uid-banana-1"]
    assert system.written == [Phase.QUEUED]
    assert system.redis.asked == {"observe": 1, "put_record": 1, "mark_sent": 1}


@pytest.mark.parametrize(
    "phases",
    [
        pytest.param([Phase.QUEUED, Phase.SUCCEEDED], id="ends in a moment"),
        pytest.param([Phase.QUEUED, Phase.RUNNING, Phase.SUCCEEDED], id="observed while it runs"),
    ],
)
async def test_each_phase_that_is_observed_costs_one_look_one_write_and_one_encoding(
    system: System, monkeypatch: pytest.MonkeyPatch, phases: list[Phase]
) -> None:
    encoded: list[str | None] = []
    encode = codec.encode

    def counted(value: Any) -> dict[str, Any]:
        if isinstance(value, Status):
            encoded.append(value.phase)
        return encode(value)

    monkeypatch.setattr(codec, "encode", counted)
    system.cache.put(system.body)
    await system.work()
    await system.claim()
    if Phase.RUNNING in phases:
        system.announce()
        await system.work()
    await system.finish()
    system.announce()

    await system.work()

    assert encoded == system.written == phases
    of_progress = phases.count(Phase.RUNNING)
    assert system.redis.asked == Counter(observe=len(phases), put_record=1, mark_sent=1, read_results=of_progress)
