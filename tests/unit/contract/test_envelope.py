from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.contract.attempt import Orders
from reconstruction_operator.contract.envelope import ENVELOPE_VERSION, Envelope, EnvelopeError, message_bytes

_TEXT = st.text(max_size=20)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.builds(
        Envelope,
        install_id=_TEXT,
        namespace=_TEXT,
        name=_TEXT,
        attempt=st.integers(1, 10**9 - 1),
        input_uri=_TEXT,
        output_uri=_TEXT,
        queue=st.text(min_size=1),
        parameters=st.dictionaries(_TEXT, _JSON, max_size=3),
        traceparent=_TEXT,
        orders=st.builds(Orders, st.integers(0), st.booleans(), _TEXT),
    )
)
def test_an_envelope_survives_encoding(envelope: Envelope) -> None:
    assert Envelope.from_json(json.loads(json.dumps(envelope.to_json()))) == envelope


def test_a_message_has_camel_case_names() -> None:
    envelope = Envelope(
        install_id="i",
        namespace="shop",
        name="banana",
        attempt=2,
        input_uri="file:///a",
        parameters={"a": 1},
        orders=Orders(60, reuse="IfUnchanged"),
    )

    assert envelope.to_json() == {
        "version": ENVELOPE_VERSION,
        "installId": "i",
        "namespace": "shop",
        "name": "banana",
        "attempt": 2,
        "inputUri": "file:///a",
        "queue": "celery",
        "parameters": {"a": 1},
        "orders": {"retainSeconds": 60, "last": False, "reuse": "IfUnchanged"},
    }


def test_keys_that_a_newer_operator_sends_are_ignored() -> None:
    assert Envelope.from_json({"version": 1, "attempt": 1, "colour": "blue"}) == Envelope()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param([1], "list, not a mapping", id="list"),
        pytest.param({}, "version None", id="no-version"),
        pytest.param({"version": 2, "attempt": 1}, "version 2 .* upgrade the workers", id="a-newer-version"),
        pytest.param({"version": 0, "attempt": 1}, "version 0", id="version-0"),
        pytest.param({"version": True, "attempt": 1}, "version True", id="a-truth-for-a-version"),
        pytest.param({"version": 1}, "attempt None", id="no-attempt"),
        pytest.param({"version": 1, "attempt": 0}, "attempt 0", id="attempt-0"),
        pytest.param({"version": 1, "attempt": True}, "attempt True", id="a-truth-for-an-attempt"),
        pytest.param({"version": 1, "attempt": 10**9}, "attempt 1000000000", id="a-huge-attempt"),
    ],
)
def test_a_malformed_message_is_refused(data: object, words: str) -> None:
    with pytest.raises(EnvelopeError, match=words):
        Envelope.from_json(data)


@pytest.mark.parametrize(
    ("parameters", "measured"),
    [pytest.param({}, 1_687, id="plain"), pytest.param({"text": "x" * 16_360}, 24_608, id="as-large-as-allowed")],
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
