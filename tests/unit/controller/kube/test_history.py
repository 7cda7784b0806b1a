"""History: falling versions show a restored etcd, if several responses agree."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.controller.kube.client import ApiError
from reconstruction_operator.controller.kube.history import History
from reconstruction_operator.controller.kube.lease import LeaderElection


@pytest.mark.parametrize(
    ("versions", "restored"),
    [
        pytest.param([90, 91, 92], True, id="three-older-answers"),
        pytest.param([90, 91], False, id="two-older-answers"),
        pytest.param([90, 91, 100, 92, 93], False, id="a-server-lagged"),
        pytest.param([100, 101, 102], False, id="no-older-answer"),
        pytest.param([0, 0, 0], False, id="no-versions"),
    ],
)
def test_etcd_counts_as_restored_after_three_consecutive_older_answers(versions: list[int], restored: bool) -> None:
    history = History()
    for version in versions:
        assert history.continues("jobs", version, seen=100) is (version == 0 or version >= 100)
    assert history.restored.is_set() is restored


def test_versions_are_compared_within_one_kind() -> None:
    history = History()
    for _ in range(3):
        history.continues("jobs", 5, seen=100)
        history.continues("leases", 200, seen=100)
    assert history.restored.is_set()


class Leases:
    """An API server with one Lease, whose version is set."""

    def __init__(self) -> None:
        self.version = 1_000

    async def get(self, _path: str) -> dict[str, Any]:
        return {
            "metadata": {"resourceVersion": str(self.version)},
            "spec": {"holderIdentity": "other", "leaseDurationSeconds": 60},
        }

    async def request(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        raise ApiError(409, "Conflict", f"{method} {path}")


async def test_a_standby_detects_a_restored_etcd_by_the_version_of_the_lease() -> None:
    server: Any = Leases()
    election = LeaderElection(server, namespace="n", name="l", identity="me", duration_seconds=15.0)
    await election._campaign(0.0)
    server.version = 700
    for _ in range(2):
        server.version += 1
        await election._campaign(0.0)
    assert not election.history.restored.is_set()

    server.version += 1
    await election._campaign(0.0)

    assert election.history.restored.is_set()
