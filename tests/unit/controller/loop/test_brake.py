"""Brake: which deletions are held."""

from __future__ import annotations

import pytest
from reconstruction_operator.controller.loop.brake import Brake


@pytest.fixture
def brake() -> Brake:
    return Brake(at_once=3, share=0.1)


def ids(number: int) -> list[str]:
    return [f"job-{index}" for index in range(number)]


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
    assert list(brake.allow("records", ids(number), among)) == (ids(number) if allowed else [])
    assert brake.holds is not allowed
    assert ("job-0" in brake) is not allowed


def test_each_hold_and_its_end_is_logged_once(brake: Brake, caplog: pytest.LogCaptureFixture) -> None:
    brake.allow("records", ids(9), 9)
    brake.allow("records", ids(9), 9)
    brake.allow("records", ids(3), 9)
    brake.allow("records", ids(3), 9)

    assert [vars(record)["reason"] for record in caplog.records] == ["DeletionsHeld", "DeletionsReleased"]
    assert "9 of 9 records" in caplog.messages[0]
