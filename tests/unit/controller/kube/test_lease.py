"""Lease: when a candidate may take it, by its own clock alone, and its fencing token."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from reconstruction_operator.controller.kube import lease as leases
from reconstruction_operator.controller.kube.lease import LeaderElection

from tests.support.controller.clock import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Leases:
    """An API server that holds one Lease."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] = {}

    async def get(self, _path: str) -> dict[str, Any]:
        return self.lease

    async def request(self, _method: str, _path: str, *, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        version = str(int(self.lease.get("metadata", {}).get("resourceVersion", "0")) + 1)
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
        return self.lease


def elect(api: Any, identity: str, monotonic: Callable[[], float] = time.monotonic) -> LeaderElection:
    return LeaderElection(api, namespace="n", name="l", identity=identity, duration_seconds=15.0, monotonic=monotonic)


def lease(version: str = "1", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": version}, "spec": spec}


HELD = {"holderIdentity": "a", "leaseTransitions": 3, "leaseDurationSeconds": 10}


@pytest.mark.parametrize(
    ("after", "expires"),
    [
        pytest.param(lease("7", **HELD), 110.0, id="held: its duration after the last change"),
        pytest.param(lease("8", **HELD), 115.0, id="renewed: its duration from now"),
        pytest.param(lease("8", **HELD | {"holderIdentity": ""}), 105.0, id="released: at once"),
    ],
)
async def test_a_candidate_takes_a_lease_once_it_has_expired(after: dict[str, Any], expires: float) -> None:
    api = Leases()
    clock = Clock(100.0)
    candidate = elect(api, "b", clock)
    api.lease = lease("7", **HELD)
    for clock.now in (100.0, 105.0, 109.9, 110.0, 114.9, 115.0):
        api.lease = after if clock.now == 105.0 else api.lease
        await candidate._round(clock.now)
        if candidate.leading:
            break

    assert clock.now == expires
    assert (candidate.fence, api.lease["spec"]["holderIdentity"]) == (4, "b")


@pytest.mark.parametrize("transitions", [2_000_000_000, 2**31 - 1])
async def test_a_foreign_count_and_duration_end_after_minutes_in_a_valid_token(transitions: int) -> None:
    api = Leases()
    clock = Clock(100.0)
    candidate = elect(api, "b", clock)
    api.lease = lease(holderIdentity="other", leaseTransitions=transitions, leaseDurationSeconds=2**31 - 1)
    for clock.now in (100.0, 699.0, 700.0):
        assert not candidate.leading
        await candidate._round(clock.now)

    latest = leases.first_transitions(datetime.now(UTC))
    assert latest <= (candidate.fence or 0) <= latest + 90_000
    assert api.lease["spec"]["leaseTransitions"] == candidate.fence


def test_a_lease_made_after_a_deletion_starts_above_the_old_count() -> None:
    before = leases.first_transitions(NOON) + 50  # fifty changes of leader

    assert before < leases.first_transitions(NOON + timedelta(hours=1))
    assert leases.first_transitions(datetime(2087, 1, 1, tzinfo=UTC)) < 2**31  # the API's 32 bits


@pytest.mark.parametrize(("seen", "next_above"), [(7, 7), (2_000_000_000, 2_000_000_000), (10**15, 2_000_000_000)])
def test_the_next_token_fits_the_lease_even_if_redis_holds_a_malformed_one(seen: int, next_above: int) -> None:
    election = elect(Leases(), "me")
    election.deposed(seen)
    assert election._at_least == next_above


@pytest.mark.parametrize(
    ("note", "looks"),
    [("17", 17), ("", 0), ("many", 0), ("-3", 0), ("\u0661", 0), ("9" * 14, 99_999_999_999_999), ("9" * 15, 0)],
)
def test_a_lease_keeps_the_number_of_looks_and_a_malformed_one_is_zero(note: str, looks: int) -> None:
    assert leases.looks_of({"metadata": {"annotations": {leases.LOOKS: note}}}) == looks


async def test_the_next_holder_gets_the_number_of_looks_from_the_lease() -> None:
    api = Leases()
    api.lease = lease()
    first, second = (elect(api, name) for name in ("a", "b"))
    await first._round(0.0)
    first.looks = 40
    await first._round(0.0)
    await first.release()

    await second._round(0.0)

    assert (second._tenure is not None, second.looks) == (True, 40)
    assert leases.looks_of(api.lease) == 40
