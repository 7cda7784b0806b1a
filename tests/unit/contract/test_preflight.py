"""Preflights: requests and results as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from reconstruction_operator.contract.preflight import Checked, CheckRequest, Usability

from tests.support.refs import make_attempt

REQUEST = CheckRequest(make_attempt("uid").job, "token", "m", "file:///photos/a", {"quality": "fast"})
CHECKED = Checked(Usability.UNUSABLE, "token", "CORRUPT_IMAGE", "photo a.jpg is truncated", "worker@a")


def test_a_request_survives_its_text() -> None:
    assert CheckRequest.from_text(REQUEST.to_text()) == REQUEST


def test_a_result_survives_its_text() -> None:
    assert Checked.of(json.loads(CHECKED.to_text())) == CHECKED


@pytest.mark.parametrize(
    "change",
    [
        {"job": {"namespace": "a", "name": "b", "uid": "../x"}},
        {"job": None},
        {"uri": 5},
        {"uri": "x" * 3_000},
        {"token": None},
    ],
    ids=["unsafe id", "no id", "no text", "too long", "no token"],
)
def test_a_malformed_request_is_a_value_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        CheckRequest.from_text(json.dumps(json.loads(REQUEST.to_text()) | change))


@pytest.mark.parametrize("data", [{}, {"usability": "Perhaps"}, {"usability": 5}])
def test_a_result_with_an_unknown_usability_is_invalid(data: dict[str, Any]) -> None:
    assert Checked.of(data) is None


def test_a_long_result_is_truncated() -> None:
    result = Checked.of({"usability": "Unknown", "message": "x" * 5_000, "reason": "y" * 500})
    assert result is not None
    assert (len(result.message), len(result.reason)) == (1_000, 64)
