"""Verdict: one decision from the status, and the sentence that lists show with it."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.api.verdict import Verdict, sentence, verdict


@pytest.mark.parametrize(
    ("phase", "fields", "expected"),
    [
        ("Succeeded", {}, Verdict.FINE),
        ("Succeeded", {"warning": "only 19 of 33 photos"}, Verdict.WARNING),
        ("Succeeded", {"warning": "only 19 of 33 photos", "simulated": True}, Verdict.SIMULATED),
        ("Failed", {"reasons": ["NoWorker"]}, Verdict.FAILED),
        ("Cancelled", {"simulated": True}, Verdict.CANCELLED),
        ("Pending", {"reasons": ["Accepted", "QueueUnserved"]}, Verdict.WARNING),
        ("Running", {"reasons": ["Accepted", "Started"]}, None),
    ],
)
def test_the_verdict_on_a_job(phase: str, fields: dict[str, Any], expected: Verdict | None) -> None:
    assert verdict(phase, **{"simulated": False, "warning": "", **fields}) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"verdict": "Warning", "message": "Warning: only 19 of 33 photos"}, "only 19 of 33 photos"),
        ({"verdict": "Failed", "message": "Failed: TIMEOUT: late", "reason": "TIMEOUT"}, "TIMEOUT: late"),
        (
            {"phase": "Succeeded", "warning": "5 of 9", "message": "Succeeded. Warning: 5 of 9"},
            "Succeeded. Warning: 5 of 9",
        ),
        ({"verdict": "Fine", "message": "Succeeded: s3://m/x"}, ""),
        ({"verdict": "Cancelled", "message": "Cancelled: the wrong photos"}, "the wrong photos"),
        ({"verdict": "Cancelled", "message": "Cancelled"}, ""),
        ({"message": "Waiting for its turn", "reason": "place 20"}, "place 20"),
        ({}, ""),
    ],
)
def test_a_list_shows_the_sentence_to_what_needs_attention(status: dict[str, Any], expected: str) -> None:
    assert sentence(status) == expected
