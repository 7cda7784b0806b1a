"""Calls: a script with its arguments as a value, run by `run`, `arun`, or `arun_all` for a batch.

`script` returns the scripts: one file for each in `lua/`, after the prelude. The operator's are between the fence and
the loop over a batch.

A script of the operator takes several calls that have as many keys and arguments as each other (`lua/each.lua`).
`arun_all` joins consecutive ones.

Every script is idempotent, since redis-py retries a command whose reply was lost. Clients must have
`decode_responses=True`.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Generic, TypeVar, cast

import redis
import redis.asyncio
from redis.exceptions import NoScriptError, RedisError

T = TypeVar("T")

PRELUDE: Final = "prelude"
_FOLDER: Final = resources.files("reconstruction_operator.state") / "lua"
_JOINED: Final = 500  # maximum of joined calls: some milliseconds in which Redis serves no other client


class ProtocolError(Exception):
    """Base of the errors below. Callers must also expect the errors of redis-py."""


class DeposedError(ProtocolError):
    """The operator's scripts were refused, and changed nothing, because a higher fence was seen: this operator must
    stop.
    """

    def __init__(self, *, fence: int, seen: int) -> None:
        super().__init__(f"deposed: this operator's fence is {fence}, but {seen} was seen in Redis")
        self.seen = seen


class UnexpectedReplyError(ProtocolError):
    """A script's reply has a form that this version does not know: a defect, or mixed versions."""

    def __init__(self, script: str, reply: object) -> None:
        super().__init__(f"script {script} returned {reply!r:.200}")


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


@functools.cache
def script(name: str, *, fenced: bool = False) -> Script:
    """Return the script `lua/{name}.lua`. `fenced`: Redis refuses it to an operator that has been deposed."""
    if not fenced:
        return Script.of(name, part(PRELUDE) + part(name))
    change = f"local function change(KEYS, ARGV)\n{part(name)}end\n"
    return Script.of(name, part(PRELUDE) + part("fence") + change + part("each"))


def part(name: str) -> str:
    """Return the text of one file, which is a script only after the prelude."""
    return (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One script with its arguments, and how to read its reply (which may raise a ProtocolError)."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | int, ...]
    read: Callable[[Any], T]
    fenced: bool = False
    """Whether the first key and argument are the fence, which joined calls share."""


def redis_seconds(client: redis.Redis) -> float:
    """Return Redis's time, in seconds since 1970: a clock that all workers share. Raises RedisError."""
    return float(client.time()[0])


def run(client: redis.Redis, call: Call[T]) -> T:
    """Run the call. Raises RedisError if Redis does not reply, or the call's ProtocolError."""
    arguments = _arguments([call])
    try:
        reply = client.evalsha(call.script.sha, *arguments)
    except NoScriptError:
        reply = client.eval(call.script.text, *arguments)
    return _result(call, reply)


async def arun(client: redis.asyncio.Redis, call: Call[T]) -> T:
    """Run the call on an event loop; raises what `run` raises."""
    arguments = _arguments([call])
    try:
        reply = await cast("Any", client.evalsha(call.script.sha, *arguments))
    except NoScriptError:
        reply = await cast("Any", client.eval(call.script.text, *arguments))
    return _result(call, reply)


async def arun_all(client: redis.asyncio.Redis, calls: Sequence[Call[T]]) -> list[T | RedisError | ProtocolError]:
    """Run all calls in one round trip, in order; an error of a call is its result, and does not stop the others.

    Raises DeposedError if the fence refused a call, and RedisError if Redis is unreachable:
    then any number of the calls may have been run.
    """
    if not calls:
        return []
    pipeline = client.pipeline(transaction=False)
    sent: set[str] = set()
    groups = [[call for _, call in group] for _, group in itertools.groupby(enumerate(calls), _shared)]
    for group in groups:
        script, arguments = group[0].script, _arguments(group)
        # The first use of a script in a batch sends its text, so that the server knows it for the later ones:
        # a retry of a later one would change the order.
        if script.sha in sent:
            pipeline.evalsha(script.sha, *arguments)
        else:
            pipeline.eval(script.text, *arguments)
            sent.add(script.sha)
    replies = await pipeline.execute(raise_on_error=False)
    return [
        _read(call, part)
        for group, reply in zip(groups, replies, strict=True)
        for call, part in zip(group, _parts(group, reply), strict=True)
    ]


def _shared(numbered: tuple[int, Call[Any]]) -> object:
    """Return what consecutive calls must share to be joined. Others differ in their number."""
    number, call = numbered
    if not call.fenced:
        return number
    return call.script.sha, call.keys[0], call.args[0], len(call.keys), len(call.args), number // _JOINED


def _arguments(group: Sequence[Call[Any]]) -> list[Any]:
    """Return what follows the script in the command that runs these calls."""
    keys = list(group[0].keys)
    args = list(group[0].args)
    if group[0].fenced:
        args.insert(1, len(group))
    for call in group[1:]:
        keys += call.keys[1:]
        args += call.args[1:]
    return [len(keys), *keys, *args]


def _parts(group: Sequence[Call[Any]], reply: Any) -> Sequence[Any]:
    """Return the reply to each call of the group."""
    match reply:
        case ["ok", *parts] if group[0].fenced and len(parts) == len(group):
            return parts
        case _:
            return [reply] * len(group)


def _result(call: Call[T], reply: Any) -> T:
    (part,) = _parts([call], reply)
    if isinstance(part, RedisError):
        raise part
    return call.read(part)


def _read(call: Call[Any], reply: Any) -> Any:
    if isinstance(reply, RedisError):
        return reply
    try:
        return call.read(reply)
    except DeposedError:
        raise
    except ProtocolError as error:
        return error
