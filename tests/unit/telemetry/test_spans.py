"""Spans: their ids are derived from the job."""

from __future__ import annotations

import pytest
from reconstruction_operator.telemetry import spans
from reconstruction_operator.telemetry.spans import SpanIds

UID = "0b7c4a9e-6a55-4f57-9d8e-1f2a3b4c5d6e"


def test_the_trace_id_of_a_job_is_its_uid() -> None:
    assert spans.of_job(UID).trace_id == UID.replace("-", "")
    assert spans.of_job(UID) == spans.of_job(UID)


def test_a_job_without_a_uid_has_a_valid_trace() -> None:
    ids = spans.of_job("test123")
    assert (len(ids.trace_id), len(ids.span_id)) == (32, 16)
    assert SpanIds.parse(str(ids)) == ids


def test_children_differ_by_their_arguments_and_keep_the_trace() -> None:
    root = spans.of_job(UID)
    first, second = root.child("attempt", 1), root.child("attempt", 2)
    assert first == root.child("attempt", 1)
    assert len({root.span_id, first.span_id, second.span_id}) == 3
    assert {first.trace_id, second.trace_id} == {root.trace_id}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("00-abc-def-01", id="too short"),
        pytest.param(f"00-{'0' * 32}-{'1' * 16}-01", id="an invalid trace id"),
        pytest.param(f"00-{'1' * 32}-{'0' * 16}-01", id="an invalid span id"),
        pytest.param(f"00-{'G' * 32}-{'1' * 16}-01", id="not hex"),
    ],
)
def test_an_invalid_traceparent_is_ignored(text: str) -> None:
    assert SpanIds.parse(text) is None
