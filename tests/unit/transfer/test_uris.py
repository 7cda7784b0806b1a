"""URIs as logs and messages show them."""

import pytest
from reconstruction_operator.transfer import uris


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://user:secret@host/a.zip", "https://host/a.zip"),
        ("https://host/a.zip?X-Amz-Signature=secret#secret", "https://host/a.zip?…"),
        ("file:///photos/a", "file:///photos/a"),
        ("https://host/a\nb\x1b[31m", "https://host/ab�[31m"),
        ("https://[", "(an invalid URI)"),
    ],
)
def test_secrets_and_control_characters_are_not_shown(uri: str, expected: str) -> None:
    assert uris.redacted(uri) == expected
