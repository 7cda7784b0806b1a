"""Operator state: what a Lease shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from kubectl_recon.installation.operator import Lease

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("holder", "renewed", "expected"),
    [
        pytest.param("operator-1", NOW - timedelta(seconds=10), "", id="held"),
        pytest.param("", NOW, "no replica leads; the Lease was renewed 0s ago", id="given up"),
        pytest.param(
            "operator-1", NOW - timedelta(minutes=5), "no replica leads; the Lease was renewed 5m ago", id="old"
        ),
        pytest.param("", None, "no replica leads; the Lease was never renewed", id="new"),
    ],
)
def test_a_lease_shows_whether_a_replica_leads(holder: str, renewed: datetime | None, expected: str) -> None:
    lease = Lease("reconstruction-system", "reconstruction-operator", holder, renewed, duration_seconds=15)

    assert lease.vacancy(NOW) == expected
