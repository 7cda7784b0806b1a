"""Neighbours: which installation manages a job, and when an installation counts as ended."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, cast

import pytest
from reconstruction_operator.api.status import InstallationMark, Status
from reconstruction_operator.controller.kube.client import ApiError
from reconstruction_operator.controller.kube.neighbours import Neighbours
from reconstruction_operator.planning.types import Management

MINE = InstallationMark("mine", "here/operator")
THEIRS = InstallationMark("theirs", "there/operator")
PATH = "/apis/coordination.k8s.io/v1/namespaces/there/leases/operator"
FORBIDDEN = ApiError(HTTPStatus.FORBIDDEN, "Forbidden", "no")
GONE = ApiError(HTTPStatus.NOT_FOUND, "NotFound", "no")
UNAVAILABLE = ApiError(0, "TimeoutError", "no")


def lease(version: int, holder: str = "them") -> dict[str, Any]:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 10, "leaseTransitions": 3}
    return {"metadata": {"resourceVersion": str(version)}, "spec": spec}


class World:
    """One neighbour, its Lease, and a clock."""

    def __init__(self, adopt_after_seconds: float = 60.0) -> None:
        self.now, self.answer, self.asked = 100.0, cast("dict[str, Any] | ApiError", lease(1)), set[str]()
        api: Any = self
        self.neighbours = Neighbours(api, MINE, adopt_after_seconds, monotonic=lambda: self.now)

    async def get(self, path: str) -> dict[str, Any]:
        self.asked.add(path)
        if isinstance(self.answer, ApiError):
            raise self.answer
        return self.answer

    def management(self, mark: InstallationMark | None = THEIRS) -> Management:
        return self.neighbours.management(Status(installation=mark))

    async def look_for(self, seconds: float, *, period_seconds: float = 2.0) -> list[bool]:
        """Return for each look in that time whether anything changed."""
        until, changed = self.now + seconds, []
        while self.now < until:
            self.now += period_seconds
            changed.append(await self.neighbours.look())
        return changed


@pytest.mark.parametrize(
    ("mark", "managed"),
    [
        pytest.param(None, Management.UNMARKED, id="no mark"),
        pytest.param(InstallationMark(), Management.UNMARKED, id="an empty mark"),
        pytest.param(MINE, Management.OURS, id="our mark"),
        pytest.param(THEIRS, Management.FOREIGN, id="another's mark"),
        pytest.param(InstallationMark("theirs", MINE.lease), Management.INHERITED, id="handed over to us"),
        pytest.param(InstallationMark("mine", THEIRS.lease), Management.FOREIGN, id="handed over by us"),
        pytest.param(InstallationMark("theirs"), Management.FOREIGN, id="without a Lease"),
    ],
)
def test_the_mark_names_the_installation_that_manages_a_job(mark: InstallationMark | None, managed: Management) -> None:
    assert World().management(mark) is managed


async def test_an_installation_that_renews_its_lease_keeps_its_jobs() -> None:
    world = World()
    world.management()

    for version in range(200):
        world.answer = lease(version)
        assert await world.look_for(2) == [False]

    assert world.asked == {PATH}
    assert world.management() is Management.FOREIGN


@pytest.mark.parametrize(
    ("answer", "expires_seconds"),
    [
        pytest.param(lease(1), 10, id="not renewed"),
        pytest.param(lease(1, holder=""), 0, id="released"),
        pytest.param(GONE, 0, id="deleted"),
    ],
)
async def test_jobs_are_taken_over_after_the_lease_has_expired_for_a_time(
    answer: dict[str, Any] | ApiError, expires_seconds: float
) -> None:
    world = World(adopt_after_seconds=60)
    world.answer = answer
    world.management()

    assert not any(await world.look_for(expires_seconds + 60))
    assert await world.look_for(2) == [True]
    assert world.management() is Management.INHERITED


async def test_an_installation_that_returns_keeps_the_jobs_not_taken_over() -> None:
    world = World(adopt_after_seconds=60)
    world.management()
    await world.look_for(80)

    world.answer = lease(2)

    assert await world.look_for(2) == [True]
    assert world.management() is Management.FOREIGN


@pytest.mark.parametrize("error", [FORBIDDEN, UNAVAILABLE], ids=["forbidden", "no response"])
async def test_a_lease_that_cannot_be_read_counts_as_alive(error: ApiError) -> None:
    world = World(adopt_after_seconds=60)
    world.management()
    world.answer = error

    assert not any(await world.look_for(1_000))
    assert world.management() is Management.FOREIGN


async def test_an_outage_of_the_api_server_does_not_count_as_silence() -> None:
    world = World(adopt_after_seconds=60)
    world.management()
    await world.look_for(2)
    world.answer = UNAVAILABLE
    await world.look_for(1_000)

    world.answer = lease(1)  # it could not renew its Lease either

    assert not any(await world.look_for(60))


async def test_nothing_is_taken_over_if_the_setting_forbids_it() -> None:
    world = World(adopt_after_seconds=0)
    world.answer = GONE
    world.management()

    assert not any(await world.look_for(10_000))


async def test_a_lease_with_an_invalid_name_is_never_read() -> None:
    world = World()
    world.management(InstallationMark("x", "../../api/v1/secrets"))

    await world.look_for(4)

    assert world.asked == set()


def test_without_the_field_in_the_crd_jobs_are_handled_unmarked() -> None:
    world = World()
    wanted = Status(installation=MINE)

    assert not world.neighbours.stored(wanted, {"status": {"installation": {"id": "mine"}}})
    assert world.management(None) is Management.UNMARKED
    assert world.neighbours.stored(wanted, {"status": {"phase": "Pending"}})
    assert not world.neighbours.stored(wanted, {"status": {"phase": "Pending"}})
    assert world.management(None) is Management.OURS


async def test_marks_of_too_many_leases_are_neither_kept_nor_read() -> None:
    world = World()
    for number in range(1_000):
        world.management(InstallationMark("theirs", f"there/operator-{number}"))
    await world.look_for(2)

    assert len(world.asked) == 100
    assert world.management(InstallationMark("theirs", "there/operator-999")) is Management.FOREIGN
    assert len(world.neighbours._neighbours) == 100
