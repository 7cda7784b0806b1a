"""Calls: a script with its arguments as a value, run by `run`, `arun`, or `arun_all` for a batch.

Some scripts take several jobs and return a reply for each. `arun_all` joins consecutive calls of such a script into one.

Every script is idempotent, since redis-py retries a command whose reply was lost. Clients must have
`decode_responses=True`.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar, cast

import redis
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError

from reconstruction_operator.state.errors import DeposedError, ProtocolError

T = TypeVar("T")

_JOINED: Final = 500  # maximum of jobs in one call: some milliseconds in which Redis serves no other client


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
    shared: tuple[int, int] | None = None
    """How many of the keys and arguments come first, once for all jobs, if the script takes several; None: it takes one.

    Such a script returns `["ok", a reply for each job]`, and `read` gets `["ok", the job's reply]`.
    """

    @property
    def _common(self) -> tuple[Any, ...] | None:
        """What calls must share to be joined with this one; None: it is never joined."""
        if self.shared is None:
            return None
        keys, args = self.shared
        return (self.script.sha, self.keys[:keys], self.args[:args])

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

    Joined calls share an error of Redis. Raises DeposedError if the fence refused a call, and RedisError if Redis is unreachable:
    then any number of the calls may have been run.
    """
    if not calls:
        return []
    groups = [
        group[first : first + _JOINED]
        for group in (list(same) for _, same in itertools.groupby(calls, key=_Alone.or_common))
        for first in range(0, len(group), _JOINED)
    ]
    pipeline = client.pipeline(transaction=False)
    sent: set[str] = set()
    for group in groups:
        call = _joined(group)
        # The first use of a script in a batch sends its text, so that the server knows it for the later ones:
        # a retry of a later one would change the order.
        if call.script.sha in sent:
            pipeline.evalsha(*call._by_sha)  # noqa: SLF001
        else:
            pipeline.eval(*call._by_text)  # noqa: SLF001
            sent.add(call.script.sha)
    replies = await pipeline.execute(raise_on_error=False)
    return [
        _read(call, part)
        for group, reply in zip(groups, replies, strict=True)
        for call, part in zip(group, _parts(reply, len(group)), strict=True)
    ]


class _Alone:
    """The group of a call that is never joined: equal to nothing else."""

    @classmethod
    def or_common(cls, call: Call[Any]) -> object:
        return call._common or cls()  # noqa: SLF001


def _joined(group: Sequence[Call[Any]]) -> Call[Any]:
    """Return one call made of several with the same shared keys and arguments."""
    first, *others = group
    if not others or first.shared is None:
        return first
    keys, args = first.shared
    return replace(
        first,
        keys=(*first.keys, *(key for other in others for key in other.keys[keys:])),
        args=(*first.args, *(arg for other in others for arg in other.args[args:])),
    )


def _parts(reply: Any, count: int) -> Sequence[Any]:
    """Split the reply to `count` joined calls into what each of them reads."""
    match reply:
        case ["ok", *answers] if len(answers) == count > 1:
            return [["ok", answer] for answer in answers]
        case _:
            return [reply] * count


def _read(call: Call[Any], reply: Any) -> Any:
    if isinstance(reply, RedisError):
        return reply
    try:
        return call.read(reply)
    except DeposedError:
        raise
    except ProtocolError as error:
        return error
