"""kombu's Redis transport, so that it survives what it may find in Redis.

Of its own, it lets a message that is no JSON, or a key of another type, end the whole worker. Here such a message is dropped
with a word in the log, and such a key is removed: what was lost with either, the operator sends again. It also ends the
worker when a task that began before a break of the connection is acknowledged after it; here that is a failed connection
as any other, which Celery logs: a second delivery of the message finds the attempt's claim, and ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from queue import Empty
from typing import Any, Final

import redis
from kombu import transport
from kombu.transport import redis as kombus
from kombu.transport import virtual

from reconstruction_operator import config
from reconstruction_operator.state import connections

_WRONG_TYPE: Final = "WRONGTYPE"
_UNTYPED: Final = ("none",)  # a key that is not there

logger = logging.getLogger(__name__)


def is_wrong_type(error: Exception) -> bool:
    """Whether Redis refused a command for the type of a key."""
    return isinstance(error, redis.ResponseError) and _WRONG_TYPE in str(error)


def repair(queues: Iterable[str], others: Mapping[str, str] | None = None) -> bool:
    """Removes those keys of the broker that are of another type than kombu's; whether there were any.

    `queues` are looked at with what kombu notes of them, and `others` (key -> type) beside.

    Raises:
        RedisError: Redis was not reached or refused.

    """
    names = tuple(queues)
    wanted = dict.fromkeys(names, "list") | {f"_kombu.binding.{name}": "set" for name in names}
    wanted |= {f"_kombu.binding_permanent.{name}": "set" for name in names} | dict(others or {})
    repaired = False
    with connections.broker_client() as client:
        for name, kind in wanted.items():
            key = f"{config.settings.REDIS_KEY_PREFIX}{name}"
            found = str(client.type(key))
            if found not in (kind, *_UNTYPED):
                logger.error("the Redis key %s is a %s where a %s belongs: it is removed", key, found, kind)
                client.delete(key)
                repaired = True
    return repaired


class _Freeing(kombus.QoS):
    """An acknowledgement that fails frees the worker's place nevertheless: the message comes again, and finds its claim.

    kombu keeps the place, and a worker whose places are all taken asks for nothing any more, for ever.
    """

    def ack(self, delivery_tag: str) -> None:
        """As kombu's."""
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """As kombu's."""
        try:
            super().reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
        except BaseException:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise


class _Surviving(kombus.Channel):
    """A channel that goes on after a message that cannot be understood, and after a key of another type."""

    QoS = _Freeing

    def _brpop_read(self, **options: Any) -> Any:
        before = self._newest_tag()
        try:
            read = super()._brpop_read
            return self._survive(lambda: read(**options), "a message")  # type: ignore[no-untyped-call]  # kombu has no types
        finally:
            # One that was noted as taken and then failed would take up a place of the worker's for ever.
            if self._failed and (tag := self._newest_tag()) not in (before, None):
                self.basic_reject(tag)  # type: ignore[no-untyped-call]

    def _receive_one(self, client: Any) -> Any:
        read = super()._receive_one
        return self._survive(lambda: read(client), "a word between workers")  # type: ignore[no-untyped-call]

    _failed = False

    def _survive(self, read: Callable[[], Any], what: str) -> Any:
        self._failed = False
        try:
            return read()
        except (*self.connection_errors, Empty, MemoryError):
            raise
        except Exception as error:
            if isinstance(error, redis.ResponseError) and not (is_wrong_type(error) and self._repair()):
                raise
            self._failed = True
            logger.error("%s cannot be understood and is dropped: %s: %.200s", what, type(error).__name__, error)  # noqa: TRY400  # a stack says nothing of who sent it
            return True

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the connection that this channel belongs to was closed")
        return super()._connparams(asynchronous=asynchronous)  # type: ignore[no-untyped-call]

    def _repair(self) -> bool:
        return repair(
            self.active_queues,
            {self.unacked_key: "hash", self.unacked_index_key: "zset", self.unacked_mutex_key: "string"},
        )

    def _newest_tag(self) -> Any:
        return next(reversed(self.qos._delivered), None)  # noqa: SLF001  # kombu tells it in no other way


class SentinelChannel(_Surviving, kombus.SentinelChannel):
    """The same behind a Sentinel."""


class Transport(kombus.Transport):
    """For `redis://`, `rediss://` and `redis+socket://`."""

    Channel = _Surviving


class SentinelTransport(kombus.SentinelTransport):
    """For `sentinel://`."""

    Channel = SentinelChannel


def install() -> None:
    """Make them the transports that kombu finds by the schemes of addresses, in this process."""
    ours = f"{__name__}:Transport"
    transport.TRANSPORT_ALIASES.update(redis=ours, rediss=ours, sentinel=f"{__name__}:SentinelTransport")
