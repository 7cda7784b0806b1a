from __future__ import annotations

import ssl
from typing import Any

import pytest
from reconstruction_operator import config
from reconstruction_operator.broker import celery_settings

from tests.support.settings import configure


@pytest.mark.parametrize(
    ("pools", "queues"),
    [
        pytest.param(("celery",), ("celery-high", "celery", "celery-low", "celery-parts"), id="default"),
        pytest.param(
            ("gpu", "cpu"),
            ("gpu-high", "cpu-high", "gpu", "cpu", "gpu-low", "cpu-low", "gpu-parts", "cpu-parts"),
            id="all-high-before-all-normal",
        ),
    ],
)
def test_queues_of_the_pools_are_consumed_by_priority(
    monkeypatch: pytest.MonkeyPatch, pools: tuple[str, ...], queues: tuple[str, ...]
) -> None:
    configure(monkeypatch, WORKER_POOLS=pools)
    chosen = celery_settings.settings()
    assert tuple(queue.name for queue in chosen["task_queues"]) == queues
    assert chosen["broker_transport_options"]["queue_order_strategy"] == "priority"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accept_content", ["json"]),
        ("result_accept_content", ["json"]),
        ("task_serializer", "json"),
        ("result_serializer", "json"),
        ("task_default_queue", "celery"),
        ("task_acks_late", True),
        ("worker_prefetch_multiplier", 1),
        ("worker_disable_prefetch", True),
        ("result_backend_always_retry", True),
        ("worker_enable_remote_control", False),
        ("worker_soft_shutdown_timeout", config.settings.DRAIN_SECONDS),
    ],
)
def test_application_has_setting(name: str, value: object) -> None:
    from reconstruction_operator.celery_app import app  # noqa: PLC0415  # made from the settings when it is imported

    assert getattr(app.conf, name) == value


def test_a_worker_imports_both_tasks_when_it_starts() -> None:
    imports = celery_settings.settings()["imports"]
    assert {"reconstruction_operator.tasks.reconstruction", "reconstruction_operator.tasks.cleanup"} <= set(imports)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        pytest.param("redis://r/0", None, id="plain"),
        pytest.param("rediss://r/0", {"ssl_cert_reqs": ssl.CERT_REQUIRED}, id="checked-by-default"),
        pytest.param("rediss://r/0?ssl_cert_reqs=none", None, id="as-the-url-says"),
    ],
)
def test_certificates_are_verified_unless_the_url_disables_it(
    monkeypatch: pytest.MonkeyPatch, url: str, options: dict[str, Any] | None
) -> None:
    configure(monkeypatch, CELERY_BROKER_URL=url, CELERY_RESULT_BACKEND=url)
    chosen = celery_settings.settings()
    assert (chosen.get("broker_use_ssl"), chosen.get("redis_backend_use_ssl")) == (options, options)


def test_every_redis_timeout_is_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, REDIS_TIMEOUT_SECONDS=1.5)
    chosen = celery_settings.settings()
    options = chosen["broker_transport_options"]
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (1.5, 1.5)
    assert (chosen["redis_socket_timeout"], chosen["redis_socket_connect_timeout"]) == (1.5, 1.5)
