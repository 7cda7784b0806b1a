"""Connections: every documented way to reach a Redis, for the job state, the broker and the results."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis
import redis.asyncio
from celery import Celery
from reconstruction_operator.broker import celery_settings
from reconstruction_operator.broker.backlog import BacklogReader
from reconstruction_operator.broker.dispatch import Dispatcher, Message
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.services import job_manager
from reconstruction_operator.state import connections, results

from devcluster import Redis
from tests.support.refs import make_attempt
from tests.support.servers import sentinel
from tests.support.servers.sentinel import Sentinel
from tests.support.settings import configure

pytestmark = [
    pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")  # Celery's own call of redis-py
]

PASSWORD = "p@ss/w:rd"
QUOTED = "p%40ss%2Fw%3Ard"


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, *, state: str, broker: str) -> Iterator[None]:
    configure(monkeypatch, REDIS_STATE_DB=state, CELERY_BROKER_URL=broker, CELERY_RESULT_BACKEND=broker)
    job_manager.get_redis_client.cache_clear()
    yield
    job_manager.get_redis_client().close()
    job_manager.get_redis_client.cache_clear()


async def everything_works() -> None:
    """The job state from both kinds of client, a message sent, and a result written and read."""
    await asyncio.to_thread(_state_works)
    async with connections.async_state_client() as state:
        assert await state.get("cancel:test123") == "1"
    await asyncio.to_thread(_broker_works)
    async with connections.async_results_client() as backend:
        assert (await results.read(backend, ["job-1"]))["job-1"].percent == 10


def _state_works() -> None:
    job_manager.request_cancellation("test123")
    assert job_manager.confirm_cancellation("test123")


def _broker_works() -> None:
    dispatcher = Dispatcher()
    dispatcher.send([Message(Envelope(make_attempt()), "placeholder")])
    dispatcher.close()
    reader = BacklogReader()
    assert reader.measure(["celery"]).messages == {"celery": 1}
    reader.close()
    app = Celery("test", set_as_current=False)
    app.conf.update(celery_settings.settings())
    app.backend.store_result("job-1", {"progress": 10}, "PROGRESS")
    app.backend.client.connection_pool.disconnect()


async def test_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    with Redis(password=PASSWORD) as server, connected(monkeypatch, state=server.url(1), broker=server.url(0)):
        await everything_works()


async def test_a_user_of_an_acl(redis_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis.Redis.from_url(redis_url) as admin:
        admin.acl_setuser(
            "worker", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], channels=["*"], categories=["+@all"]
        )
        address = f"redis://worker:{QUOTED}@127.0.0.1:{redis_server.port}"
        with connected(monkeypatch, state=f"{address}/1", broker=f"{address}/0"):
            await everything_works()
        admin.acl_deluser("worker")


@pytest.mark.parametrize(
    "state",
    ["unix://{}?db=1", "redis+socket://{}?virtual_host=1"],
    ids=["as redis-py writes it", "as Celery writes it"],
)
async def test_a_unix_socket(state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "redis.sock"
    with (
        Redis(configuration={"unixsocket": str(path)}) as server,
        connected(monkeypatch, state=state.format(path), broker=f"redis+socket://{path}?virtual_host=0"),
    ):
        await everything_works()
        with redis.Redis.from_url(server.url(1), decode_responses=True) as client:
            assert client.get("cancel:test123") == "1"


# --- TLS


async def test_tls_with_a_certificate_that_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Redis(tls=True, password=PASSWORD) as server:
        for word in ("required", "CERT_REQUIRED"):
            server.flushall()
            state, broker = (f"{server.url(db)}&ssl_cert_reqs={word}" for db in (1, 0))
            with connected(monkeypatch, state=state, broker=broker):
                await everything_works()


async def test_tls_checks_the_certificate_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    with Redis(tls=True, password=PASSWORD) as server:
        state, broker = (server.url(db).partition("?")[0] for db in (1, 0))  # without our authority
        with connected(monkeypatch, state=state, broker=broker):
            with pytest.raises(redis.ConnectionError, match="certificate verify failed"):
                await asyncio.to_thread(job_manager.cancel_pending, "test123")
            with pytest.raises(Exception, match="certificate verify failed"):
                await asyncio.to_thread(_broker_works)


# --- Sentinel


@pytest.mark.parametrize("addresses", [1, 2], ids=["one", "the-first-is-down"])
async def test_sentinel_by_its_url(monkeypatch: pytest.MonkeyPatch, addresses: int) -> None:
    configure(monkeypatch, REDIS_SENTINEL_MASTER=sentinel.NAME, REDIS_SENTINEL_PASSWORD=sentinel.PASSWORD)
    with Redis(password=PASSWORD) as server, Sentinel(server) as watch:
        ports = [1, watch.port][-addresses:]

        def url(db: int) -> str:
            return ";".join(f"sentinel://:{QUOTED}@127.0.0.1:{port}/{db}" for port in ports)

        with connected(monkeypatch, state=url(1), broker=url(0)):
            await everything_works()
            with redis.Redis.from_url(server.url(1), decode_responses=True) as client:
                assert client.get("cancel:test123") == "1"


# --- Deadlines


def test_a_redis_that_hangs_is_given_up_within_seconds(
    redis_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, REDIS_TIMEOUT_SECONDS=0.5)
    with connected(monkeypatch, state=redis_server.url(1), broker=redis_url):
        job_manager.cancel_pending("test123")
        redis_server.pause()
        started = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            job_manager.cancel_pending("test123")
        assert time.monotonic() - started < 10
        redis_server.resume()
        assert job_manager.cancel_pending("test123") is False


def test_a_redis_that_was_restarted_is_used_again_without_an_error(
    redis_url: str, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(monkeypatch, state=redis_server.url(1), broker=redis_url):
        job_manager.request_cancellation("test123")
        redis_server.restart()
        assert job_manager.cancel_pending("test123") is False


def test_a_process_may_have_more_calls_at_once_than_redis_py_allows(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(monkeypatch, state=redis_url, broker=redis_url), ExitStack() as held:
        pool = connections.state_client().connection_pool
        held.callback(pool.disconnect)
        assert len({pool.get_connection() for _ in range(150)}) == 150
