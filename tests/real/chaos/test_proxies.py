"""Fault-injecting proxies, on a real Redis and a real API server."""

import contextlib
import http.client
import json
import random
from collections.abc import Iterator

import pytest
import redis

from chaos.system.proxies.api import ApiProxy, Refusal
from chaos.system.proxies.network import Network
from chaos.system.proxies.tcp import TcpProxy
from devcluster import Cluster, Redis, wait_until


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as running:
        yield running


@pytest.fixture
def to_redis(network: Network, redis_server: Redis, redis_url: str) -> TcpProxy:
    return network.tcp(redis_server.port)


@pytest.fixture
def to_api(network: Network, cluster: Cluster) -> ApiProxy:
    return network.api(cluster.url, cluster.ca, random.Random(1))  # noqa: S311 -- no secret


def client(proxy: TcpProxy, *, timeout_seconds: float = 10.0) -> redis.Redis:
    return redis.Redis(port=proxy.port, socket_timeout=timeout_seconds, retry=None)


@contextlib.contextmanager
def request(cluster: Cluster, proxy: ApiProxy, path: str, method: str = "GET") -> Iterator[http.client.HTTPResponse]:
    token = cluster.service_account_token("default", "default")
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)) as connection:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        with connection.getresponse() as answer:
            yield answer


def status(cluster: Cluster, proxy: ApiProxy, path: str, method: str = "GET") -> int:
    with request(cluster, proxy, path, method) as answer:
        answer.read()
        return answer.status


def test_data_passes_the_proxy(to_redis: TcpProxy) -> None:
    with client(to_redis) as through:
        through.set("key", "x" * 200_000)

        assert through.get("key") == b"x" * 200_000


def test_silent_proxy_keeps_the_connection_until_healed(to_redis: TcpProxy) -> None:
    with client(to_redis, timeout_seconds=0.3) as through:
        through.ping()
        to_redis.silence()
        with pytest.raises(redis.TimeoutError):
            through.ping()
        to_redis.heal()

        assert through.ping()


def test_refusing_proxy_resets_open_and_new_connections(to_redis: TcpProxy) -> None:
    with client(to_redis) as through:
        through.ping()
        to_redis.refuse()
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                through.ping()
        to_redis.heal()

        wait_until(through.ping, "an answer")


def test_api_proxy_passes_requests_and_refuses_as_configured(to_api: ApiProxy, cluster: Cluster) -> None:
    with request(cluster, to_api, "/version") as answer:
        assert json.loads(answer.read())["major"] == "1"

    to_api.refuse(Refusal(429, "TooManyRequests", retry_after_seconds=7))
    with request(cluster, to_api, "/version") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert json.loads(answer.read())["reason"] == "TooManyRequests"

    to_api.refuse(Refusal(409, "Conflict", writes_only=True))
    assert status(cluster, to_api, "/version") == 200
    assert status(cluster, to_api, "/version", "DELETE") == 409

    to_api.heal()
    assert status(cluster, to_api, "/version") == 200


def test_watch_passes_and_can_be_expired(to_api: ApiProxy, cluster: Cluster, namespace: str) -> None:
    # The account of the namespace has no permissions.
    cluster.kubectl(
        *("-n", namespace, "create", "rolebinding", "watcher"),
        *("--clusterrole=view", "--serviceaccount=default:default"),
    )
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    wait_until(lambda: status(cluster, to_api, path) == 200, "the permission to list")
    with request(cluster, to_api, f"{path}?watch=1&timeoutSeconds=50") as answer:
        first = json.loads(answer.readline())
        to_api.expire_watches()
        rest = [json.loads(line) for line in answer.read().splitlines() if line]

    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "kube-root-ca.crt")
    assert (rest[-1]["type"], rest[-1]["object"]["code"]) == ("ERROR", 410)
