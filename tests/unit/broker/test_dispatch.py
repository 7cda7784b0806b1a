from __future__ import annotations

import pytest
from reconstruction_operator.broker import dispatch
from reconstruction_operator.contract.envelope import Envelope
from reconstruction_operator.telemetry import tracing

from tests.support.refs import make_attempt

UID = "0b7c4a9e-6a55-4f57-9d8e-1f2a3b4c5d6e"
TRACEPARENT = str(tracing.of_job(UID))


@pytest.mark.parametrize(
    ("traceparent", "headers"),
    [pytest.param(TRACEPARENT, {"traceparent": TRACEPARENT}, id="with traces"), pytest.param("", None, id="without")],
)
def test_a_message_carries_its_trace_in_envelope_and_header(traceparent: str, headers: dict[str, str] | None) -> None:
    message = dispatch.Message(Envelope(make_attempt(UID), traceparent=traceparent), "placeholder")
    task = dispatch._task(message)
    assert task.get("headers") == headers
    assert task["kwargs"]["job"].get("traceparent", "") == traceparent


@pytest.mark.parametrize(
    ("seconds", "arguments"), [(None, None), (0, {"retain_seconds": 0}), (60, {"retain_seconds": 60})]
)
def test_an_order_to_delete_files_holds_the_retention(seconds: int | None, arguments: dict[str, int] | None) -> None:
    task = dispatch._task(dispatch.CleanUp(make_attempt(UID), seconds))
    assert (task["args"], task.get("kwargs")) == ((UID,), arguments)
