"""Object addresses: allowlists and servers must read them in the same way."""

from __future__ import annotations

import pytest
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects.address import ObjectAddress


def test_an_address_is_split_into_its_parts() -> None:
    assert ObjectAddress.parse("s3://my.bucket_1/a%20b/c", "INPUT_REFUSED") == ObjectAddress(
        "s3", "my.bucket_1", "a b/c", is_folder=False
    )


@pytest.mark.parametrize(
    "bucket",
    [
        pytest.param("", id="none"),
        pytest.param("..", id="upwards: out of the path of an endpoint"),
        pytest.param("%2e%2e", id="encoded upwards"),
        pytest.param("host\\", id="a backslash: a host of its own where buckets are hosts"),
        pytest.param("user@bucket", id="a user"),
    ],
)
def test_a_bucket_is_a_plain_name(bucket: str) -> None:
    with pytest.raises(StorageError, match=r"INPUT_REFUSED: .* names no bucket: write s3://bucket/folder/"):
        ObjectAddress.parse(f"s3://{bucket}/set/", "INPUT_REFUSED")
