"""Redis: it keeps its port through restarts, with or without its data."""

from collections.abc import Iterator

import pytest
import redis

import devcluster


@pytest.fixture
def server() -> Iterator[devcluster.Redis]:
    with devcluster.Redis() as running:
        yield running


def client(server: devcluster.Redis, db: int = 0) -> redis.Redis:
    return redis.Redis.from_url(server.url(db), socket_timeout=1, decode_responses=True)


def keys(server: devcluster.Redis, db: int = 0) -> list[object]:
    with client(server, db) as connection:
        return sorted(connection.keys())


def put(server: devcluster.Redis, name: str, db: int = 0) -> None:
    with client(server, db) as connection:
        connection.set(name, "1")


def test_all_databases_can_be_emptied(server: devcluster.Redis) -> None:
    put(server, "zero")
    put(server, "one", db=1)
    server.flushall()
    assert (keys(server), keys(server, db=1)) == ([], [])


def test_full_redis_rejects_writes_and_keeps_its_keys() -> None:
    with devcluster.Redis(configuration={"maxmemory": "8mb"}) as server, client(server) as connection:

        def fill() -> None:
            for number in range(16):
                connection.set(f"{number:02}", "x" * 2**20)

        with pytest.raises(redis.exceptions.OutOfMemoryError):
            fill()
        assert keys(server)[0] == "00"


def test_password_is_required_and_is_part_of_the_url() -> None:
    with devcluster.Redis(password="a/b c@d") as server:
        put(server, "key", db=1)
        assert keys(server, db=1) == ["key"]
        with redis.Redis(port=server.port) as stranger, pytest.raises(redis.exceptions.AuthenticationError):
            stranger.ping()


def test_a_restart_keeps_the_data_on_the_same_port(server: devcluster.Redis) -> None:
    url = server.url(1)
    put(server, "kept", db=1)
    server.restart(keep_data=True)
    assert server.url(1) == url
    assert keys(server, db=1) == ["kept"]


def test_a_restart_without_data_is_empty(server: devcluster.Redis) -> None:
    put(server, "lost")
    server.restart(keep_data=False)
    assert keys(server) == []


def test_kill_loses_all_data_even_what_a_restart_had_kept(server: devcluster.Redis) -> None:
    put(server, "kept")
    server.restart(keep_data=True)
    server.kill()
    server.start()
    assert keys(server) == []


def test_restore_brings_back_the_data_of_a_snapshot() -> None:
    with devcluster.Redis(persistent=True) as server:
        put(server, "before", db=1)
        snapshot = server.snapshot("before")
        put(server, "after", db=1)
        server.restore(snapshot)
        assert keys(server, db=1) == ["before"]


def test_persistent_redis_loses_nothing_on_kill() -> None:
    with devcluster.Redis(persistent=True) as server:
        put(server, "kept")
        server.kill()
        server.start()
        assert keys(server) == ["kept"]
        server.restart(keep_data=True)
        assert keys(server) == ["kept"]
        server.restart(keep_data=False)
        assert keys(server) == []


def test_paused_redis_hangs_until_it_is_resumed(server: devcluster.Redis) -> None:
    put(server, "key")
    server.pause()
    with client(server) as connection, pytest.raises(redis.exceptions.TimeoutError):
        connection.ping()
    server.resume()
    assert keys(server) == ["key"]


def test_heal_undoes_every_fault(server: devcluster.Redis) -> None:
    server.pause()
    server.heal()
    assert keys(server) == []
    server.kill()
    server.heal()
    assert keys(server) == []


def test_redis_with_tls_rejects_plain_text_and_has_a_signed_certificate() -> None:
    with devcluster.Redis(tls=True, password="p") as server:
        put(server, "key", db=1)
        assert keys(server, db=1) == ["key"]
        with redis.Redis(port=server.port, password="p", socket_timeout=5) as plain, pytest.raises(redis.RedisError):
            plain.ping()
        without_authority = server.url().partition("?")[0]
        with (
            redis.Redis.from_url(without_authority, socket_timeout=5) as client_of_public_authorities,
            pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client_of_public_authorities.ping()


def test_users_are_the_named_ones_and_the_default_one() -> None:
    with devcluster.Redis(password="p", users=["user reader on >q ~* resetchannels -@all +get +select"]) as server:
        put(server, "key")
        with redis.Redis.from_url(server.url(user="reader", password="q"), decode_responses=True) as reader:
            assert reader.get("key") == "1"
            with pytest.raises(redis.exceptions.NoPermissionError):
                reader.set("key", "2")
