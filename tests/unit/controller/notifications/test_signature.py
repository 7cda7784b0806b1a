"""Signature: the example of Standard Webhooks, and keys that cannot be used."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from reconstruction_operator.controller.notifications.signature import KeyFileError, load_key, signed

# From the specification's reference implementations
KEY = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_standard_webhooks() -> None:
    headers = signed(base64.b64decode(KEY), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", [KEY, f"whsec_{KEY}\n"], ids=["base64", "with the prefix"])
def test_a_key_is_read_in_both_forms(tmp_path: Path, text: str) -> None:
    (tmp_path / "team").write_text(text)

    assert load_key(tmp_path, "team") == base64.b64decode(KEY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "the key team cannot be read: No such file or directory", id="missing"),
        pytest.param("a secret", "the key team is not base64", id="not base64"),
        pytest.param("\u00e4", "the key team is not base64", id="not ASCII"),
        pytest.param("c2hvcnQ=", "the key team has 5 bytes, and needs at least 16", id="short"),
    ],
)
def test_a_key_that_cannot_be_used_is_an_error_without_its_text(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "team").write_text(text)

    with pytest.raises(KeyFileError) as error:
        load_key(tmp_path, "team")
    assert str(error.value) == message
