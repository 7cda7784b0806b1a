"""Components: made from the settings, before anything is started. Running ones: tests/real/controller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from reconstruction_operator.controller.components import Operator
from reconstruction_operator.controller.kube.installation import Installation
from reconstruction_operator.kube.client import Api
from reconstruction_operator.planning.quotas import Quotas
from reconstruction_operator.planning.scheduling import DispatchWindow
from reconstruction_operator.telemetry import metrics

from tests.support.jobs import make_body
from tests.support.settings import configure


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    api: Any = Api(access=None)  # no request is sent
    operator = Operator(api, Installation("install"), asyncio.Event())
    yield operator
    await operator.stop()


def failing(checks: Any) -> dict[str, str]:
    return {check.name: check.problem for check in checks if check.problem}


async def test_an_operator_that_has_not_started_is_healthy_and_not_ready(operator: Operator) -> None:
    assert failing(operator.health()) == {}
    assert failing(operator.readiness()).keys() == {"api", "watch", "jobs", "redis", "lease"}
    operator.supervisor.crashed["sweeper"] = RuntimeError("defect")
    assert failing(operator.health()) == {"tasks": "crashed: sweeper"}


async def test_gauges_count_the_jobs_of_the_cache(operator: Operator) -> None:
    operator.cache.put(make_body("banana"))
    operator.measure()

    assert metrics.JOBS.labels("Pending")._value.get() == 1
    assert metrics.LEADER._value.get() == 0


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(
        monkeypatch,
        DISPATCH_WINDOW=1,
        DISPATCH_NAMESPACE_WINDOW=2,
        DISPATCH_TOTAL_WINDOW=3,
        DISPATCH_TOTAL_BYTES=4,
        NAMESPACE_MAX_RUNNING=(("*", 5),),
        NAMESPACE_MAX_WAITING=(("*", 6),),
        NAMESPACE_MAX_HIGH=(("*", 7),),
        BACKOFF_SECONDS=8.0,
    )


@pytest.mark.usefixtures("settings")
async def test_windows_quotas_and_times_come_from_the_settings(operator: Operator) -> None:
    loop = operator.reconciler
    assert loop.admission.window == DispatchWindow(queue=1, namespace=2, total=3, total_bytes=4)
    assert loop.admission.rules.quotas == Quotas(running=(("*", 5),), waiting=(("*", 6),), high=(("*", 7),))
    assert loop.timing.backoff_seconds == 8.0
