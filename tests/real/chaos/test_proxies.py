"""The spoilt network of the fault runs, on a real Redis and a real API server."""

import contextlib
import http.client
import json
import random
from collections.abc import Iterator

import pytest
import redis

from chaos.proxies import ApiProxy, Network, Refusal, TcpProxy
from devcluster import Cluster, Redis, wait_until

pytestmark = pytest.mark.real


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
def asked(cluster: Cluster, proxy: ApiProxy, path: str, method: str = "GET") -> Iterator[http.client.HTTPResponse]:
    token = cluster.service_account_token("default", "default")
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)) as connection:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"})
        with connection.getresponse() as answer:
            yield answer


def status(cluster: Cluster, proxy: ApiProxy, path: str, method: str = "GET") -> int:
    with asked(cluster, proxy, path, method) as answer:
        answer.read()
        return answer.status


def test_what_is_sent_through_arrives(to_redis: TcpProxy) -> None:
    with client(to_redis) as through:
        through.set("key", "x" * 200_000)

        assert through.get("key") == b"x" * 200_000


def test_a_silent_network_answers_nobody_and_then_goes_on_with_the_same_connection(to_redis: TcpProxy) -> None:
    with client(to_redis, timeout_seconds=0.3) as through:
        through.ping()
        to_redis.silence()
        with pytest.raises(redis.TimeoutError):
            through.ping()
        to_redis.heal()

        assert through.ping()


def test_a_refusing_network_cuts_what_is_open_and_what_comes(to_redis: TcpProxy) -> None:
    with client(to_redis) as through:
        through.ping()
        to_redis.refuse()
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                through.ping()
        to_redis.heal()

        wait_until(through.ping, "an answer")


def test_the_api_is_passed_on_and_refused_as_asked(to_api: ApiProxy, cluster: Cluster) -> None:
    with asked(cluster, to_api, "/version") as answer:
        assert json.loads(answer.read())["major"] == "1"

    to_api.refuse(Refusal(429, "TooManyRequests", retry_after_seconds=7))
    with asked(cluster, to_api, "/version") as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
        assert json.loads(answer.read())["reason"] == "TooManyRequests"

    to_api.refuse(Refusal(409, "Conflict", writes_only=True))
    assert status(cluster, to_api, "/version") == 200
    assert status(cluster, to_api, "/version", "DELETE") == 409

    to_api.heal()
    assert status(cluster, to_api, "/version") == 200


def test_a_watch_goes_through_and_is_told_that_it_has_expired(
    to_api: ApiProxy, cluster: Cluster, namespace: str
) -> None:
    # The account of the namespace has no rights of its own.
    cluster.kubectl(
        *("-n", namespace, "create", "rolebinding", "watcher"),
        *("--clusterrole=view", "--serviceaccount=default:default"),
    )
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    wait_until(lambda: status(cluster, to_api, path) == 200, "the right to look")
    with asked(cluster, to_api, f"{path}?watch=1&timeoutSeconds=50") as answer:
        first = json.loads(answer.readline())
        to_api.expire_watches()
        rest = [json.loads(line) for line in answer.read().splitlines() if line]

    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "kube-root-ca.crt")
    assert (rest[-1]["type"], rest[-1]["object"]["code"]) == ("ERROR", 410)
