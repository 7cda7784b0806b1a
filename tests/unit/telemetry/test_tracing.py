"""Tracing: ids are derived from the job; an endpoint without the optional extra is an error."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest
from reconstruction_operator.telemetry import tracing
from reconstruction_operator.telemetry.spans import SpanIds

UID = "0b7c4a9e-6a55-4f57-9d8e-1f2a3b4c5d6e"
MISSING = 'sys.modules["opentelemetry"] = None'
UNFIT = """
class Unfit:
    def find_spec(self, name, *_):
        if name == "opentelemetry":
            raise TypeError("Descriptors cannot be created directly.")
sys.meta_path.insert(0, Unfit())
"""
PROGRAM = """
import sys
{}
from reconstruction_operator.telemetry import tracing
assert not tracing.enabled()
tracing.flush(1)
"""


@pytest.mark.parametrize("packages", [pytest.param(MISSING, id="missing"), pytest.param(UNFIT, id="unfit")])
def test_an_endpoint_without_the_extra_is_an_error_that_names_the_extra(packages: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(packages)],
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.count("Install reconstruction-operator[tracing].") == 1
    assert "tracing" in metadata.metadata("reconstruction-operator").get_all("Provides-Extra", [])


def test_the_trace_id_of_a_job_is_its_uid() -> None:
    assert tracing.of_job(UID).trace_id == UID.replace("-", "")
    assert tracing.of_job(UID) == tracing.of_job(UID)


def test_a_job_without_a_uid_has_a_valid_trace() -> None:
    ids = tracing.of_job("test123")
    assert (len(ids.trace_id), len(ids.span_id)) == (32, 16)
    assert SpanIds.parse(str(ids)) == ids


def test_children_differ_by_their_arguments_and_keep_the_trace() -> None:
    root = tracing.of_job(UID)
    first = root.child("attempt", 1)
    second = root.child("attempt", 2)
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
