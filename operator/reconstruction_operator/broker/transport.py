"""Hardened transport: kombu's Redis transport, made to survive malformed data in Redis.

By default a non-JSON message (https://github.com/celery/celery/issues/4308) or a key of the wrong type
(https://github.com/celery/kombu/issues/1247) crashes the worker. Here such a message is dropped and logged, and such a
key is deleted; the operator sends again what is lost with either.

kombu's worker also ends if, after a reconnect, it acknowledges a task that began before it. Here that fails like any
lost connection, which Celery logs; a second delivery of the message finds the attempt's claim, and ends.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import Empty
from typing import Any, Final

import redis
from kombu import transport
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

from reconstruction_operator import config
from reconstruction_operator.state import connections

_WRONG_TYPE: Final = "WRONGTYPE"
_ABSENT: Final = "none"  # the reply of Redis's TYPE for a key that does not exist
# Headers of Celery's own that act on the worker's main process, before a task could refuse them: with a wrong type they
# end it or keep its slot, and a compressed body is unpacked there without a limit. No message of this project needs
# them.
_UNSAFE_HEADERS: Final = ("compression", "stamped_headers", "stamps", "timelimit")

logger = logging.getLogger(__name__)


def is_wrong_type(error: Exception) -> bool:
    """Return whether Redis refused a command because of the type of a key."""
    return isinstance(error, redis.ResponseError) and _WRONG_TYPE in str(error)


def repair(queues: Iterable[str], others: Mapping[str, str] | None = None) -> bool:
    """Delete the broker's keys that have the wrong type; return whether there were any.

    Checks the keys of `queues`, their bindings, and `others` (key -> type).

    Raises RedisError: Redis was not reached or refused.
    """
    names = tuple(queues)
    types = dict.fromkeys(names, "list") | {f"_kombu.binding.{name}": "set" for name in names}
    types |= {f"_kombu.binding_permanent.{name}": "set" for name in names} | dict(others or {})
    repaired = False
    with connections.broker_client() as client:
        for name, kind in types.items():
            key = f"{config.settings.REDIS_KEY_PREFIX}{name}"
            kind_there = str(client.type(key))
            if kind_there not in (kind, _ABSENT):
                logger.error("deleting the Redis key %s: its type is %s, and must be %s", key, kind_there, kind)
                client.delete(key)
                repaired = True
    return repaired


class _HardenedQoS(kombu_redis.QoS):
    """Keeps a message that a worker takes while a key has the wrong type.

    Frees the worker's slot if an acknowledgement fails.

    kombu would lose the message, and keep the slot. A worker without a free slot would never consume again.

    Taking and acknowledging a message are two commands each, without kombu's transaction around them. If Redis carries
    out only the first one, the index names a message that does not exist, and kombu drops that entry. The order of the
    commands ensures this.
    """

    @contextlib.contextmanager
    def pipe_or_acquire(self, pipe: Any = None, client: Any = None) -> Iterator[Any]:
        """Yield a pipeline without a transaction, or the caller's own."""
        if pipe is not None:
            yield pipe
            return
        with self.channel.conn_or_acquire(client) as acquired:
            yield acquired.pipeline(transaction=False)

    def _remove_from_indices(self, delivery_tag: str, pipe: Any = None) -> Any:
        with self.pipe_or_acquire(pipe) as commands:
            return commands.hdel(self.unacked_key, delivery_tag).zrem(self.unacked_index_key, delivery_tag)

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record that the message is taken; retry after a key of the wrong type was deleted."""
        try:
            super().append(message, delivery_tag)  # type: ignore[no-untyped-call]
        except redis.ResponseError as error:
            if not (is_wrong_type(error) and self.channel.repair()):
                raise
            super().append(message, delivery_tag)  # type: ignore[no-untyped-call]

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge; the slot is free after any outcome."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Reject; the slot is free after any outcome."""
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise


class _HardenedMessage(virtual.Message):
    """A message without the headers that are not safe."""

    def __init__(self, payload: Any, channel: Any = None, **options: Any) -> None:
        if isinstance(headers := payload.get("headers"), dict):
            for name in _UNSAFE_HEADERS:
                headers.pop(name, None)
        super().__init__(payload, channel=channel, **options)  # type: ignore[no-untyped-call]


class _HardenedChannel(kombu_redis.Channel):
    """Survives a malformed message, and a key of the wrong type."""

    QoS = _HardenedQoS
    Message = _HardenedMessage
    _failed = False  # whether the last read was dropped
    _shared: redis.Redis | None = None

    def _brpop_read(self, **options: Any) -> Any:
        before = self._newest_tag()
        try:
            read = super()._brpop_read
            return self._survive(lambda: read(**options), "message")  # type: ignore[no-untyped-call]  # kombu has no types
        finally:
            # If the read failed after it had taken a slot, free the slot.
            if self._failed and (tag := self._newest_tag()) not in (before, None):
                self.basic_reject(tag)  # type: ignore[no-untyped-call]

    def _receive_one(self, client: Any) -> Any:
        read = super()._receive_one
        return self._survive(lambda: read(client), "broadcast between workers")  # type: ignore[no-untyped-call]

    def _survive(self, read: Callable[[], Any], what: str) -> Any:
        self._failed = False
        try:
            return read()
        except (*self.connection_errors, Empty, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, redis.ResponseError) and not (is_wrong_type(error) and self.repair()):
                raise
            self._failed = True
            logger.error("a %s is malformed and is dropped: %s: %.200s", what, type(error).__name__, error)  # noqa: TRY400  # the traceback does not show the sender
            return True

    def _create_client(self, asynchronous: bool = False) -> Any:
        # kombu makes a client for each command that it does not wait for by epoll, which takes longer than the command.
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._shared is None or self._shared.connection_pool is not self.pool:  # a lost connection ends its pool
            self._shared = super()._create_client()  # type: ignore[no-untyped-call]
        return self._shared

    def _connparams(self, asynchronous: bool = False) -> Any:
        # kombu would fail with an AttributeError: https://github.com/celery/kombu/issues/582
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the connection that this channel belongs to was closed")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[no-untyped-call]

    def repair(self) -> bool:
        """Delete keys of the wrong type; return whether there were any."""
        return repair(
            self.active_queues,
            {self.unacked_key: "hash", self.unacked_index_key: "zset", self.unacked_mutex_key: "string"},
        )

    def _newest_tag(self) -> Any:
        return next(reversed(self.qos._delivered), None)  # noqa: SLF001  # kombu has no public way


class _HardenedSentinelChannel(_HardenedChannel, kombu_redis.SentinelChannel):
    """The hardened channel behind a Sentinel."""


class HardenedTransport(kombu_redis.Transport):
    """For `redis://`, `rediss://` and `redis+socket://`."""

    Channel = _HardenedChannel


class HardenedSentinelTransport(kombu_redis.SentinelTransport):
    """For `sentinel://`."""

    Channel = _HardenedSentinelChannel


def install() -> None:
    """Make kombu use these transports in this process, for the same schemes of addresses."""
    plain, sentinel = (f"{__name__}:{name.__name__}" for name in (HardenedTransport, HardenedSentinelTransport))
    transport.TRANSPORT_ALIASES.update(redis=plain, rediss=plain, sentinel=sentinel)
