"""Connections: options and addresses follow from the URLs and the settings. Real connections: tests/real/state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from reconstruction_operator.state import connections

from tests.support.settings import configure


def kwargs_of(client: Any) -> dict[str, Any]:
    """What each connection of the client is made with."""
    options: dict[str, Any] = client.connection_pool.connection_kwargs
    return options


def picked(options: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    return {name: options.get(name) for name in expected}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("socket:///run/redis.sock", {"path": "/run/redis.sock"}, id="celery's other socket"),
        pytest.param("rediss://host/1?ssl_cert_reqs=CERT_NONE", {"ssl_cert_reqs": "none"}, id="celery's unchecked TLS"),
    ],
)
def test_a_url_is_read_as_celery_or_redis_py_writes_it(
    url: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, REDIS_STATE_DB=url)
    with connections.state_client() as client:
        assert picked(kwargs_of(client), expected) == expected


CLIENTS: dict[str, Callable[[], Any]] = {
    "state": connections.state_client,
    "broker": connections.broker_client,
    "state on a loop": connections.async_state_client,
    "results on a loop": connections.async_results_client,
}


@pytest.mark.parametrize("which", CLIENTS)
async def test_every_client_has_timeouts_and_survives_values_that_are_not_text(
    which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "redis://elsewhere/5"
    configure(
        monkeypatch, REDIS_STATE_DB=url, CELERY_BROKER_URL=url, CELERY_RESULT_BACKEND=url, REDIS_TIMEOUT_SECONDS=1.5
    )
    expected = {
        "host": "elsewhere",
        "db": 5,
        "socket_timeout": 1.5,
        "socket_connect_timeout": 1.5,
        "socket_keepalive": True,
        "health_check_interval": connections.HEALTH_CHECK_SECONDS,
        "decode_responses": True,
        "encoding_errors": "replace",
    }
    assert picked(kwargs_of(CLIENTS[which]()), expected) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("socket:///run/redis.sock", True, id="a socket"),
        pytest.param("redis://socket/1", False, id="a host of that name"),
    ],
)
def test_a_unix_socket_is_recognized_by_its_scheme(url: str, expected: bool) -> None:
    assert connections.is_socket(url) is expected


def test_a_worker_prefers_high_priority_and_waits_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, VISIBILITY_TIMEOUT_SECONDS=77)
    expected = {"visibility_timeout": 77, "queue_order_strategy": "priority", "max_retries": 1}

    assert expected.items() <= connections.broker_transport_options().items()
