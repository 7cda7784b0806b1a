"""Redis under test, which can lose its data, and whose calls are points of the run that makes them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import redis
from reconstruction_operator import config
from reconstruction_operator.contract.keys import Keys
from reconstruction_operator.state import calls
from reconstruction_operator.state.calls import Call, run

from tests.real.protocol.fibers import Fiber
from tests.support.protocol.contents import Contents

T = TypeVar("T")


class LossyRedis:
    """Has these jobs."""

    def __init__(self, client: redis.Redis, jobs: Sequence[str]) -> None:
        self.client = client
        self.raw = redis.Redis.from_url(config.settings.REDIS_STATE_DB)  # which can read a dump
        self.keys = Keys(prefix="")
        self.jobs = tuple(jobs)
        self.run_id = 1
        self.last: Call[Any] | None = None  # since which nothing else has changed
        self.state: Contents | None = None
        self.visited: set[str] = set()
        # What has happened, as far as it decides which results are right.
        self.ended: dict[str, dict[str, str]] = {}  # task -> its job's hash when it ended, until Redis loses data
        self.emptied = False
        self.granted: dict[str, str] = {}  # task -> token that was given the claim
        client.flushdb()
        calls.run = self.run  # the fixture puts it back
        calls.arun = self._run_by_sweeper  # type: ignore[assignment]

    def now(self) -> Contents:
        """What Redis holds; read again only after a change."""
        if self.state is None:
            self.state = Contents.of(self.client)
        return self.state

    def run(self, client: redis.Redis, call: Call[T]) -> T:
        """Stands in for `calls.run`: a point of the run that makes the call."""
        Fiber.pause_at(call.script.name)
        replies: list[Any] = []
        run(client, replace(call, read=replies.append))
        self.state, self.last = None, call
        self.visited.add(f"{call.script.name} {str(replies[0])[:14] if call.script.name != 'observe' else ''}")
        if call.script.name in ("finish", "end_attempt"):
            self._note_end(call.keys)
        return call.read(replies[0])

    def _note_end(self, keys: Sequence[str]) -> None:
        (key,) = (key for key in keys if key.startswith("job:"))
        held = cast("dict[str, str]", self.client.hgetall(key))
        if "outcome" in held:
            self.ended.setdefault(f"{key.removeprefix('job:')}-{held['attempt']}", held)

    async def _run_by_sweeper(self, client: redis.Redis, call: Call[T]) -> T:
        return self.run(client, call)

    def retry(self) -> None:
        """The reply to the newest call is lost, and redis-py retries it."""
        if self.last is None:
            return
        before = self.now()
        try:
            calls.run(self.client, self.last)
        except calls.ProtocolError:
            return
        after = self.now()
        assert after.values.keys() == before.values.keys(), f"{self.last.script.name} is not idempotent"

    def age(self) -> None:
        """Half of every TTL passes."""
        state = self.now()
        for key, ttl_ms in state.ttls.items():
            if ttl_ms is not None:
                self.client.pexpire(key, ttl_ms // 2)
        self.state = None

    def silence(self, job: str) -> None:
        """All its runs pause for longer than the TTL of a heartbeat; they may continue later."""
        self.client.delete(self.keys.alive(job))
        self.state, self.last = None, None

    def empty(self) -> None:
        """Redis loses all data and starts again."""
        self.client.flushdb()
        self.state, self.last = None, None
        self.run_id += 1
        self.emptied = True
        self.granted.clear()
        self.ended.clear()
