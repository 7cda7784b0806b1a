"""Connections to Redis, all with timeouts.

URLs may be `redis://`, `rediss://` (TLS), `unix://`, or Sentinel's as Celery writes it
(`sentinel://host:26379/1;sentinel://other:26379/1`), with user and password; redis-py and kombu parse the rest.
"""

from __future__ import annotations

import ssl
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.asyncio.sentinel
import redis.retry
import redis.sentinel
from redis.backoff import ConstantBackoff, NoBackoff

from reconstruction_operator import config

T = TypeVar("T")

HEALTH_CHECK_SECONDS: Final = 15  # detects at its next use an idle connection that a firewall has dropped
_RETRIES: Final = 1  # a pooled connection that Redis has closed fails once; a second failure is an outage
_MOST_CONNECTIONS: Final = 10_000  # each attempt of a process may use two at once; redis-py allows 100
_RETRY_PAUSE_SECONDS: Final = 0.05
_SENTINEL: Final = "sentinel://"
_SENTINEL_PORT: Final = 26379


class _BehindSentinel(redis.Redis):
    """A client that also owns the connections to its sentinels."""

    def close(self) -> None:
        """Close the connections to Redis and to the sentinels."""
        super().close()
        cast("Any", self.connection_pool).sentinel_manager.close()


class _AsyncBehindSentinel(redis.asyncio.Redis):
    """As `_BehindSentinel`, on an event loop."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close the connections to Redis and to the sentinels."""
        await super().aclose(close_connection_pool)
        await cast("Any", self.connection_pool).sentinel_manager.aclose()


def state_client() -> redis.Redis:
    """Return a client of the job state (`config.settings.REDIS_STATE_DB`)."""
    return _client(config.settings.REDIS_STATE_DB, redis, _BehindSentinel)


def broker_client() -> redis.Redis:
    """Return a client of the broker (`config.settings.CELERY_BROKER_URL`), beside kombu's own."""
    return _client(config.settings.CELERY_BROKER_URL, redis, _BehindSentinel)


def async_state_client() -> redis.asyncio.Redis:
    """Return a client of the job state, on an event loop."""
    return _client(config.settings.REDIS_STATE_DB, redis.asyncio, _AsyncBehindSentinel)


def async_results_client() -> redis.asyncio.Redis:
    """Return a client of Celery's results (`config.settings.CELERY_RESULT_BACKEND`), on an event loop."""
    return _client(config.settings.CELERY_RESULT_BACKEND, redis.asyncio, _AsyncBehindSentinel)


def _client(url: str, library: Any, behind_sentinel: type[T]) -> T:
    """Return a client of `library`, which is redis-py with or without an event loop: both use the same names."""
    retry = library.retry.Retry(ConstantBackoff(_RETRY_PAUSE_SECONDS), _RETRIES)
    options = _options(url) | {"retry": retry}
    if not url.startswith(_SENTINEL):
        return cast("T", library.Redis.from_url(_for_redis_py(url), **options))
    sentinels, credentials = _sentinels(url)
    sentinel_options = _sentinel_options(library.retry.Retry(NoBackoff(), 0))
    watch = library.sentinel.Sentinel(sentinels, sentinel_kwargs=sentinel_options, **options, **credentials)
    return cast("T", watch.master_for(config.settings.REDIS_SENTINEL_MASTER, redis_class=behind_sentinel))


def is_socket(url: str) -> bool:
    """Return whether the URL names a Unix socket, as redis-py or as Celery writes it."""
    return url.startswith(("unix://", "redis+socket://", "socket://"))


def _options(url: str) -> dict[str, Any]:
    options = {
        "decode_responses": True,
        "encoding_errors": "replace",  # one value that is not UTF-8 must not hide the others of the same reply
        "socket_timeout": config.settings.REDIS_TIMEOUT_SECONDS,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        "max_connections": _MOST_CONNECTIONS,
    }
    if not is_socket(url):
        options |= {"socket_connect_timeout": config.settings.REDIS_TIMEOUT_SECONDS, "socket_keepalive": True}
    return options


def _for_redis_py(url: str) -> str:
    """Return the URL as redis-py writes it: Celery writes sockets and certificates differently."""
    for scheme in ("redis+socket://", "socket://"):
        if url.startswith(scheme):
            return "unix://" + url.removeprefix(scheme).replace("virtual_host=", "db=")
    for celerys, redis_pys in (("CERT_REQUIRED", "required"), ("CERT_OPTIONAL", "optional"), ("CERT_NONE", "none")):
        url = url.replace(f"ssl_cert_reqs={celerys}", f"ssl_cert_reqs={redis_pys}")
    return url


def _sentinels(url: str) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """Return the addresses of the sentinels; database and credentials of the Redis behind them, from the first URL."""
    parts = [urlsplit(text) for text in url.split(";")]
    first = parts[0]
    credentials: dict[str, Any] = {"db": int(first.path.strip("/") or 0)}
    if first.username:
        credentials["username"] = unquote(first.username)
    if first.password:
        credentials["password"] = unquote(first.password)
    return [(part.hostname or "localhost", part.port or _SENTINEL_PORT) for part in parts], credentials


def _sentinel_options(retry: redis.retry.Retry | redis.asyncio.retry.Retry) -> dict[str, Any]:
    """Return options for the connections to the sentinels. If a sentinel is down, the next one is tried at once."""
    return {
        "socket_timeout": config.settings.REDIS_TIMEOUT_SECONDS,
        "socket_connect_timeout": config.settings.REDIS_TIMEOUT_SECONDS,
        "retry": retry,
        "password": config.settings.REDIS_SENTINEL_PASSWORD or None,
    }


def broker_transport_options() -> dict[str, Any]:
    """Return options for kombu: an untuned broker connection may block for 19 s, or forever, while Redis is
    unavailable.
    """
    options: dict[str, Any] = {
        "visibility_timeout": config.settings.VISIBILITY_TIMEOUT_SECONDS,
        "queue_order_strategy": "priority",  # in the order of the queues: high before normal before low
        "socket_timeout": config.settings.REDIS_TIMEOUT_SECONDS,
        "socket_connect_timeout": config.settings.REDIS_TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK_SECONDS,
        # Publishing, and connecting for it: one retry, at once.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.2,
    }
    return options | transport_options(config.settings.CELERY_BROKER_URL)


def transport_options(url: str) -> dict[str, Any]:
    """Return the options that kombu and Celery's result backend share."""
    options: dict[str, Any] = {}
    if config.settings.REDIS_KEY_PREFIX:
        options["global_keyprefix"] = config.settings.REDIS_KEY_PREFIX
    if url.startswith(_SENTINEL):
        sentinel_options = _sentinel_options(redis.retry.Retry(NoBackoff(), 0))
        options |= {"master_name": config.settings.REDIS_SENTINEL_MASTER, "sentinel_kwargs": sentinel_options}
    return options


def tls_options(url: str) -> dict[str, Any] | None:
    """Return Celery's options for a `rediss://` URL without `ssl_cert_reqs`: the certificate is checked."""
    if url.startswith("rediss://") and "ssl_cert_reqs=" not in url:
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED}
    return None
