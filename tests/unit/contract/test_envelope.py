from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api import codec
from reconstruction_operator.api.identity import AttemptRef, JobRef
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.contract.attempt import Orders
from reconstruction_operator.contract.envelope import ENVELOPE_VERSION, Envelope, EnvelopeError, message_bytes

from tests.support.refs import make_attempt

_TEXT = st.text(max_size=20)
ATTEMPT = make_attempt("uid", 2, "gpu-high", namespace="shop", install_id="i", namespace_uid="ns-1")
MESSAGE = Envelope(ATTEMPT).to_json()


def numbered(number: object) -> dict[str, object]:
    return MESSAGE | {"attempt": codec.encode(ATTEMPT) | {"number": number}}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.builds(
        Envelope,
        st.builds(
            AttemptRef,
            st.builds(JobRef, _TEXT, _TEXT, st.just("uid"), _TEXT, _TEXT),
            st.integers(1, 10**9 - 1),
            st.text(min_size=1),
        ),
        input_uri=_TEXT,
        output_uri=_TEXT,
        parameters=st.dictionaries(_TEXT, _JSON, max_size=3),
        traceparent=_TEXT,
        orders=st.builds(Orders, st.integers(0), st.booleans(), _TEXT),
    )
)
def test_an_envelope_survives_encoding(envelope: Envelope) -> None:
    assert Envelope.from_json(json.loads(json.dumps(envelope.to_json())), "uid") == envelope


def test_a_message_has_camel_case_names() -> None:
    envelope = Envelope(
        ATTEMPT,
        input_uri="file:///a",
        parameters={"a": 1},
        orders=Orders(60, reuse="IfUnchanged"),
    )

    assert envelope.to_json() == {
        "version": ENVELOPE_VERSION,
        "attempt": {
            "job": {"namespace": "shop", "name": "banana", "uid": "uid", "installId": "i", "namespaceUid": "ns-1"},
            "number": 2,
            "queue": "gpu-high",
        },
        "inputUri": "file:///a",
        "parameters": {"a": 1},
        "orders": {"retainSeconds": 60, "last": False, "reuse": "IfUnchanged"},
    }


def test_keys_that_a_newer_operator_sends_are_ignored() -> None:
    assert Envelope.from_json(MESSAGE | {"colour": "blue"}, "uid") == Envelope(ATTEMPT)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param([1], "list, not a mapping", id="list"),
        pytest.param({}, "version None", id="no-version"),
        pytest.param(MESSAGE | {"version": 2}, "version 2 .* upgrade the workers", id="a-newer-version"),
        pytest.param(MESSAGE | {"version": 0}, "version 0", id="version-0"),
        pytest.param(MESSAGE | {"version": True}, "version True", id="a-truth-for-a-version"),
        pytest.param({"version": 1}, "attempt of the job argument", id="no-attempt"),
        pytest.param(numbered(0), "attempt 0", id="attempt-0"),
        pytest.param(numbered(True), "attempt of the job argument", id="a-truth-for-an-attempt"),
        pytest.param(numbered(10**9), "attempt 1000000000", id="a-huge-attempt"),
    ],
)
def test_a_malformed_message_is_refused(data: object, words: str) -> None:
    with pytest.raises(EnvelopeError, match=words):
        Envelope.from_json(data, "uid")


def test_a_message_about_another_job_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="of the job uid"):
        Envelope.from_json(MESSAGE, "uid-2")


@pytest.mark.parametrize(
    ("parameters", "measured"),
    [pytest.param({}, 1_742, id="plain"), pytest.param({"text": "x" * 16_360}, 23_594, id="as-large-as-allowed")],
)
def test_the_bytes_of_a_message_are_estimated_well(parameters: dict[str, str], measured: int) -> None:
    estimate = message_bytes(Spec(input=Location("file:///photos/banana"), parameters=parameters))

    assert 0.95 < estimate / measured < 1.2


def test_the_bytes_of_addresses_count_as_in_the_message() -> None:
    """Its JSON is plain ASCII: a tenant's address of 2,048 characters may take twelve times as many bytes."""
    spec = Spec(
        input=Location("file:///photos/" + "\U0001f34c" * 2_000), output=Location("file:///" + "\u00e4" * 2_000)
    )
    texts = json.dumps([spec.input.uri, spec.output.uri if spec.output else ""])

    assert message_bytes(spec) > len(base64.b64encode(texts.encode()))
