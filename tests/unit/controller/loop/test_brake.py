"""Brake: which deletions are held."""

from __future__ import annotations

import pytest
from reconstruction_operator.controller.loop.brake import Brake


@pytest.fixture
def brake() -> Brake:
    return Brake(at_once=3, share=0.1)


def ids(number: int, namespace: str = "team-a") -> dict[str, str]:
    return {f"job-{index}": namespace for index in range(number)}


@pytest.mark.parametrize(
    ("number", "among", "allowed"),
    [
        pytest.param(3, 4, True, id="the-number"),
        pytest.param(4, 4, False, id="more-than-the-number"),
        pytest.param(10, 100, True, id="the-share"),
        pytest.param(11, 100, False, id="more-than-the-share"),
    ],
)
def test_orphans_above_number_and_share_are_held(brake: Brake, number: int, among: int, allowed: bool) -> None:
    assert set(brake.allow("records", ids(number), among)) == (set(ids(number)) if allowed else set())
    assert brake.holds is not allowed
    assert ("job-0" in brake) is not allowed


def test_each_hold_and_its_end_is_logged_once(brake: Brake, caplog: pytest.LogCaptureFixture) -> None:
    brake.allow("records", ids(9), 9)
    brake.allow("records", ids(9), 9)
    brake.allow("records", ids(3), 9)
    brake.allow("records", ids(3), 9)

    assert [vars(record)["reason"] for record in caplog.records] == ["DeletionsHeld", "DeletionsReleased"]
    assert "9 of 9 records" in caplog.messages[0]


def test_released_ones_may_be_cleaned_up_and_the_few_others_stay_held(brake: Brake) -> None:
    orphans = {**ids(4), "other": "team-b"}
    brake.allow("records", orphans, 5)
    assert brake.held == {**dict.fromkeys(ids(4), "records/team-a"), "other": "records/team-b"}

    assert brake.release(dict.fromkeys(ids(4), "records"))
    assert ("job-0" in brake, "other" in brake) == (False, True)
    assert set(brake.allow("records", orphans, 5)) == set(ids(4))
    assert not brake.release(dict.fromkeys(ids(4), "records"))  # it is known
    # The released ones are cleaned up. Alone, the last one would be below the limit.
    assert list(brake.allow("records", {"other": "team-b"}, 1)) == []
    assert brake.held == {"other": "records/team-b"}

    brake.release(dict.fromkeys(ids(4), "records") | {"other": "records"})
    assert list(brake.allow("records", {"other": "team-b"}, 1)) == ["other"]
    assert (brake.holds, brake.held) == (False, {})


def test_releases_of_records_hold_no_folders(brake: Brake) -> None:
    brake.release(dict.fromkeys(ids(9), "records"))

    assert list(brake.allow("job folders", {"folder": "team-a"}, 1)) == ["folder"]


def test_more_missing_jobs_than_were_released_are_held(brake: Brake) -> None:
    brake.release(dict.fromkeys(ids(4), "records"))

    assert set(brake.allow("records", ids(9), 9)) == set(ids(4))
    assert set(brake.held) == set(ids(9)) - set(ids(4))
