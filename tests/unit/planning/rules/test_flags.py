"""Cancel flags: they follow the spec of an unfinished job, and are renewed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from reconstruction_operator.planning.actions import AssertCancelled, RequestCancel, WithdrawRequest

from tests.support.plans import HELD, NOW, RUNNING, look, observed

REQUESTED = {"cancel_requested": True}
CONFIRMED = {"cancel_requested": True, "cancel_confirmed": True}


@pytest.mark.parametrize(
    ("spec", "flags", "ttl", "actions"),
    [
        pytest.param({}, (False, False), None, (), id="nothing"),
        pytest.param(REQUESTED, (False, False), None, (RequestCancel(),), id="requested"),
        pytest.param(REQUESTED, (True, False), 1801.0, (), id="requested-and-set"),
        pytest.param(REQUESTED, (True, False), 1800.0, (RequestCancel(),), id="requested-and-half-expired"),
        pytest.param({}, (True, False), 3000.0, (WithdrawRequest(),), id="withdrawn"),
        pytest.param(CONFIRMED, (True, False), 3000.0, (AssertCancelled(),), id="confirmed"),
        pytest.param(CONFIRMED, (False, True), 3000.0, (), id="confirmed-and-set"),
        pytest.param(CONFIRMED, (False, True), 1000.0, (AssertCancelled(),), id="confirmed-and-half-expired"),
        pytest.param({}, (False, True), 3000.0, (), id="confirmed-by-hand-in-redis"),
    ],
)
def test_the_flags_follow_the_spec(
    spec: dict[str, bool], flags: tuple[bool, bool], ttl: float | None, actions: tuple[object, ...]
) -> None:
    requested, confirmed = flags
    seen = observed(HELD, requested=requested, confirmed=confirmed, flag_ttl_seconds=ttl)

    assert look(seen, RUNNING, **spec).actions == actions


@pytest.mark.parametrize(
    ("requested", "ttl", "seconds"), [(False, None, 1800), (True, 3600.0, 1800), (True, 1801.0, 1)]
)
def test_a_flag_is_checked_before_it_expires(requested: bool, ttl: float | None, seconds: int) -> None:
    plan = look(observed(requested=requested, flag_ttl_seconds=ttl), suspend=True, **REQUESTED)

    assert plan.wake_at == NOW + timedelta(seconds=seconds)
