"""Calls: a script with its arguments as a value, run by `run`, `arun`, or `arun_all` for a batch.

Every script is idempotent, since redis-py retries a command whose reply was lost. Clients must have
`decode_responses=True`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import redis
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError

from reconstruction_operator.state.errors import DeposedError, ProtocolError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script. `sha` is its name in Redis's cache of scripts."""

    name: str
    text: str
    sha: str

    @classmethod
    def of(cls, name: str, text: str) -> Script:
        """Return the script of that text."""
        return cls(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One script with its arguments, and how to read its reply (which may raise a ProtocolError)."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | int, ...]
    read: Callable[[Any], T]

    @property
    def _by_sha(self) -> tuple[Any, ...]:
        return (self.script.sha, len(self.keys), *self.keys, *self.args)

    @property
    def _by_text(self) -> tuple[Any, ...]:
        return (self.script.text, len(self.keys), *self.keys, *self.args)


def run(client: redis.Redis, call: Call[T]) -> T:
    """Run the call. Raises RedisError if Redis does not reply, or the call's ProtocolError."""
    try:
        reply = client.evalsha(*call._by_sha)  # noqa: SLF001  # the two halves of one module
    except NoScriptError:
        reply = client.eval(*call._by_text)  # noqa: SLF001
    return call.read(reply)


async def arun(client: redis.asyncio.Redis, call: Call[T]) -> T:
    """Run the call on an event loop; raises what `run` raises."""
    try:
        reply = await cast("Any", client.evalsha(*call._by_sha))  # noqa: SLF001
    except NoScriptError:
        reply = await cast("Any", client.eval(*call._by_text))  # noqa: SLF001
    return call.read(reply)


async def arun_all(client: redis.asyncio.Redis, calls: Sequence[Call[T]]) -> list[T | RedisError | ProtocolError]:
    """Run all calls in one round trip, in order; an error of a call is its result, and does not stop the others.

    Raises DeposedError if the fence refused a call, and RedisError if Redis is unreachable:
    then any number of the calls may have been run.
    """
    if not calls:
        return []
    pipeline = client.pipeline(transaction=False)
    sent: set[str] = set()
    for call in calls:
        # The first use of a script in a batch sends its text, so that the server knows it for the later ones:
        # a retry of a later one would change the order.
        if call.script.sha in sent:
            pipeline.evalsha(*call._by_sha)  # noqa: SLF001
        else:
            pipeline.eval(*call._by_text)  # noqa: SLF001
            sent.add(call.script.sha)
    replies = await pipeline.execute(raise_on_error=False)
    return [_read(call, reply) for call, reply in zip(calls, replies, strict=True)]


def _read(call: Call[Any], reply: Any) -> Any:
    if isinstance(reply, RedisError):
        return reply
    try:
        return call.read(reply)
    except DeposedError:
        raise
    except ProtocolError as error:
        return error
