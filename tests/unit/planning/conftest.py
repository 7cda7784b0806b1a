"""Fixtures of the planner's tests: one job, one moment, the settings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reconstruction_operator.api.identity import JobKey
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.api.status import Status
from reconstruction_operator.planning.plan import plan
from reconstruction_operator.planning.types import Job, Observation, Plan, Timing

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMING = Timing(
    lost_after_seconds=10,
    epoch_grace_seconds=15,
    resend_seconds=15,
    backoff_seconds=10,
    backoff_max_seconds=600,
    cancel_ttl_seconds=3600,
    progress_seconds=1,
)


@pytest.fixture(scope="session")
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def timing() -> Timing:
    return TIMING


@pytest.fixture(scope="session")
def job_of() -> Callable[..., Job]:
    """A job created a minute ago, with changes to its spec."""

    def make(status: Status | None = None, *, deleting: bool = False, generation: int = 1, **spec: Any) -> Job:
        spec.setdefault("input", Location("file:///photos/banana"))
        return Job(
            key=JobKey("team", "banana", "uid"),
            generation=generation,
            created=NOW - timedelta(minutes=1),
            spec=Spec(**spec),
            status=status or Status(),
            deleting=deleting,
        )

    return make


@pytest.fixture(scope="session")
def look(job_of: Callable[..., Job]) -> Callable[..., Plan]:
    """The plan for a stored status and an observation, with changes to the spec."""

    def make(
        seen: Observation, status: Status | None = None, *, admitted: bool = False, at: datetime = NOW, **job: Any
    ) -> Plan:
        return plan(job_of(status, **job), seen, at, TIMING, admitted=admitted)

    return make
