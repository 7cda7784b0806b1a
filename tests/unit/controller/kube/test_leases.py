"""The rules of a Lease: who may take it when, told by one's own clock alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reconstruction_operator.controller.kube import leases
from reconstruction_operator.controller.kube.leases import Record, Sighting

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def lease(version: str = "1", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version}, "spec": spec}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            lease("7", holderIdentity="a", leaseTransitions=3, leaseDurationSeconds=10),
            Record("7", "a", 3, 10.0),
            id="held",
        ),
        pytest.param(lease("8", holderIdentity="", leaseTransitions=3), Record("8", "", 3, 0.0), id="released"),
        pytest.param(
            {"metadata": {"resourceVersion": "9"}}, Record("9", "", 0, 0.0), id="made by hand, without a spec"
        ),
    ],
)
def test_what_a_lease_says(body: dict[str, Any], expected: Record) -> None:
    assert Record.of(body) == expected


HELD = Record("7", "a", 3, 10.0)


def test_a_held_lease_expires_after_its_duration_without_a_change() -> None:
    seen = Sighting(HELD, since=100.0)

    assert seen.updated(HELD, now=105.0).expires() == 110.0


def test_a_renewal_starts_the_time_anew() -> None:
    renewed = Record("8", "a", 3, 10.0)

    assert Sighting(HELD, since=100.0).updated(renewed, now=105.0).expires() == 115.0


def test_a_released_lease_may_be_taken_at_once() -> None:
    assert Sighting(Record("8", "", 3, 10.0), since=105.0).expires() == 105.0


def test_the_holder_stops_before_anybody_else_may_begin() -> None:
    assert 0.5 < leases.HOLDER_MARGIN < 1.0


def test_a_spec_names_the_holder_and_the_times_as_micro_times() -> None:
    assert leases.spec("me", 2.5, 4, NOON, acquired="2026-03-01T11:00:00.000000Z") == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 3,
        "acquireTime": "2026-03-01T11:00:00.000000Z",
        "renewTime": "2026-03-01T12:00:00.000000Z",
        "leaseTransitions": 4,
    }


def test_a_lease_that_was_deleted_starts_above_what_its_predecessor_reached() -> None:
    before = leases.first_transitions(NOON) + 50  # fifty changes of leader

    assert leases.first_transitions(NOON + timedelta(hours=1)) > before


def test_the_count_fits_the_apis_32_bits_for_sixty_years() -> None:
    assert leases.first_transitions(datetime(2087, 1, 1, tzinfo=UTC)) < 2**31
